"""Shortcuts of a program: ways that are right for usual numbers, taken on a condition that the program gives back.

Where the condition does not hold, `jit` throws the result away and takes the program without shortcuts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import tensorflow as tf

__all__ = ["gather_conditions", "has_effects", "list_conditions", "may_rely", "rely_on"]

_conditions: ContextVar[tuple[Any, list[Any]] | None] = ContextVar("luxport_tf_conditions", default=None)


@contextmanager
def gather_conditions(conditions: list[Any] | None) -> Iterator[None]:
    """Gather here what the program that is traced relies on; None if it may rely on nothing."""
    token = _conditions.set(None if conditions is None else (tf.compat.v1.get_default_graph(), conditions))
    try:
        yield
    finally:
        _conditions.reset(token)


def may_rely() -> bool:
    """Tell whether a condition could be given back: not from inside a loop, nor in a program of somebody else's."""
    found = _conditions.get()
    return found is not None and found[0] is tf.compat.v1.get_default_graph()


def rely_on(condition: Any) -> None:
    """Let the result hold only if this scalar does, in a program that may rely on it."""
    found = _conditions.get()
    assert found is not None
    found[1].append(condition)


def list_conditions() -> list[Any]:
    """List what the program that is traced relies on until now."""
    found = _conditions.get()
    return [*found[1]] if found is not None and may_rely() else []


def has_effects(graph: Any, *, may_send: bool = False) -> bool:
    """Tell whether a program does more than compute, so that it may not run again: it prints, or waits for others.

    Args:
        graph: the program
        may_send: whether other processes send again what they have sent each other, too
    """
    free = _READING | _SENDING if may_send else _READING
    return any(op.op_def.is_stateful and op.type not in free for op in graph.get_operations())


_READING = frozenset(("Placeholder", "ReadVariableOp", "VarHandleOp"))
_SENDING = frozenset(("CollectiveReduceV2", "CollectiveBcastSendV2", "CollectiveBcastRecvV2"))
