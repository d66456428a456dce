"""Shortcuts: a program computes faster where numbers are usual, and returns the condition that they were.

Where the condition does not hold, `jit` drops the result and runs the program without shortcuts.
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
    """Gather the conditions that the traced program relies on; None if it may rely on none."""
    token = _conditions.set(None if conditions is None else (tf.compat.v1.get_default_graph(), conditions))
    try:
        yield
    finally:
        _conditions.reset(token)


def may_rely() -> bool:
    """Tell whether a condition can be returned: not from inside a loop, nor in a user's own `tf.function`."""
    found = _conditions.get()
    return found is not None and found[0] is tf.compat.v1.get_default_graph()


def rely_on(condition: Any) -> None:
    """Note a scalar condition without which the result is not valid, in a program that may rely on one."""
    found = _conditions.get()
    assert found is not None
    found[1].append(condition)


def list_conditions() -> list[Any]:
    """List the conditions noted so far in the traced program."""
    found = _conditions.get()
    return [*found[1]] if found is not None and may_rely() else []


def has_effects(graph: Any, *, may_send: bool = False) -> bool:
    """Tell whether a program has side effects, such as printing, so that it must not run a second time.

    Args:
        graph: the program
        may_send: whether the other processes would run it a second time too, and send again what they have sent
    """
    free = _READING | _SENDING if may_send else _READING
    return any(op.op_def.is_stateful and op.type not in free for op in graph.get_operations())


_READING = frozenset(("Placeholder", "ReadVariableOp", "VarHandleOp"))
_SENDING = frozenset(("CollectiveReduceV2", "CollectiveBcastSendV2", "CollectiveBcastRecvV2"))
