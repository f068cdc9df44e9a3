"""I watch, progressively or adaptively."""
