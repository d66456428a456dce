"""What a backend offers: `Backend`."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Array", "Backend"]


Array: TypeAlias = Any
"""An array of any framework: `numpy.ndarray`, `jax.Array`, `torch.Tensor`, `tensorflow.Tensor`, …"""


@runtime_checkable
class Backend(Protocol):
    """What every backend has. What else it can do it declares in `capabilities`, and has the functions for that."""

    @property
    def name(self) -> str:
        """The name by which users ask for it."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What it can do beyond running layers forward: some of `luxport.backend.CAPABILITIES`."""
        ...

    @property
    def xp(self) -> Any:
        """Its Array API namespace."""
        ...

    @property
    def ops(self) -> Any:
        """Its own versions of functions in `luxport.ops`, by the same names; empty is fine."""
        ...

    def owns_type(self, array_type: type) -> bool:
        """Tell whether values of this type are this backend's arrays."""
        ...

    def asarray(self, values: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        """Copy host values (or one of its own arrays) to a new array; `dtype` is a name such as "float32"."""
        ...

    def to_numpy(self, array: Array) -> Any:
        """Copy to a `numpy.ndarray` on the host."""
        ...

    def from_dlpack(self, array: Array, *, share: bool) -> Array:
        """Take another framework's array through DLPack: a copy, or the same memory if `share`."""
        ...

    def devices(self) -> list[str]:
        """Name the devices that arrays can live on: "cpu", "gpu:0", …"""
        ...

    def device_of(self, array: Array) -> str:
        """Name the device that an array lives on, as `devices` does."""
        ...
