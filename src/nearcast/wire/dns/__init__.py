"""I turn DNS messages into values and back: names, questions, RRsets, replies, zones (RFC 1034, 1035)."""
