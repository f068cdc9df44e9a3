"""I tell every client which content server to use: by DNS answer, by redirect, by steering manifest."""
