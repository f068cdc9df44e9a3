"""I hold the truth."""
