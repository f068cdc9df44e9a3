"""I turn intent into a checked Snapshot and hand it out."""
