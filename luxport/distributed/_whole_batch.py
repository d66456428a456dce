"""`call_with_all`: a step that each process computes with the samples of all, if it cannot communicate inside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport import tree
from luxport.backend import Array, dtype_name, find_owner, namespace
from luxport.distributed._agreement import attempt
from luxport.distributed._session import Session

__all__ = ["call_with_all"]


def call_with_all(session: Session, program: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a function of data and a state that calls the program of a single process with the data of all."""

    def call(data: Any, state: Any) -> Any:
        own = [leaf for leaf in tree.leaves(data) if _has_samples(leaf)]
        whole = iter(attempt("train_step", session, lambda: _join(session, own)))
        with session.step.use_all_samples():
            return program(tree.map(lambda leaf: next(whole) if _has_samples(leaf) else leaf, data), state)

    return call


def _has_samples(leaf: Any) -> bool:
    return find_owner(type(leaf)) is not None and len(leaf.shape) > 0


def _join(session: Session, arrays: list[Array]) -> list[Array]:
    """Return the rows of all processes, as the sum of arrays that are 0 in the rows of the others."""
    kinds = [dtype_name(array) == "bool" for array in arrays]
    padded = [_pad_array(session, array) for array in arrays]
    found: dict[bool, Any] = {}
    for is_bool, op in ((False, "sum"), (True, "max")):
        chosen = [array for array, kind in zip(padded, kinds, strict=True) if kind == is_bool]
        found[is_bool] = iter(session.engine.all_reduce(chosen, op) if chosen else [])
    return [next(found[kind]) for kind in kinds]


def _pad_array(session: Session, array: Array) -> Array:
    counts, rank, xp = session.step.counts, session.world.rank, namespace(array)
    before, after = sum(counts[:rank]), sum(counts[rank + 1 :])
    parts = [xp.zeros((count, *array.shape[1:]), dtype=array.dtype) for count in (before, after)]
    return xp.concat([part for part in (parts[0], array, parts[1]) if part.shape[0]], axis=0)
