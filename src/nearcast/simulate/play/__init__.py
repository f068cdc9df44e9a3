"""I put programs into a world, let faults strike, and hold what happens to its sentences."""
