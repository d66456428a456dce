"""Find and replace fragments of Python in functions, by their syntax trees.

Spaces, line breaks, quotes, comments, and redundant parentheses and commas are ignored. A fragment is an
expression, a statement, or an option of a call such as ``axis=0``. In it,

- each of ``_``, ``_1``, ``_2`` … matches any expression, and the same expression wherever it is repeated;
- a body of ``...``, as in ``if flip: ...``, matches any body;
- a name that the function does not know matches any of its local variables, so that they may be renamed.
"""

from __future__ import annotations

import ast
import builtins
import copy
import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any


class FragmentError(AssertionError):
    """A fragment is not valid Python, or it is found in no place or in several."""


@dataclass
class Place:
    """A node that a fragment matches, with the names and expressions that the fragment's names match there."""

    node: ast.AST
    names: dict[str, str] = field(default_factory=dict)
    expressions: dict[str, ast.expr] = field(default_factory=dict)


class FunctionTree:
    """The syntax tree of a function, without decorators and docstring, in which fragments are searched."""

    def __init__(self, source: str) -> None:
        (definition,) = ast.parse(source).body
        assert isinstance(definition, ast.FunctionDef)
        definition.decorator_list = []
        said = ast.get_docstring(definition, clean=False) is not None
        self.definition = definition
        self.local = _local_names(definition)
        self._nodes: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for statement in definition.body[1 if said else 0 :]:
            for node in ast.walk(statement):
                self._nodes[type(node)].append(node)

    def find(self, fragment: str, globals_: Collection[str] | None = None) -> list[Place]:
        """Return the places that a fragment matches.

        Args:
            fragment: An expression, a statement, or an option of a call.
            globals_: The global names of the function's module. With them, a name that is neither among them, nor
                built in, nor one of the function's matches any of its local variables.
        """
        strange = None if globals_ is None else _Strangers(self.local, {*self.local, *globals_, *dir(builtins)})
        places = []
        for pattern in _parse(fragment):
            for node in self._nodes[type(pattern)]:
                place = Place(node)
                if _fits(pattern, node, place, strange):
                    places.append(place)
        return places

    def replace(self, place: Place, new: str) -> ast.FunctionDef:
        """Return the function's definition with ``new`` at a place; an empty ``new`` deletes the node."""
        put = None
        if new:
            fitting = [node for node in _parse(new) if _kind(node) is _kind(place.node)]
            if not fitting:
                raise FragmentError(f"{new!r} cannot stand where {ast.unparse(place.node)!r} does")
            put = _Filled(place).visit(copy.deepcopy(fitting[0]))
        if isinstance(put, ast.stmt) and _is_open(put):
            for part in ("body", "orelse"):
                setattr(put, part, getattr(place.node, part))
        # deepcopy keeps the node to replace as it is, because `_Replacement` finds it by identity.
        definition = copy.deepcopy(self.definition, {id(place.node): place.node})
        changed = _Replacement(place.node, put).generic_visit(definition)
        assert isinstance(changed, ast.FunctionDef)
        return ast.fix_missing_locations(changed)


@dataclass
class _Strangers:
    """The local variables of a function, and all names that are defined in it, in its module or as built-ins."""

    local: set[str]
    known: set[str]


@cache
def _parse(fragment: str) -> list[ast.AST]:
    """Return the syntax trees of a fragment: ``a=b`` is both a statement and an option of a call."""
    try:
        body = ast.parse(fragment.strip()).body
    except SyntaxError as error:
        raise FragmentError(f"{fragment!r} is neither an expression nor a statement: {error.msg}") from None
    if len(body) != 1:
        raise FragmentError(f"{fragment!r} is {len(body)} statements; give one")
    (statement,) = body
    if isinstance(statement, ast.Expr):
        return [statement.value]
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return [statement, ast.keyword(arg=statement.targets[0].id, value=statement.value)]
    return [statement]


def _kind(node: ast.AST) -> type[ast.AST]:
    return next(kind for kind in (ast.expr, ast.stmt, ast.keyword) if isinstance(node, kind))


def _local_names(function: ast.FunctionDef) -> set[str]:
    """Return the names of arguments, assigned variables and inner functions, also those of inner functions."""
    nodes = list(ast.walk(function))
    given = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node is not function}
    return given | defined | {node.arg for node in nodes if isinstance(node, ast.arg)}


def _fits(pattern: Any, node: Any, place: Place, strange: _Strangers | None) -> bool:
    """Return whether a pattern matches a node; record in ``place`` what the pattern's names match."""
    if isinstance(pattern, ast.Name) and _ANYTHING.fullmatch(pattern.id):
        return isinstance(node, ast.expr) and _is_same(place.expressions.setdefault(pattern.id, node), node)
    if type(pattern) is not type(node):
        return False
    if isinstance(pattern, list):
        return len(pattern) == len(node) and all(map(partial(_fits, place=place, strange=strange), pattern, node))
    if not isinstance(pattern, ast.AST):
        return pattern == node
    ignored = {"ctx", "kind", "type_comment"} | ({"body", "orelse"} if _is_open(pattern) else set())
    if isinstance(pattern, (ast.Name, ast.arg)):
        name = _NAME_FIELD[type(pattern)]
        ignored.add(name)
        if not _may_be(getattr(pattern, name), getattr(node, name), place.names, strange):
            return False
    fields = [name for name in pattern._fields if name not in ignored]
    return all(_fits(getattr(pattern, name, None), getattr(node, name, None), place, strange) for name in fields)


def _may_be(name: str, other: str, names: dict[str, str], strange: _Strangers | None) -> bool:
    """Return whether a fragment's name matches a function's: it is equal, or a renamed local variable, one to one."""
    if name in names or other in names.values():
        return names.get(name) == other
    renamed = strange is not None and name not in strange.known and other in strange.local
    if name == other or renamed:
        names[name] = other
        return True
    return False


def _is_same(one: ast.AST, other: ast.AST) -> bool:
    return one is other or ast.dump(one) == ast.dump(other)


def _is_open(node: ast.AST) -> bool:
    """Return whether a statement's body is ``...``, which matches any body."""
    body = getattr(node, "body", None)
    if not isinstance(body, list) or len(body) != 1 or not isinstance(body[0], ast.Expr):
        return False
    return isinstance(body[0].value, ast.Constant) and body[0].value.value is ...


class _Filled(ast.NodeTransformer):
    """Insert into a replacement the expressions and names that the fragment's names match at a place."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self.place.expressions:
            return copy.deepcopy(self.place.expressions[node.id])
        return ast.Name(self.place.names.get(node.id, node.id), node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self.place.names.get(node.arg, node.arg), node.annotation)


class _Replacement(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST | None) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST | None:
        if node is not self.old:
            return self.generic_visit(node)
        if self.new is None:
            return ast.Pass() if isinstance(node, ast.stmt) else None
        if isinstance(getattr(node, "ctx", None), ast.Store):
            _make_target(self.new)
        return self.new


def _make_target(node: Any) -> None:
    """Turn an expression, in place, into a target of an assignment."""
    node.ctx = ast.Store()
    for part in getattr(node, "elts", ()):
        _make_target(part)


_ANYTHING = re.compile(r"_\d*")
_NAME_FIELD = {ast.Name: "id", ast.arg: "arg"}
