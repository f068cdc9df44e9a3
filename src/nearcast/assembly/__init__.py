"""I start the programs that a Snapshot names, on whatever loop is running."""
