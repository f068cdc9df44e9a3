"""I return text in capitals over UDP and TCP."""
