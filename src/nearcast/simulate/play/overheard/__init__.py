"""I hear what is said on the wires of a play, and understand it without the programs' own parsers."""
