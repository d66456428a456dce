"""NumPy's own versions of operations, one file a family."""
