"""`jit` and `checkpoint` for JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

from luxport.transforms.program_limit import MOST_PROGRAMS, warn_of_many_programs
from luxport.tree.static import Static, flatten_static, unflatten_static
from luxport_jax.arrays import owns_type
from luxport_jax.dict_order import make_restorer, restore_order, strip_leaves

__all__ = ["checkpoint", "compile_bounded", "hide", "jit"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return f, recomputed in the backward pass with `jax.checkpoint`."""
    return jax.checkpoint(f)


def jit(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile f with `jax.jit` and its options; arguments and results that are not arrays are constants."""
    if "out_shardings" in options:
        options["out_shardings"] = (options["out_shardings"], None)

    programs = 0

    def traced(*args: Any, **kwargs: Any) -> Any:
        nonlocal programs
        programs += 1
        given_args, given_kwargs = _given.get()
        args = tuple(map(restore_order, map(_open, args), given_args))
        result = f(*args, **{name: restore_order(_open(value), given_kwargs[name]) for name, value in kwargs.items()})
        closed = restore_order(jax.tree_util.tree_map(hide, result), strip_leaves(result))
        return closed, _Constant(make_restorer(closed, _find_opening))

    compiled = jax.jit(functools.wraps(f, updated=())(traced), **options)

    def program(*args: Any, **kwargs: Any) -> Any:
        nonlocal programs
        if programs > MOST_PROGRAMS:  # JAX can only drop all programs of a function
            compiled.clear_cache()  # type: ignore[attr-defined]
            programs = 0
            warn_of_many_programs()
        token = _given.set((args, kwargs))
        try:
            result, constant = compiled(*map(hide, args), **{name: hide(value) for name, value in kwargs.items()})
        finally:
            _given.reset(token)
        return result if constant.value is None else constant.value(result)

    return program


def compile_bounded(f: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile an operation with `jax.jit`, but keep at most `MOST_PROGRAMS`, as each shape needs its own program."""
    programs = 0

    @functools.wraps(f)
    def traced(*args: Any, **kwargs: Any) -> Any:
        nonlocal programs
        programs += 1
        return f(*args, **kwargs)

    compiled = jax.jit(traced, **options)

    @functools.wraps(f)
    def operation(*args: Any, **kwargs: Any) -> Any:
        nonlocal programs
        if programs > MOST_PROGRAMS:
            compiled.clear_cache()  # type: ignore[attr-defined]
            programs = 0
        return compiled(*args, **kwargs)

    return operation


_given: ContextVar[tuple[tuple[Any, ...], dict[str, Any]]] = ContextVar("luxport_jax_given")
"""The arguments of the current call, which have dicts in their original order: JAX sorts keys when it traces."""


class _Constant(Static[Any]):
    """A pytree node without leaves that holds an argument or result which is not an array."""

    __slots__ = ()


jax.tree_util.register_pytree_node(_Constant, flatten_static, unflatten_static)


def hide(value: Any) -> Any:
    """Wrap a value that is neither an array nor a tree in a `_Constant`, which JAX makes a constant of the program."""
    if type(value) in _TREES or owns_type(type(value)) or isinstance(value, (np.ndarray, np.generic)):
        return value
    # A type that users registered with JAX as a pytree is a tree, too.
    is_leaf = jax.tree_util.treedef_is_leaf(jax.tree_util.tree_structure(value))
    return _Constant(value) if is_leaf else value


_TREES = (dict, tuple, list, type(None), Static)


def _open(value: Any) -> Any:
    return value.value if isinstance(value, _Constant) else value


def _find_opening(leaf: Any) -> Callable[[Any], Any] | None:
    return _open if isinstance(leaf, _Constant) else None
