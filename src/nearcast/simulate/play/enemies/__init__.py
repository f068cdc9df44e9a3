"""I do what I can to break the sentences: hostile viewers, hostile origins, lying name servers."""
