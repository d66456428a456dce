"""Creation, conversion and devices of JAX arrays."""

from __future__ import annotations

from typing import Any

import jax
import jax.core
import jax.dlpack
import jax.numpy as xp
import numpy as np

__all__ = ["asarray", "device_of", "devices", "from_dlpack", "owns_type", "to_numpy"]


def owns_type(array_type: type) -> bool:
    """Return whether a type is JAX's array, or a tracer, which is the placeholder of one."""
    return issubclass(array_type, (jax.Array, jax.core.Tracer))


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new array."""
    place = None if device is None else _find_device(device)
    if owns_type(type(values)):
        array = xp.array(values, dtype=_choose_dtype(values, dtype), copy=True)
        return array if place is None else jax.device_put(array, place)
    values = np.asarray(values)
    # NumPy converts: JAX would compile a conversion for each shape.
    return jax.device_put(np.array(values, dtype=_choose_dtype(values, dtype)), place)


def to_numpy(array: Any) -> Any:
    """Copy an array to a NumPy array."""
    return np.array(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Return an array of another framework's array; if `share`, in the same memory where JAX can."""
    return jax.dlpack.from_dlpack(array, copy=not share)


def devices() -> list[str]:
    """Name the devices: "cpu", "gpu:0", …"""
    found = {*jax.local_devices(), *jax.local_devices(backend="cpu")}
    return sorted([_name_device(device) for device in found], key=lambda name: (not name.startswith("cpu"), name))


def device_of(array: Any) -> str:
    """Name an array's device; of a sharded array the first."""
    device = min(array.devices(), key=lambda device: device.id)
    return _name_device(device)


def _name_device(device: Any) -> str:
    """Name a device; the first of the host is "cpu", as on every backend, and others are "cpu:1", …"""
    number = device.id
    if device.process_index:  # count within the process, as `_find_device` does
        others = jax.local_devices(process_index=device.process_index, backend=device.platform)
        number = others.index(device)
    return "cpu" if device.platform == "cpu" and number == 0 else f"{device.platform}:{number}"


def _choose_dtype(values: Any, dtype: str | None) -> Any:
    """Return the dtype for values, or raise an error: JAX itself would reduce 64 bits to 32 with at most a warning."""
    wanted = xp.dtype(values.dtype if dtype is None else dtype)
    if wanted.name not in _HALVES or jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        return wanted
    half = xp.dtype(_HALVES[wanted.name])
    if dtype is None and half.kind in "iu":
        limits = np.iinfo(half)
        if values.size == 0 or (limits.min <= values.min() and values.max() <= limits.max):
            return half
    raise ValueError(
        f"jax holds {wanted.name} only in 64-bit mode: ask for {half.name!r}, "
        "or jax.config.update('jax_enable_x64', True) first"
    )


_HALVES = {"float64": "float32", "complex128": "complex64", "int64": "int32", "uint64": "uint32"}


def _find_device(name: str) -> Any:
    name = str(name).replace("cuda", "gpu")
    try:
        platform, _, index = name.partition(":")
        return jax.local_devices(backend=platform)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError, TypeError, AttributeError):
        raise ValueError(f"jax has the devices {', '.join(devices())}, got {name!r}") from None
