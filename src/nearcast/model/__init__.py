"""I am the frozen nouns of a CDN and their Snapshot."""
