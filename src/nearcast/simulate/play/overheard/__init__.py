"""I hear what is said on the wires of a play, and understand it by myself: nothing of the programs is used."""
