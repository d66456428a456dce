"""Loops that can be differentiated and compiled: `scan`."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any

from luxport import tree
from luxport.backend import backend_of, can, default_backend, dtype_name, find_owner, is_casting, match_shapes
from luxport.call_arguments import expect_function, explain_call_errors
from luxport.errors import shape_text
from luxport.text import name_kind, show

__all__ = ["scan", "unroll_scan"]


@explain_call_errors
def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: tree.Tree,
    *,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Loop over the first axis of xs with a carry: ``carry, y = f(carry, x)`` for each slice x in turn.

    Returns the last carry, and the slices y stacked along a new first axis. `init`, `xs` and what f returns are trees;
    the carry keeps its structure, shapes and dtypes. Without `xs`, `length` is the number of steps, and x is None.

    JAX compiles f once for all steps, and so does TensorFlow inside `tf.function`, where the length need not be known;
    elsewhere, and for forward-mode gradients on TensorFlow, this is a loop in Python. (Outside `jit`, JAX recompiles
    for each new function object f.)

    Args:
        f: a function ``(carry, x) -> (carry, y)``
        init: the carry before the first step
        xs: a tree of arrays with first axes of one size; None if f takes no slices
        length: how many steps there are, if `xs` is None
        reverse: whether the steps go from the last slice to the first; each y stays in its slice's place

    Shapes: xs (T, ...) -> carry like init, ys (T, ...)
    Raises: ValueError if the first axes of xs differ from each other or from `length`, or if there is neither;
            TypeError if f does not return a pair, or changes the kind of the carry

    >>> import luxport
    >>> x = luxport.asarray([1.0, 2.0, 3.0])
    >>> total, sums = scan(lambda total, x: (total + x, total + x), 0.0 * x[0], x)
    >>> float(total), sums
    (6.0, array([1., 3., 6.], dtype=float32))
    """
    expect_function("scan", f)
    for leaf in tree.leaves(init):
        if find_owner(type(leaf)) is None and not isinstance(leaf, Number):
            raise TypeError(f"scan expects init as a tree of arrays, got {show(leaf)} in it")
    length = _count_steps(xs, length)
    checked = False

    def step(carry: Any, x: Any) -> tuple[Any, Any]:
        nonlocal checked
        result = f(carry, x)
        if not checked:  # once: a loop in Python calls this for each step
            if not (isinstance(result, tuple) and len(result) == 2):
                raise TypeError(f"scan expects a pair (carry, y) from its function, got {name_kind(result)}")
            tree.map(_expect_kept, init, result[0])
            checked = True
        return result

    arrays = [leaf for leaf in tree.leaves((init, xs)) if find_owner(type(leaf)) is not None]
    backend: Any = backend_of(*arrays) if arrays else default_backend()
    loop = backend.scan if can(backend, "scan") else unroll_scan
    return loop(step, init, xs, length, reverse)


def unroll_scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: tree.Tree, length: int | None, reverse: bool
) -> tuple[Any, Any]:
    """Scan by a loop in Python, for backends without a loop of their own.

    Raises: ValueError if the length is not known
    """
    if length is None:
        raise ValueError("scan expects a first axis whose size is known here, got an unknown one")
    if length == 0:
        return init, tree.map(lambda leaf: _stack([leaf])[:0, ...], f(init, tree.map(_make_zero_slice, xs))[1])
    # Unstacked once, not sliced at each step: the gradient of each slice would be as large as the whole array.
    columns = [backend_of(leaf).xp.unstack(leaf, axis=0) for leaf in tree.leaves(xs)]
    structure = tree.structure(xs)
    carry, ys = init, []
    for t in reversed(range(length)) if reverse else range(length):
        carry, y = f(carry, tree.unflatten(structure, iter([column[t] for column in columns])))
        ys.append(y)
    return carry, tree.map(lambda *leaves: _stack(leaves), *(reversed(ys) if reverse else ys))


def _expect_kept(before: Any, after: Any) -> None:
    """Expect an array of the carry to keep shape and dtype in a step; a number may become an array."""
    if isinstance(before, Number) or isinstance(after, Number):
        return
    if find_owner(type(after)) is None:
        raise TypeError(
            f"scan expects a carry of arrays like the one before, got {name_kind(after)} in place of an array"
        )
    if not match_shapes(before.shape, after.shape) or (before.dtype != after.dtype and not is_casting(before, after)):
        kinds = [f"{dtype_name(x)} {shape_text(x)}" for x in (before, after)]
        raise TypeError(f"scan expects a carry that keeps its shapes and dtypes, got {kinds[1]} from {kinds[0]}")


def _stack(leaves: Any) -> Any:
    return backend_of(*leaves).xp.stack(list(leaves), axis=0)


def _make_zero_slice(leaf: Any) -> Any:
    xp = backend_of(leaf).xp
    return xp.sum(leaf, axis=0, dtype=leaf.dtype) if dtype_name(leaf) != "bool" else xp.any(leaf, axis=0)


def _count_steps(xs: tree.Tree, length: int | None) -> int | None:
    """Return the number of steps; None if only the running program knows it."""
    sizes = []
    for leaf in tree.leaves(xs):
        if getattr(leaf, "shape", None) is None:
            raise TypeError(f"scan expects xs as a tree of arrays, got {show(leaf)} in it")
        if len(leaf.shape) == 0:
            raise ValueError("scan expects arrays with at least one axis as xs, got a scalar")
        sizes.append(leaf.shape[0])
    if length is not None:
        sizes.append(length)
    elif not sizes:
        raise ValueError("scan expects xs or a length, got neither")
    known = [size for size in sizes if size is not None]
    if any(size != known[0] for size in known):
        raise ValueError(f"scan expects one size of the first axes of xs, got {', '.join(map(str, sizes))}")
    return known[0] if known else None
