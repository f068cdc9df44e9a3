"""I find answers for a viewer's host, from the root down."""
