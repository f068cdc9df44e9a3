"""I turn bytes into values and back."""
