"""I name what should leave the store next: one policy, one file, all behind `cache.eviction`."""
