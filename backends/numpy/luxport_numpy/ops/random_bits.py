"""Random bits by NumPy."""

from luxport.host_bits import random_bits, threefry_2x32

__all__ = ["random_bits", "threefry_2x32"]
