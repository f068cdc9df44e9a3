"""I run a small internet on one machine."""
