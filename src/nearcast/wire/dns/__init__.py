"""DNS messages, names and record sets (RFC 1035, RFC 6891, RFC 7871)."""
