"""JAX's own versions of operations."""
