"""Benchmarks: each a ratio to a peer in the same run, one file each, one command for all."""
