"""I decide what is kept, fresh and evicted, and keep it on disk."""
