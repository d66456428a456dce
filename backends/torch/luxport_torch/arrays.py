"""Creation, conversion and devices of PyTorch tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from luxport.backend import expect_device, numpy_bfloat16

__all__ = ["asarray", "device_of", "devices", "from_dlpack", "owns_type", "to_numpy"]


def owns_type(array_type: type) -> bool:
    """Return whether a type is PyTorch's tensor or a subclass of it."""
    return issubclass(array_type, torch.Tensor)


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> torch.Tensor:
    """Copy values to a new tensor."""
    wanted = None if dtype is None else getattr(torch, dtype, None)
    if dtype is not None and not isinstance(wanted, torch.dtype):
        raise ValueError(f"torch has no dtype {dtype!r}")
    place = None if device is None else _find_device(device)
    if isinstance(values, torch.Tensor):
        return values.to(dtype=wanted, device=place, copy=True)
    host = np.array(values)
    if host.dtype.name == "bfloat16":  # ml_dtypes' type, which PyTorch does not know: its bits are reinterpreted
        return _move(torch.from_numpy(host.view(np.int16)).view(torch.bfloat16), wanted, place)
    return _move(torch.from_numpy(host), wanted, place)


def to_numpy(array: torch.Tensor) -> Any:
    """Copy a tensor to a NumPy array."""
    host = array.detach().cpu().resolve_conj().resolve_neg()
    if host.dtype == torch.bfloat16:
        return np.array(host.view(torch.int16).numpy()).view(numpy_bfloat16())
    return np.array(host.numpy())


def from_dlpack(array: Any, *, share: bool) -> torch.Tensor:
    """Return a tensor of another framework's array; if `share`, in the same memory."""
    tensor = torch.from_dlpack(array)
    return tensor if share else tensor.clone()


def devices() -> list[str]:
    """Name the devices: "cpu", "gpu:0", …, "mps"."""
    names = [f"gpu:{i}" for i in range(torch.cuda.device_count())]
    return ["cpu", *names] + (["mps"] if torch.backends.mps.is_available() else [])


def device_of(array: torch.Tensor) -> str:
    """Name a tensor's device."""
    return f"gpu:{array.device.index or 0}" if array.device.type == "cuda" else array.device.type


def _move(host: torch.Tensor, dtype: torch.dtype | None, place: torch.device | None) -> torch.Tensor:
    """Convert and move a tensor; to a GPU from pinned memory, so that the copy is asynchronous."""
    if place is None or place.type != "cuda":
        return host.to(dtype=dtype, device=place)
    return host.to(dtype=dtype).pin_memory().to(device=place, non_blocking=True)


def _find_device(name: str) -> torch.device:
    return torch.device(expect_device("torch", name, devices()).replace("gpu", "cuda"))
