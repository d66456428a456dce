"""Collective operations on trees of arrays: `allreduce`, `reduce`, `bcast`, `synchronize`, `barrier`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from luxport import tree
from luxport.backend import Array, dtype_name, find_owner
from luxport.backend.option_rules import is_int
from luxport.call_arguments import explain_call_errors
from luxport.distributed._agreement import attempt, exchange, expect_agreement, expect_own, write_location
from luxport.distributed._gradients import combine_with_gradient
from luxport.distributed._minmax import find_extreme_with_nan
from luxport.distributed._session import Session, require_session
from luxport.distributed._sums import compute_weighted_means, reduce_in_single
from luxport.errors import LayerTypeError, shape_text
from luxport.text import show

__all__ = ["allreduce", "average", "barrier", "bcast", "reduce", "synchronize"]

OPERATIONS = ("mean", "sum", "max", "min")

_NUMBERS = re.compile(r"bool|bfloat16|(u?int|float|complex)\d+")
"""The names of the dtypes that engines can move."""


@explain_call_errors
def allreduce(values: tree.Tree, op: str = "mean") -> tree.Tree:
    """Return the tree with each array combined elementwise with the arrays at the same path in all processes.

    Leaves that are not arrays, Python's numbers included, are returned unchanged. The maximum or minimum of NaN and
    numbers is NaN.

    Outside of compiled programs a mean or sum can be differentiated if every process does so: the gradient is that of
    the sum of all their losses. If the loss is a mean over processes, each process gets the gradient of its own loss
    without the mean, and `data_parallel` averages these.

    Args:
        values: a tree of arrays: of one structure, with the same shapes and dtypes, in every process
        op: "mean" of floating and complex arrays, "sum", "max" or "min"

    Raises: ValueError for another op; LayerTypeError for arrays that the engine does not move, or that the op does not
            take; DistributedError before `initialize`, if another process is gone, hangs, or calls with another tree
    Source: Lux.jl ``DistributedUtils.allreduce!``

    >>> import numpy as np
    >>> from luxport import distributed
    >>> distributed.initialize("local")
    >>> allreduce({"weight": np.array([1.0, 2.0]), "name": "Dense"})
    {'weight': array([1., 2.]), 'name': 'Dense'}
    >>> distributed.shutdown()
    """
    return _reduce("allreduce", values, op)


@explain_call_errors
def reduce(values: tree.Tree, op: str = "mean", *, root: int = 0) -> tree.Tree:
    """Return the result of `allreduce` in the process `root`, and the tree unchanged in the others.

    It takes as long as `allreduce`.

    Args:
        values: a tree of arrays, see `allreduce`
        op: see `allreduce`
        root: the rank of the process that gets the result

    Raises: as `allreduce` does; ValueError for a root that is not a rank
    Source: Lux.jl ``DistributedUtils.reduce!``
    """
    session = require_session("reduce")
    _expect_rank("reduce", session, root)
    combined = _reduce("reduce", values, op, root)
    return combined if session.world.rank == root else values


@explain_call_errors
def bcast(values: tree.Tree, *, root: int = 0) -> tree.Tree:
    """Return the tree with the arrays of the process `root`; other leaves remain each process's own.

    Args:
        values: a tree of arrays: of one structure, with the same shapes and dtypes, in every process
        root: the rank of the process whose arrays are returned

    Raises: as `allreduce` does; ValueError for a root that is not a rank
    Source: Lux.jl ``DistributedUtils.bcast!``
    """
    session = require_session("bcast")
    _expect_tree("bcast", values)
    _expect_rank("bcast", session, root)
    return _move("bcast", values, f"root={root}", lambda arrays: session.engine.broadcast(arrays, root))


@explain_call_errors
def synchronize(values: tree.Tree, *, root: int = 0) -> tree.Tree:
    """Return the tree with the arrays and Python numbers of the process `root`; other leaves remain each process's own.

    It makes parameters, states and a `TrainState` the same in all processes before the first step.

    Args:
        values: a tree of one structure, with the same shapes and dtypes, in every process
        root: the rank of the process whose values are returned

    Raises: as `allreduce` does; ValueError for a root that is not a rank
    Source: Lux.jl ``DistributedUtils.synchronize!!``

    >>> from luxport import distributed
    >>> distributed.initialize("local")
    >>> synchronize({"rate": 0.1, "name": "Adam", "nothing": None})
    {'rate': 0.1, 'name': 'Adam', 'nothing': None}
    >>> distributed.shutdown()
    """
    session = require_session("synchronize")
    _expect_rank("synchronize", session, root)
    places = [(".".join(path), type(leaf).__name__) for path, leaf in tree.leaves_with_path(values) if _is_number(leaf)]
    detail = f"root={root} {places}" if places else f"root={root}"
    values = _move("synchronize", values, detail, lambda arrays: session.engine.broadcast(arrays, root))
    if not places:
        return values
    own = json.dumps([leaf for leaf in tree.leaves(values) if _is_number(leaf)])
    numbers = iter(json.loads(exchange("synchronize", session, "numbers", own)[root]))
    return tree.map(lambda leaf: next(numbers) if _is_number(leaf) else leaf, values)


@explain_call_errors
def barrier() -> None:
    """Wait until every process has called this.

    Raises: DistributedError before `initialize`, if another process is gone or hangs, or makes another call
    """
    session = require_session("barrier")
    expect_agreement("barrier", session, ["barrier"])


def average(arrays: Sequence[Array]) -> list[Array]:
    """Return the means of arrays over all processes, in one operation."""
    return _reduce("DistributedOptimizer", list(arrays), "mean")


def _reduce(caller: str, values: tree.Tree, op: str, root: int | None = None) -> tree.Tree:
    session = require_session(caller)
    _expect_tree(caller, values)
    if not isinstance(op, str) or op not in OPERATIONS:
        raise ValueError(f"{caller} expects an op among {', '.join(OPERATIONS)}, got {show(op)}")
    for path, leaf in _list_arrays(values):
        kind = dtype_name(leaf)
        _expect_numbers(caller, kind, path)
        known = "mean sum" if "complex" in kind else "mean sum max min" if "float" in kind else "sum max min"
        known = "max min" if kind == "bool" else known
        if op not in known.split():
            raise LayerTypeError(
                f"of {kind} takes {' or '.join(known.split())}, got {op!r}{write_location(path)}", culprit=caller
            )
    size, engine = session.world.size, session.engine

    def move(arrays: list[Array]) -> list[Array]:
        if size == 1:
            return engine.all_reduce(arrays, "sum" if op == "mean" else op)
        if op == "sum":
            return reduce_in_single(lambda wide: engine.all_reduce(wide, op), arrays)
        if op == "mean":
            return compute_weighted_means(engine.all_reduce, arrays, size)
        return find_extreme_with_nan(engine.all_reduce, arrays, op)

    detail = op if root is None else f"{op} root={root}"
    return _move(caller, values, detail, move, has_gradient=op in ("mean", "sum") and root is None)


def _move(
    caller: str,
    values: tree.Tree,
    detail: str,
    move: Callable[[list[Array]], list[Array]],
    *,
    has_gradient: bool = False,
) -> tree.Tree:
    session = require_session(caller)
    found = _list_arrays(values)
    for path, leaf in found:
        expect_own(caller, session, find_owner(type(leaf)), path)
        _expect_numbers(caller, dtype_name(leaf), path)
    described = [f"{caller} {detail}"]
    if session.world.size > 1:
        described += [f"{'.'.join(path) or 'array'} {dtype_name(leaf)} {shape_text(leaf)}" for path, leaf in found]
        expect_agreement(caller, session, described)
    if not found:
        return values

    def attempt_moving(arrays: list[Array]) -> list[Array]:
        return attempt(caller, session, lambda: move(arrays))

    def move_cotangents(cotangents: list[Array]) -> list[Array]:
        lines = [f"cotangent {dtype_name(cotangent)} {shape_text(cotangent)}" for cotangent in cotangents]
        expect_agreement(caller, session, [f"the gradient of {caller} {detail}", *lines])
        return attempt_moving(cotangents)

    arrays = [leaf for _, leaf in found]
    if session.world.size > 1:
        arrays = combine_with_gradient(caller, attempt_moving, move_cotangents if has_gradient else None, arrays)
    else:
        arrays = attempt_moving(arrays)
    new = iter(arrays)
    return tree.map(lambda leaf: next(new) if find_owner(type(leaf)) is not None else leaf, values)


def _expect_rank(caller: str, session: Session, root: Any) -> None:
    if not is_int(root) or not 0 <= root < session.world.size:
        raise ValueError(f"{caller} expects a rank from 0 to {session.world.size - 1} as root, got {show(root)}")


def _expect_tree(caller: str, values: tree.Tree) -> None:
    """Expect an array or a container: a single value that is not an array would be returned without an error."""
    path, leaf = next(iter(tree.leaves_with_path(values)), ((), None))
    if not path and leaf is not None and find_owner(type(leaf)) is None:
        raise LayerTypeError(
            f"expects an array, or a tree of arrays, got {show(values)}: luxport.asarray first", culprit=caller
        )


def _expect_numbers(caller: str, kind: str, path: tuple[str, ...]) -> None:
    if not _NUMBERS.fullmatch(kind):
        raise LayerTypeError(f"expects arrays of numbers, got {kind}{write_location(path)}", culprit=caller)


def _list_arrays(values: tree.Tree) -> list[tuple[tuple[str, ...], Array]]:
    return [(path, leaf) for path, leaf in tree.leaves_with_path(values) if find_owner(type(leaf)) is not None]


def _is_number(leaf: Any) -> bool:
    return isinstance(leaf, (bool, int, float)) and find_owner(type(leaf)) is None
