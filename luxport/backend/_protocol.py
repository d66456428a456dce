"""What a backend offers: `Backend`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

__all__ = ["Array", "Backend"]


Array: TypeAlias = Any
"""An array of any framework: `numpy.ndarray`, `jax.Array`, `torch.Tensor`, `tensorflow.Tensor`, …"""


@runtime_checkable
class Backend(Protocol):
    """What a backend offers. What it cannot do raises an error that says so and names who can."""

    @property
    def name(self) -> str:
        """The name by which users ask for it."""
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

    def value_and_grad(
        self, f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool
    ) -> Callable[..., Any]:
        """Differentiate a scalar function of trees with respect to the trees at `argnums`."""
        ...

    def vjp(self, f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
        """Evaluate f and return the function that pulls a cotangent back to the arguments."""
        ...

    def jvp(self, f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
        """Evaluate f and push tangents forward."""
        ...

    def jacobian(self, f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
        """Differentiate every output of f with respect to every entry of one argument."""
        ...

    def stop_gradient(self, array: Array) -> Array:
        """Return the same values, constant under differentiation."""
        ...

    def jit(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """Compile a function of trees."""
        ...
