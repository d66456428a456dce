"""Shortcuts: fast formulas in graphs that are right only under a condition, such as that all numbers are finite.

An operation that takes a shortcut notes its condition with `rely_on`. The graph returns whether all conditions hold; if
not, `jit` drops the result and runs a graph without shortcuts.
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
    """Collect the conditions of the program that is traced inside in a list; with None it takes no shortcuts."""
    token = _conditions.set(None if conditions is None else (tf.compat.v1.get_default_graph(), conditions))
    try:
        yield
    finally:
        _conditions.reset(token)


def may_rely() -> bool:
    """Return whether shortcuts may be taken: only in a graph that `jit` traces, and not inside its loops.

    Elsewhere, as in a user's own `tf.function`, the condition cannot be returned to `jit`.
    """
    found = _conditions.get()
    return found is not None and found[0] is tf.compat.v1.get_default_graph()


def rely_on(condition: Any) -> None:
    """Note a scalar condition without which the program's result is wrong; call it only if `may_rely()`."""
    found = _conditions.get()
    assert found is not None
    found[1].append(condition)


def list_conditions() -> list[Any]:
    """Return the conditions noted so far in the program that is being traced."""
    found = _conditions.get()
    return [*found[1]] if found is not None and may_rely() else []


def has_effects(graph: Any, *, may_send: bool = False) -> bool:
    """Return whether a graph has side effects, such as printing, so that it must not run a second time.

    Args:
        graph: the graph
        may_send: whether messages to other processes are allowed, because these would run their graphs again, too
    """
    free = _READING | _SENDING if may_send else _READING
    return any(op.op_def.is_stateful and op.type not in free for op in graph.get_operations())


_READING = frozenset(("Placeholder", "ReadVariableOp", "VarHandleOp"))
_SENDING = frozenset(("CollectiveReduceV2", "CollectiveBcastSendV2", "CollectiveBcastRecvV2"))
