"""Filled from NumPy by the package."""
