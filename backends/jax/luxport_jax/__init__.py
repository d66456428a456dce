"""The JAX backend. It never changes JAX's global configuration: 64 bits stay the user's choice."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.core
import jax.dlpack
import jax.dtypes
import jax.numpy as xp
import numpy as np

from luxport.custom_gradient import CustomCall, CustomGradient
from luxport.flat import FlatParameters, flatten_view
from luxport.static import Static, flatten_static, unflatten_static
from luxport_jax import ops

__all__ = ["name", "ops", "xp"]

name = "jax"

jax.tree_util.register_pytree_node(Static, flatten_static, unflatten_static)
jax.tree_util.register_pytree_node(FlatParameters, flatten_view, FlatParameters.from_child)


def owns_type(array_type: type) -> bool:
    """Own arrays and the tracers that stand for them."""
    return issubclass(array_type, (jax.Array, jax.core.Tracer))


def asarray(values: Any, *, dtype: str | None = None, device: str | None = None) -> Any:
    """Copy values to a new array."""
    place = None if device is None else _device(device)
    if owns_type(type(values)):
        array = xp.array(values, dtype=_held(values, dtype), copy=True)
        return array if place is None else jax.device_put(array, place)
    values = np.asarray(values)
    # Converted here and not by JAX, which compiles a conversion for each shape.
    return jax.device_put(np.array(values, dtype=_held(values, dtype)), place)


def to_numpy(array: Any) -> Any:
    """Copy to the host."""
    return np.array(array)


def from_dlpack(array: Any, *, share: bool) -> Any:
    """Take another framework's array."""
    return jax.dlpack.from_dlpack(array, copy=not share)


def devices() -> list[str]:
    """Name the devices: "cpu", "gpu:0", …"""
    names = [f"{device.platform}:{device.id}" for device in jax.devices()]
    return ["cpu"] + [name for name in names if not name.startswith("cpu")]


def device_of(array: Any) -> str:
    """Name an array's device, or the first of those that it is spread over."""
    device = min(array.devices(), key=lambda device: device.id)
    return "cpu" if device.platform == "cpu" else f"{device.platform}:{device.id}"


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate by `jax.value_and_grad`."""
    return jax.value_and_grad(f, argnums, has_aux=has_aux)


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate by `jax.vjp`."""
    return jax.vjp(f, *primals)


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate by `jax.jvp`."""
    return jax.jvp(f, primals, tangents)


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Differentiate by `jax.jacrev`."""
    return jax.jacrev(f, argnums)


def stop_gradient(array: Any) -> Any:
    """Cut the gradient."""
    return jax.lax.stop_gradient(array)


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Differentiate by `jax.custom_vjp`."""
    call = CustomCall(rule, args)
    program = jax.custom_vjp(call.value)

    def backward(kept: tuple[Any, ...], cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(_conjugate, call.pull(kept, tuple(map(_conjugate, cotangents)))))

    program.defvjp(call.value_and_kept, backward)
    return call.result(program(*call.arrays))


def _conjugate(cotangent: Any) -> Any:
    """Turn JAX's cotangent of a complex array into that of the other frameworks, or back; of an integer into None."""
    if cotangent is None or cotangent.dtype == jax.dtypes.float0:
        return None
    return xp.conj(cotangent) if xp.iscomplexobj(cotangent) else cotangent


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Recompute by `jax.checkpoint`."""
    return jax.checkpoint(f)


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool
) -> tuple[Any, Any]:
    """Loop by `jax.lax.scan`."""
    return jax.lax.scan(f, init, xs, length=length, reverse=reverse)


def jit(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile by `jax.jit` and its options; arguments and results that are no arrays become part of the program."""
    returns_constants = False

    def traced(*args: Any, **kwargs: Any) -> Any:
        nonlocal returns_constants
        result = f(*map(_open, args), **{name: _open(value) for name, value in kwargs.items()})
        closed = jax.tree_util.tree_map(_close, result)
        returns_constants |= any(map(_is_constant, jax.tree_util.tree_leaves(closed, is_leaf=_is_constant)))
        return closed

    compiled = jax.jit(functools.wraps(f, updated=())(traced), **options)

    def program(*args: Any, **kwargs: Any) -> Any:
        result = compiled(*map(_close, args), **{name: _close(value) for name, value in kwargs.items()})
        return jax.tree_util.tree_map(_open, result, is_leaf=_is_constant) if returns_constants else result

    return program


class _Constant(Static[Any]):
    """A value of ours in place of an argument or a result that is no array."""

    __slots__ = ()


jax.tree_util.register_pytree_node(_Constant, flatten_static, unflatten_static)


def _close(value: Any) -> Any:
    if type(value) in _TREES or owns_type(type(value)) or isinstance(value, (np.ndarray, np.generic)):
        return value
    # What someone has registered with JAX is a tree, too.
    is_leaf = jax.tree_util.treedef_is_leaf(jax.tree_util.tree_structure(value))
    return _Constant(value) if is_leaf else value


_TREES = (dict, tuple, list, type(None), Static)


def _open(value: Any) -> Any:
    return value.value if isinstance(value, _Constant) else value


def _is_constant(value: Any) -> bool:
    return isinstance(value, _Constant)


def _held(values: Any, dtype: str | None) -> Any:
    """Return the dtype to hold values in; JAX alone would cut 64 bits in half with at most a warning."""
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


def _device(name: str) -> Any:
    platform, _, index = name.partition(":")
    try:
        return jax.devices(platform)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError):
        raise ValueError(f"jax has the devices {', '.join(devices())}, got {name!r}") from None
