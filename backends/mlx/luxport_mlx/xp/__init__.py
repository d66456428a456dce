# ruff: noqa: F403
"""MLX as a namespace of the Python array API standard: its own functions where they agree, others written here.

MLX has float32, the half types, complex64 and integers. Its float64 runs on the CPU alone, with elementary functions
of float32's precision, and it has no complex128: both are left out. Arrays are not indexed by masks. Functions whose
result has a shape that depends on values (`nonzero`, `unique_values`) read the values.

>>> import mlx.core as mx
>>> from luxport_mlx import xp
>>> xp.sum(mx.array([[1.0, 2.0], [3.0, 4.0]]), axis=-1)
array([3, 7], dtype=float32)
"""

from . import fft as fft
from . import linalg as linalg
from ._creation import *
from ._dtypes import *
from ._elementwise import *
from ._manipulation import *
from ._reductions import *
from ._searching import *

__array_api_version__ = "2024.12"
