"""The NumPy backend: the reference of tests, and the smallest deployment. It runs models forward, without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_numpy import ops, xp
from luxport_numpy.distributed import start_collectives

__all__ = ["capabilities", "name", "ops", "start_collectives", "xp"]

name = "numpy"

capabilities = frozenset({"sorted keys", "collectives"})  # because JAX, which sorts keys, accepts NumPy's arrays


def owns_type(array_type: type) -> bool:
    """Return whether a type is NumPy's array, or one of its scalars, which reductions return."""
    return issubclass(array_type, (np.ndarray, np.generic))


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new array."""
    if device not in (None, "cpu"):
        raise ValueError(f"numpy has the devices cpu, got {device!r}")
    if dtype == "bfloat16":
        try:
            import ml_dtypes  # noqa: F401  # which registers the dtype with NumPy
        except ModuleNotFoundError:
            raise ValueError("numpy has no dtype 'bfloat16' without ml_dtypes: pip install ml_dtypes") from None
    return np.array(values, dtype=dtype)


def to_numpy(array: Any) -> Any:
    """Copy an array."""
    return np.array(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Return an array of another framework's array; if `share`, in the same memory."""
    shared = np.from_dlpack(array)
    return shared if share else shared.copy()


def devices() -> list[str]:
    """Name the one device."""
    return ["cpu"]


def device_of(array: Any) -> str:
    """Name the one device."""
    return "cpu"
