"""The NumPy backend: the oracle, and the smallest deployment. It runs everything forward and differentiates nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport_numpy import ops, xp
from luxport_numpy.distributed import start_collectives

__all__ = ["capabilities", "name", "ops", "start_collectives", "xp"]

name = "numpy"

capabilities = frozenset({"sorted keys", "collectives"})  # JAX, which sorts them, takes NumPy's arrays too


def owns_type(array_type: type) -> bool:
    """Return whether a type is NumPy's array, or one of its scalars, which reductions return."""
    return issubclass(array_type, (np.ndarray, np.generic))


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new array."""
    if device not in (None, "cpu"):
        raise ValueError(f"numpy has the devices cpu, got {device!r}")
    if dtype == "bfloat16":
        try:
            import ml_dtypes  # noqa: F401  # NumPy learns of the dtype from it
        except ModuleNotFoundError:
            raise ValueError("numpy has no dtype 'bfloat16' without ml_dtypes: pip install ml_dtypes") from None
    return np.array(values, dtype=dtype)


def to_numpy(array: Any) -> Any:
    """Copy an array."""
    return np.array(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Take another framework's array."""
    shared = np.from_dlpack(array)
    return shared if share else shared.copy()


def devices() -> list[str]:
    """Name the one device."""
    return ["cpu"]


def device_of(array: Any) -> str:
    """Name the one device."""
    return "cpu"
