"""Differentiation with JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import jax
import jax.core
import jax.dtypes
import jax.numpy as xp

from luxport import tree
from luxport.transforms._custom_gradient import CustomCall, CustomGradient
from luxport_jax.dict_order import restore_order, strip_leaves

__all__ = ["are_constants", "custom_vjp", "jacobian", "jvp", "stop_gradient", "value_and_grad", "vjp"]


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...], has_aux: bool) -> Callable[..., Any]:
    """Differentiate with `jax.value_and_grad`; gradients of complex arrays are conjugated, to point uphill."""

    def transformed(*args: Any, **kwargs: Any) -> Any:
        kept = _Kept(f, args)
        value, gradient = jax.value_and_grad(kept, argnums, has_aux=has_aux)(*args, **kwargs)
        wrt = args[argnums] if isinstance(argnums, int) else tuple([args[i] for i in argnums])
        return restore_order(value, kept.order), restore_order(_separate(_conjugate_all(gradient)), wrt)

    return transformed


def vjp(f: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """Differentiate with `jax.vjp`."""
    kept = _Kept(f, primals)
    y, pull = jax.vjp(kept, *primals)

    def pulled(cotangent: Any) -> tuple[Any, ...]:
        return restore_order(_separate(_conjugate_all(pull(_conjugate_all(cotangent)))), primals)

    return restore_order(y, kept.order), pulled


def _separate(gradient: Any) -> Any:
    """Copy arrays that occur twice: if gradients are equal, JAX may return one array, and `flatten` would share it."""
    leaves = jax.tree.leaves(gradient)
    if len({*map(id, leaves)}) == len(leaves):
        return gradient
    seen: set[int] = set()

    def own(leaf: Any) -> Any:
        if id(leaf) in seen and leaf.dtype != jax.dtypes.float0:
            return xp.copy(leaf)
        seen.add(id(leaf))
        return leaf

    return jax.tree.map(own, gradient)


def jvp(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """Differentiate with `jax.jvp`, or, as a `custom_vjp` has no forward-mode rule, with `jax.vjp` twice."""
    kept = _Kept(f, primals)
    token = _pushing.set(True)
    try:
        y, tangent = jax.jvp(kept, primals, tangents)
    except _NoForwardRuleError:
        _pushing.set(False)
        # The vjp is linear in its cotangent, and its transpose is the jvp.
        y, pull = jax.vjp(kept, *primals)
        _, push = jax.vjp(pull, jax.tree.map(xp.zeros_like, y))
        (tangent,) = push(tuple(tangents))
    finally:
        _pushing.reset(token)
    return restore_order(y, kept.order), restore_order(tangent, kept.order)


_pushing: ContextVar[bool] = ContextVar("luxport_jax_pushing", default=False)


class _NoForwardRuleError(Exception):
    """Raised inside a `jvp` whose function has a `custom_vjp`."""


class _Kept:
    """Wraps f: restores the order of dicts in its arguments, and stores the order of dicts in its result."""

    def __init__(self, f: Callable[..., Any], given: tuple[Any, ...]) -> None:
        self.f = f
        self.given = given
        self.order: Any = None
        functools.update_wrapper(self, f, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call f with restored arguments."""
        result = self.f(*map(restore_order, args, self.given), **kwargs)
        self.order = strip_leaves(result)
        return result


def jacobian(f: Callable[..., Any], argnums: int) -> Callable[..., Any]:
    """Differentiate with `jax.jacrev`."""

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
    """Return the array, through which no gradient flows."""
    return jax.lax.stop_gradient(array)


def are_constants(arrays: Sequence[Any]) -> bool:
    """Return whether arrays have values, and are not tracers of a derivative or a program."""
    return not any([isinstance(array, jax.core.Tracer) for array in arrays])


def custom_vjp(rule: CustomGradient, args: tuple[Any, ...]) -> Any:
    """Call a function whose gradient is given by a rule, with `jax.custom_vjp`."""
    if _pushing.get():
        raise _NoForwardRuleError
    call = CustomCall(rule, args)
    program = jax.custom_vjp(call.value)

    def backward(kept: tuple[Any, ...], cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(_conjugate, call.pull(kept, tuple(map(_conjugate, cotangents)))))

    program.defvjp(call.value_and_kept, backward)
    return call.result(program(*call.arrays))


def _conjugate_all(cotangents: Any) -> Any:
    """Convert JAX's cotangents of complex arrays in a tree into those of the other frameworks, or back."""
    if any([leaf.dtype.kind == "c" for leaf in jax.tree_util.tree_leaves(cotangents)]):
        return jax.tree_util.tree_map(_conjugate, cotangents)
    return cotangents


def _conjugate(cotangent: Any) -> Any:
    """Convert JAX's cotangent of a complex array into that of the other frameworks, or back; None for an integer."""
    if cotangent is None or cotangent.dtype == jax.dtypes.float0:
        return None
    return xp.conj(cotangent) if xp.iscomplexobj(cotangent) else cotangent
