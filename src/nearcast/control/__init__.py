"""I turn intent into a checked Snapshot and hand it out.

Today: I show how the CDN is and pass on orders (warm, purge). I never stand in the content path.
"""
