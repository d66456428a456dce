"""Loops for JAX: `scan`, and loops over stacked layers and over steps."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.core
import jax.extend.core
import numpy as np

from luxport_jax.dict_order import restore_order, strip_leaves
from luxport_jax.free_loops import scan_free_length

__all__ = ["loop_steps", "scan", "scan_layers"]


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, length: int | None, reverse: bool
) -> tuple[Any, Any]:
    """Loop with `jax.lax.scan`, or with `scan_free_length` if the number of rows is symbolic."""
    order: Any = None

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        nonlocal order
        carry, y = f(restore_order(carry, init), restore_order(x, xs))
        order = strip_leaves(y)
        return carry, y

    rows = [leaf.shape[0] for leaf in jax.tree.leaves(xs)]
    if rows and not isinstance(rows[0], int):
        carry, ys = scan_free_length(step, init, xs, reverse)
    else:
        carry, ys = jax.lax.scan(step, init, xs, length=length, reverse=reverse)
    return restore_order(carry, init), restore_order(ys, order)


@functools.partial(jax.jit, static_argnums=(0, 3))
def scan_layers(step: Callable[[Any, Any], tuple[Any, Any]], x: Any, stacks: Any, length: int) -> tuple[Any, Any]:
    """Loop with `jax.lax.scan` over stacked layers; with `jax.jit`, so that eager calls compile once."""
    # Traced first, so that an error in the step is raised as it is, and not as an error of `scan` about its carry.
    program = jax.make_jaxpr(step)(x, jax.tree.map(lambda stack: stack[0], stacks))
    return jax.lax.scan(step, x, stacks, length=length, unroll=_is_slow(program.jaxpr))


def loop_steps(
    f: Callable[[Any, Any], tuple[Any, Any, Any]], carry: Any, parts: Sequence[Any]
) -> tuple[Any, Any, list[Any]] | None:
    """Loop over `parts` with `jax.lax.scan`; return None outside a program, or if steps have different shapes."""
    leaves = jax.tree.leaves((carry, parts))
    if not any([isinstance(leaf, jax.core.Tracer) for leaf in leaves]) or not _are_arrays(leaves):
        return None
    if any([_tell_kinds(part) != _tell_kinds(parts[0]) for part in parts]):
        return None
    order: Any = None

    def step(carry_then: Any, part: Any) -> Any:
        nonlocal order
        found = f(restore_order(carry_then, carry), restore_order(part, parts[0]))
        if not _are_arrays(jax.tree.leaves(found)):
            raise _NotAlike
        order = strip_leaves(found)
        return found

    try:
        # The step is traced here once; the loop evaluates the result.
        program, shapes = jax.make_jaxpr(step, return_shape=True)(carry, parts[0])
    except _NotAlike:
        return None
    if _tell_kinds(shapes[0]) != _tell_kinds(carry) or _is_slow(program.jaxpr):
        return None
    structure = jax.tree.structure(shapes)

    def turn(before: Any, part: Any) -> Any:
        carry, total = before
        found = jax.core.eval_jaxpr(program.jaxpr, program.consts, *jax.tree.leaves((carry, part)))
        carry, terms, out = jax.tree.unflatten(structure, found)
        return (carry, jax.tree.map(jax.numpy.add, total, terms)), out

    zeros = jax.tree.map(lambda leaf: jax.numpy.zeros(leaf.shape, leaf.dtype), shapes[1])
    stacked = jax.tree.map(lambda *leaves: jax.numpy.stack(leaves), *parts)
    (last, total), outs = jax.lax.scan(turn, (carry, zeros), stacked)
    each = [jax.tree.map(lambda leaf, i=i: leaf[i], outs) for i in range(len(parts))]
    return restore_order(last, order[0]), restore_order(total, order[1]), [restore_order(out, order[2]) for out in each]


def _is_slow(program: Any) -> bool:
    """Return whether a step has a convolution, on a CPU: XLA makes it 5 to 20 times as slow in a loop."""
    return jax.default_backend() == "cpu" and _convolves(program)


def _convolves(program: Any) -> bool:
    return any(
        [
            eqn.primitive.name == "conv_general_dilated" or any(map(_convolves, _list_programs(eqn.params)))
            for eqn in program.eqns
        ]
    )


def _list_programs(params: dict[str, Any]) -> list[Any]:
    """List the programs among an equation's parameters. JAX's own function for this has moved between versions."""
    values = [one for value in params.values() for one in (value if isinstance(value, (tuple, list)) else (value,))]
    closed = [one.jaxpr for one in values if isinstance(one, jax.extend.core.ClosedJaxpr)]
    return closed + [one for one in values if isinstance(one, jax.extend.core.Jaxpr)]


class _NotAlike(Exception):
    """Raised if a step returns a leaf that is not an array."""


def _are_arrays(leaves: list[Any]) -> bool:
    return all([isinstance(leaf, (jax.Array, np.ndarray)) for leaf in leaves])


def _tell_kinds(values: Any) -> Any:
    leaves, structure = jax.tree.flatten(values)
    return structure, [(leaf.dtype, leaf.shape) for leaf in leaves]
