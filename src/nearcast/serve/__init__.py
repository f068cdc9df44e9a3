"""I run protocols on real sockets: loops, listeners, workers, limits, shutdown, metrics."""
