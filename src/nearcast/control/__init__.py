"""I show how the CDN is, and pass on commands: warm, purge. I never stand in the content path."""
