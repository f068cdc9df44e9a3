"""I tell every client which content server to use: by DNS answer or by redirect."""
