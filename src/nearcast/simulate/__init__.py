"""I run the same programs in virtual time, under a seed."""
