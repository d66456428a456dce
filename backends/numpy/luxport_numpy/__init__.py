"""The NumPy backend: the oracle, and the smallest deployment. It runs everything forward and differentiates nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import array_api_compat.numpy as xp
import numpy as np

from luxport.transforms._custom_gradient import CustomGradient
from luxport_numpy import ops

__all__ = ["name", "ops", "sorts_keys", "xp"]

name = "numpy"

sorts_keys = True  # JAX takes NumPy's arrays too


def owns_type(array_type: type) -> bool:
    """Own arrays and NumPy's scalars, which reductions return."""
    return issubclass(array_type, (np.ndarray, np.generic))


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new array."""
    if device not in (None, "cpu"):
        raise ValueError(f"numpy has the device 'cpu', got {device!r}")
    if dtype == "bfloat16":
        try:
            import ml_dtypes  # noqa: F401  # NumPy learns of the dtype from it
        except ModuleNotFoundError:
            raise ValueError("numpy has no dtype 'bfloat16' without ml_dtypes: pip install ml_dtypes") from None
    return np.array(values, dtype=dtype)


def to_numpy(array: Any) -> Any:
    """Copy."""
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


def stop_gradient(array: Any) -> Any:
    """Return it: everything is constant here."""
    return array


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Run the function: there are no gradients here."""
    return rule.f(*args)


def jit(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return f: NumPy has no compiler."""
    return f


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Refuse."""
    return _refuse


def vjp(f: Callable[..., Any], *primals: Any) -> NoReturn:
    """Refuse."""
    _refuse()


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> NoReturn:
    """Refuse."""
    _refuse()


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Refuse."""
    return _refuse


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    raise TypeError(
        "numpy differentiates nothing: use arrays of jax, torch or tf, for instance luxport.setup(..., backend='torch')"
    )
