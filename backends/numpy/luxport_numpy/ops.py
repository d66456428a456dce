"""NumPy's own versions of operations."""
