"""Which statements of a module may be executed when it is imported: those that end, soon, and raise nothing.

The others go under ``if __name__ == "__main__":``, so that the rest can always be imported, and with them whatever
needs their names or gave these another value before.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from luxport.porting.translate.checked import list_bound_names
from luxport.porting.translate.counted_run import Run
from luxport.porting.translate.counted_values import Budget, TooExpensive, WouldRaise

__all__ = ["find_deferred"]

_STEPS = 150_000
"""How many steps an import may take: some fifth of a second."""
_WORK = 200_000
"""How many candidates are looked into, whether they can be taken or not."""


@dataclass
class _Pass:
    """One look through the statements of a module."""

    deferred: dict[int, str]
    run: Run
    spoiled: set[str] = field(default_factory=set)
    """Names whose value is not the one that the source would give them."""

    def defer(self, place: int, part: _Part, why: str) -> None:
        """Hold statements back, and take away the names that they would give a value."""
        self.deferred.setdefault(place, why)
        spoiled = set(part.names)
        for statement in part.statements:
            if isinstance(statement, (ast.Expr, ast.For, ast.If, ast.While)):
                spoiled |= self.run.find_lists(statement)
        for name in spoiled:
            self.run.names.pop(name, None)
        self.spoiled |= spoiled


@dataclass(frozen=True)
class _Part:
    statements: Sequence[ast.stmt]
    names: set[str]


def find_deferred(trees: Sequence[Sequence[ast.stmt]], helpers: Sequence[ast.stmt]) -> dict[int, str]:
    """Return the places of the parts that an import may not execute, each with why, or nothing if a remark says it.

    Args:
        trees: the statements of each part; the parts stand one after the other
        helpers: definitions that stand before all
    """
    parts = [_Part(statements, list_bound_names(statements)) for statements in trees]
    deferred: dict[int, str] = {}
    work = Budget(_WORK)
    while True:
        known = len(deferred)
        look = _Pass(deferred, Run(Budget(_STEPS)))
        for helper in helpers:
            look.run.run_statement(helper)
        for place, part in enumerate(parts):
            if place in deferred:
                look.defer(place, part, "")
            else:
                _try_part(look, place, part, work)
        for place, part in enumerate(parts):
            if place not in deferred and not part.names.isdisjoint(look.spoiled):
                deferred[place] = ""
        if len(deferred) == known:
            return deferred


def _try_part(look: _Pass, place: int, part: _Part, work: Budget) -> None:
    run = look.run
    before = run.budget.left
    run.budget.left = min(before, max(0, work.left))
    given = run.budget.left
    try:
        for statement in part.statements:
            run.run_statement(statement)
    except TooExpensive as found:
        look.defer(place, part, str(found))
    except WouldRaise as found:
        look.defer(place, part, "" if found.missing in look.spoiled else str(found))
    spent = given - max(0, run.budget.left)
    work.left -= spent
    run.budget.left = before if place in look.deferred else before - spent
