"""The package's `__init__` adds NumPy's functions to this module."""
