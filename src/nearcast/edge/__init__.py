"""I serve from the cache and fill what is missing."""
