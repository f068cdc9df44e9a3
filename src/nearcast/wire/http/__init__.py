"""HTTP/1.1 heads, ranges, dates and cache fields (RFC 9110, RFC 9111, RFC 9112)."""
