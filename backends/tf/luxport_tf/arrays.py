"""Creation, conversion and devices of TensorFlow tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from luxport.backend import expect_device

__all__ = ["asarray", "device_of", "devices", "from_dlpack", "owns_type", "to_numpy"]


def owns_type(array_type: type) -> bool:
    """Return whether a type is TensorFlow's tensor, eager or symbolic, or its variable."""
    return issubclass(array_type, (tf.Tensor, tf.Variable))


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new tensor."""
    wanted = None
    if dtype is not None:
        try:
            wanted = tf.as_dtype(dtype)
        except TypeError:
            raise ValueError(f"tf has no dtype {dtype!r}") from None
    with tf.device(None if device is None else _find_device(device)):
        if owns_type(type(values)):
            return tf.identity(values if wanted is None else tf.cast(values, wanted))
        host = np.asarray(values)
        if wanted is not None and wanted.as_numpy_dtype != host.dtype.type:
            host = host.astype(wanted.as_numpy_dtype)
        return tf.constant(host)


def to_numpy(array: Any) -> Any:
    """Copy a tensor to a NumPy array."""
    return np.array(array.numpy())


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Return a tensor of another framework's array; if `share`, in the same memory where that is possible.

    A buffer that is not aligned to 64 bytes is always copied, because TensorFlow would abort the process.
    """
    view = np.from_dlpack(array)
    if share and view.ctypes.data % 64 == 0 and view.flags.c_contiguous:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(view)


def devices() -> list[str]:
    """Name the devices: "cpu", "gpu:0", …"""
    # Listing logical devices would initialize TensorFlow, after which users could not configure them.
    parts = tf.config.get_logical_device_configuration
    counts = [
        (kind, sum([len(parts(device) or [device]) for device in tf.config.list_physical_devices(kind)]))
        for kind in ("CPU", "GPU")
    ]
    return [_name_device(kind.lower(), i) for kind, count in counts for i in range(count)]


def _name_device(kind: str, index: int) -> str:
    return "cpu" if kind == "cpu" and index == 0 else f"{kind}:{index}"


def device_of(array: Any) -> str:
    """Name a tensor's device."""
    kind, _, index = array.device.rpartition("device:")[2].lower().partition(":")
    return _name_device(kind or "cpu", int(index or 0))


def _find_device(name: str) -> str:
    name = expect_device("tf", name, devices())
    return f"/{name if ':' in name else name + ':0'}".replace("gpu", "GPU").replace("cpu", "CPU")
