"""NumPy's Array API namespace: `array_api_compat.numpy`, in which products of bfloat16 arrays are bfloat16.

For the dtype bfloat16 of ml_dtypes, NumPy's `matmul` and `vecdot` return float32.
"""

# pyright: reportWildcardImportFromLibrary=false, reportUnsupportedDunderAll=false
from __future__ import annotations

from typing import Any

import array_api_compat.numpy
from array_api_compat.numpy import *  # noqa: F403

from luxport.backend.host_bfloat16 import call_in_single, find_host_bfloat16

__all__ = list(array_api_compat.numpy.__all__)

__array_api_version__ = array_api_compat.numpy.__array_api_version__
__array_namespace_info__ = array_api_compat.numpy.__array_namespace_info__


def matmul(x1: Any, x2: Any, /, **options: Any) -> Any:
    """Return the product of matrices."""
    return _multiply(array_api_compat.numpy.matmul, x1, x2, options)


def vecdot(x1: Any, x2: Any, /, **options: Any) -> Any:
    """Return the sums of products along an axis."""
    return _multiply(array_api_compat.numpy.vecdot, x1, x2, options)


def _multiply(multiply: Any, x1: Any, x2: Any, options: dict[str, Any]) -> Any:
    half = find_host_bfloat16((x1, x2))
    return multiply(x1, x2, **options) if half is None else call_in_single(multiply, (x1, x2), options, half)
