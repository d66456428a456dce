"""Decide which statements of a module may run when it is imported: those that end soon and raise nothing.

The others are deferred: they go under ``if __name__ == "__main__":``, so that the module can always be imported. With
them go the statements that need their names, or that gave these names another value before.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field

from luxport.porting.translate.interpreter import Interpreter
from luxport.porting.translate.interpreter_values import Budget, TooExpensive, WouldRaise
from luxport.porting.translate.module_checks import list_bound_names

__all__ = ["find_deferred"]

_STEPS = 150_000
"""The largest number of steps of an import: about a fifth of a second."""
_WORK = 200_000
"""The largest number of steps of all passes together."""


@dataclass
class _Pass:
    """One pass over the statements of a module."""

    deferred: dict[int, str]
    interpreter: Interpreter
    spoiled: set[str] = field(default_factory=set)
    """Names that do not have the value that the source gives them, because a statement is deferred."""

    def defer(self, place: int, part: _Part, why: str) -> None:
        """Defer a part, and forget the names that it would bind or change."""
        self.deferred.setdefault(place, why)
        spoiled = set(part.names)
        for statement in part.statements:
            if isinstance(statement, (ast.Expr, ast.For, ast.If, ast.While)):
                spoiled |= self.interpreter.find_lists(statement)
        for name in spoiled:
            self.interpreter.names.pop(name, None)
        self.spoiled |= spoiled


@dataclass(frozen=True)
class _Part:
    """The statements of one part of a module, and the names they bind."""

    statements: Sequence[ast.stmt]
    names: set[str]


def find_deferred(trees: Sequence[Sequence[ast.stmt]], helpers: Sequence[ast.stmt]) -> dict[int, str]:
    """Return the positions of the parts that an import must not run, with the reasons, "" if a remark has it already.

    Args:
        trees: the statements of each part, in the order of the module
        helpers: definitions before the first part
    """
    parts = [_Part(statements, list_bound_names(statements)) for statements in trees]
    deferred: dict[int, str] = {}
    work = Budget(_WORK)
    while True:
        known = len(deferred)
        this_pass = _Pass(deferred, Interpreter(Budget(_STEPS)))
        for helper in helpers:
            this_pass.interpreter.run_statement(helper)
        for place, part in enumerate(parts):
            if place in deferred:
                this_pass.defer(place, part, "")
            else:
                _try_part(this_pass, place, part, work)
        for place, part in enumerate(parts):
            if place not in deferred and not part.names.isdisjoint(this_pass.spoiled):
                deferred[place] = ""
        if len(deferred) == known:
            return deferred


def _try_part(this_pass: _Pass, place: int, part: _Part, work: Budget) -> None:
    interpreter = this_pass.interpreter
    before = interpreter.budget.left
    interpreter.budget.left = min(before, max(0, work.left))
    given = interpreter.budget.left
    try:
        for statement in part.statements:
            interpreter.run_statement(statement)
    except TooExpensive as found:
        this_pass.defer(place, part, str(found))
    except WouldRaise as found:
        this_pass.defer(place, part, "" if found.missing in this_pass.spoiled else str(found))
    spent = given - max(0, interpreter.budget.left)
    work.left -= spent
    interpreter.budget.left = before if place in this_pass.deferred else before - spent
