"""The JAX backend. It never changes JAX's global configuration: 64 bits stay the user's choice."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import jax
import jax.core
import jax.dlpack
import jax.dtypes
import jax.export
import jax.numpy as xp
import numpy as np

from luxport import tree
from luxport.core.flat import FlatParameters, flatten_view
from luxport.transforms._custom_gradient import CustomCall, CustomGradient
from luxport.transforms.program_limit import MOST_PROGRAMS, warn_of_many_programs
from luxport.tree.static import Static, flatten_static, unflatten_static
from luxport_jax import ops
from luxport_jax.distributed import parallel_program, start_collectives, start_devices
from luxport_jax.keys import draw_later, key_words
from luxport_jax.order import as_given, restoring, skeleton

__all__ = [
    "capabilities",
    "draw_later",
    "key_words",
    "name",
    "ops",
    "parallel_program",
    "start_collectives",
    "start_devices",
    "xp",
]

name = "jax"

capabilities = frozenset(
    {
        "gradients",
        "custom gradients",
        "compiler",
        "scan",
        "checkpoint",
        "own keys",
        "sorted keys",
        "donation",
        "collectives",
        "parallel program",
    }
)

jax.tree_util.register_pytree_node(Static, flatten_static, unflatten_static)
# What an exported program keeps of a `Static` in its arguments: the value, if it is a plain one.
jax.export.register_pytree_node_serialization(
    Static,
    serialized_name="luxport.Static",
    serialize_auxdata=lambda static: repr(static.value).encode(),
    deserialize_auxdata=lambda text: Static(ast.literal_eval(text.decode())),
    from_children=lambda aux_data, children: aux_data,
)
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
    found = {*jax.local_devices(), *jax.local_devices(backend="cpu")}
    return sorted([_device_name(device) for device in found], key=lambda name: (not name.startswith("cpu"), name))


def device_of(array: Any) -> str:
    """Name an array's device, or the first of those that it is spread over."""
    device = min(array.devices(), key=lambda device: device.id)
    return _device_name(device)


def _device_name(device: Any) -> str:
    """The first of the host's is "cpu", as on every backend; it may be told to have more, "cpu:1", …"""
    number = device.id
    if device.process_index:  # of several processes each counts its own devices, as `_device` does
        others = jax.local_devices(process_index=device.process_index, backend=device.platform)
        number = others.index(device)
    return "cpu" if device.platform == "cpu" and number == 0 else f"{device.platform}:{number}"


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate by `jax.value_and_grad`; of complex arrays the gradient is the direction of ascent."""

    def transformed(*args: Any, **kwargs: Any) -> Any:
        kept = _Kept(f, args)
        value, gradient = jax.value_and_grad(kept, argnums, has_aux=has_aux)(*args, **kwargs)
        wrt = args[argnums] if isinstance(argnums, int) else tuple([args[i] for i in argnums])
        return as_given(value, kept.order), as_given(_conjugate_all(gradient), wrt)

    return transformed


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate by `jax.vjp`."""
    kept = _Kept(f, primals)
    y, pull = jax.vjp(kept, *primals)
    return as_given(y, kept.order), lambda cotangent: as_given(_conjugate_all(pull(_conjugate_all(cotangent))), primals)


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate by `jax.jvp`."""
    kept = _Kept(f, primals)
    y, tangent = jax.jvp(kept, primals, tangents)
    return as_given(y, kept.order), as_given(tangent, kept.order)


class _Kept:
    """A function that sees its arguments in the order in which they were given, and keeps that of its result."""

    def __init__(self, f: Callable[..., Any], given: tuple[Any, ...]) -> None:
        self.f = f
        self.given = given
        self.order: Any = None
        functools.update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        result = self.f(*map(as_given, args, self.given), **kwargs)
        self.order = skeleton(result)
        return result


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Differentiate by `jax.jacrev`."""

    def transformed(*args: Any) -> Any:
        structure, outside = tree.structure(args[argnums]), None

        def of_leaves(leaves: list[Any]) -> list[Any]:
            nonlocal outside
            replaced = list(args)
            replaced[argnums] = tree.unflatten(structure, iter(leaves))
            y = f(*replaced)
            outside = tree.structure(y)
            return tree.leaves(y)

        rows = jax.jacrev(of_leaves)(tree.leaves(args[argnums]))
        return tree.unflatten(outside, iter([tree.unflatten(structure, iter(row)) for row in rows]))

    return transformed


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


def _conjugate_all(cotangents: Any) -> Any:
    """Turn JAX's cotangents of complex arrays in a tree into those of the other frameworks, or back."""
    if any([leaf.dtype.kind == "c" for leaf in jax.tree_util.tree_leaves(cotangents)]):
        return jax.tree_util.tree_map(_conjugate, cotangents)
    return cotangents


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
    order: Any = None

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        nonlocal order
        carry, y = f(as_given(carry, init), as_given(x, xs))
        order = skeleton(y)
        return carry, y

    carry, ys = jax.lax.scan(step, init, xs, length=length, reverse=reverse)
    return as_given(carry, init), as_given(ys, order)


def jit(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile by `jax.jit` and its options; arguments and results that are no arrays become part of the program."""
    if "out_shardings" in options:
        options["out_shardings"] = (options["out_shardings"], None)

    programs = 0

    def traced(*args: Any, **kwargs: Any) -> Any:
        nonlocal programs
        programs += 1
        given_args, given_kwargs = _given.get()
        args = tuple(map(as_given, map(_open, args), given_args))
        result = f(*args, **{name: as_given(_open(value), given_kwargs[name]) for name, value in kwargs.items()})
        closed = as_given(jax.tree_util.tree_map(close, result), skeleton(result))
        return closed, _Constant(restoring(closed, _opening))

    compiled = jax.jit(functools.wraps(f, updated=())(traced), **options)

    def program(*args: Any, **kwargs: Any) -> Any:
        nonlocal programs
        if programs > MOST_PROGRAMS:  # JAX can only forget all of a function's
            compiled.clear_cache()  # type: ignore[attr-defined]
            programs = 0
            warn_of_many_programs()
        token = _given.set((args, kwargs))
        try:
            result, constant = compiled(*map(close, args), **{name: close(value) for name, value in kwargs.items()})
        finally:
            _given.reset(token)
        return result if constant.value is None else constant.value(result)

    return program


_given: ContextVar[tuple[tuple[Any, ...], dict[str, Any]]] = ContextVar("luxport_jax_given")
"""What a program is called with: as it is traced, the order of dicts is read there."""


class _Constant(Static[Any]):
    """A value of ours in place of an argument or a result that is no array."""

    __slots__ = ()


jax.tree_util.register_pytree_node(_Constant, flatten_static, unflatten_static)


def close(value: Any) -> Any:
    if type(value) in _TREES or owns_type(type(value)) or isinstance(value, (np.ndarray, np.generic)):
        return value
    # What someone has registered with JAX is a tree, too.
    is_leaf = jax.tree_util.treedef_is_leaf(jax.tree_util.tree_structure(value))
    return _Constant(value) if is_leaf else value


_TREES = (dict, tuple, list, type(None), Static)


def _open(value: Any) -> Any:
    return value.value if isinstance(value, _Constant) else value


def _opening(leaf: Any) -> Callable[[Any], Any] | None:
    return _open if isinstance(leaf, _Constant) else None


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
    try:
        platform, _, index = name.partition(":")
        return jax.local_devices(backend=platform)[int(index or 0)]
    except (RuntimeError, IndexError, ValueError, TypeError, AttributeError):
        raise ValueError(f"jax has the devices {', '.join(devices())}, got {name!r}") from None
