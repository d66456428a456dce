"""`Backend`: the protocol that every backend implements."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Array", "Backend"]


Array: TypeAlias = Any
"""An array of any framework: `numpy.ndarray`, `jax.Array`, `torch.Tensor`, `tensorflow.Tensor`, …"""


@runtime_checkable
class Backend(Protocol):
    """What every backend has; optional functions are declared in `capabilities`, see `CAPABILITIES`."""

    @property
    def name(self) -> str:
        """The name by which users choose it, such as "torch"."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """The optional capabilities it has, names among `luxport.backend.CAPABILITIES`."""
        ...

    @property
    def xp(self) -> Any:
        """Its Array API namespace."""
        ...

    @property
    def ops(self) -> Any:
        """An object with its own versions of functions in `luxport.ops`, under the same names; it may be empty."""
        ...

    def owns_type(self, array_type: type) -> bool:
        """Return whether values of this type are this backend's arrays."""
        ...

    def asarray(self, values: Any, *, dtype: str | None = None, device: str | None = None) -> Array:
        """Copy values on the host, or one of its own arrays, to a new array; `dtype` is a name such as "float32"."""
        ...

    def to_numpy(self, array: Array) -> Any:
        """Copy an array to a `numpy.ndarray` on the host."""
        ...

    def from_dlpack(self, array: Array, *, share: bool) -> Array:
        """Convert another framework's array through DLPack, sharing its memory if `share`, else copying."""
        ...

    def devices(self) -> list[str]:
        """Return the names of the devices that can hold arrays: "cpu", "gpu:0", …"""
        ...

    def device_of(self, array: Array) -> str:
        """Return the name of an array's device, as `devices` writes it."""
        ...
