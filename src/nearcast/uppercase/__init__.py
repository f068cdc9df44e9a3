"""I return text in capitals over UDP and TCP.

The protocol, with the reasons for its framing, is written down in docs/protocols/uppercase.md.
"""
