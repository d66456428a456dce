"""NumPy's overrides for random bits."""

from luxport.ops.threefry_on_host import random_bits, threefry_2x32

__all__ = ["random_bits", "threefry_2x32"]
