"""Making, moving and owning MLX arrays."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np

from luxport.backend import expect_device, numpy_bfloat16

__all__ = ["asarray", "device_of", "devices", "from_dlpack", "owns_type", "to_numpy"]


def owns_type(array_type: type) -> bool:
    """Tell whether a type is MLX's array."""
    return issubclass(array_type, mx.array)


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> mx.array:
    """Copy values to a new array. All devices share one memory: a device is checked, and nothing is moved to it."""
    if device is not None:
        expect_device("mlx", device, devices())
    if owns_type(type(values)):
        return mx.array(values) if dtype is None else values.astype(_choose_held(dtype))
    host = np.asarray(values)
    wanted = _choose_held(host.dtype.name if dtype is None else dtype)
    if host.dtype.name == "bfloat16":  # NumPy's extension type: MLX takes its bits
        array = mx.array(host.view(np.uint16)).view(mx.bfloat16)
    elif wanted == mx.bfloat16:
        array = mx.array(np.array(host, np.float32, order="C"))
    else:
        array = mx.array(np.array(host, str(wanted).rpartition(".")[2], order="C"))
    array = array.astype(wanted)
    mx.eval(array)  # now, as another thread may read it
    return array


def to_numpy(array: mx.array) -> Any:
    """Copy to the host."""
    if array.dtype == mx.bfloat16:
        return np.array(array.view(mx.uint16)).view(numpy_bfloat16())
    return np.array(array)


def from_dlpack(array: Any, *, share: bool) -> mx.array:
    """Copy another framework's array: MLX shares its memory with none.

    Raises: BufferError if it is to be shared
    """
    if share:
        raise BufferError("mlx takes no memory of others")
    return mx.from_dlpack(array, copy=True)


def devices() -> list[str]:
    """Name the devices: "cpu", "gpu:0", …"""
    return ["cpu", *[f"gpu:{i}" for i in range(mx.device_count(mx.gpu))]]


def device_of(array: mx.array) -> str:
    """Name the device on which operations run: an array is on all of them."""
    device: Any = mx.default_device()
    return "cpu" if device.type == mx.cpu else f"gpu:{device.index}"


def _choose_held(dtype: str) -> mx.Dtype:
    name = "bool_" if dtype == "bool" else dtype
    wanted = getattr(mx, name, None)
    if dtype in _NARROWER or not isinstance(wanted, mx.Dtype):
        instead = f": ask for {_NARROWER[dtype]!r}" if dtype in _NARROWER else ""
        raise ValueError(f"mlx has no dtype {dtype!r}{instead}")
    return wanted


_NARROWER = {"float64": "float32", "complex128": "complex64"}
"""Dtypes that MLX lacks (complex128), or has on the CPU alone and with imprecise functions (float64): the next best."""
