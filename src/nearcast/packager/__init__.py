"""I turn a source into renditions, segments and manifests."""
