"""`run_steps`: several steps in one call, by a compiled loop if the backend has one, else by a Python loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from luxport import tree
from luxport.backend import backend_of, can, find_owner

__all__ = ["run_steps"]


def run_steps(f: Callable[[Any, Any], tuple[Any, Any, Any]], carry: Any, parts: Sequence[Any]) -> tuple[Any, Any, Any]:
    """Call ``carry, terms, out = f(carry, part)`` for each part; return the last carry, the sum of terms, all outs."""
    array = next((leaf for leaf in tree.leaves((carry, parts[0])) if find_owner(type(leaf)) is not None), None)
    if array is not None and len(parts) > 1 and can(backend := backend_of(array), "loops"):
        found = backend.loop_steps(f, carry, parts)  # type: ignore[attr-defined]
        if found is not None:
            return found
    total, outs = None, []
    for part in parts:
        carry, terms, out = f(carry, part)
        total = terms if total is None else tree.map(lambda a, b: a + b, total, terms)
        outs.append(out)
    return carry, total, outs
