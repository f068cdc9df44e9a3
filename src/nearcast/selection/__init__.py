"""I decide which content server answers whom."""
