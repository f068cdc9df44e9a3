"""I put them together and talk to people."""
