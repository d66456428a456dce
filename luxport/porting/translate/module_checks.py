"""Check a generated module independently of its translation, so that a bug there can never run text of the source.

Every node of the syntax tree must be of an allowed kind, every name defined in the module or on a list, every attribute
of a package on a list.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable
from types import EllipsisType, NoneType

from luxport.porting.translate.allowed_names import (
    ALLOWED,
    BUILTIN_FUNCTIONS,
    HELPER_TREES,
    HIGHEST_POWER,
    IS_MAIN,
    METHODS,
    MOST_OPTIONS,
    NODE_FIELDS,
    NODE_KINDS,
    PACKAGES,
    XP_NAMES,
)
from luxport.porting.translate.helpers import HELPERS
from luxport.porting.translate.writing import BUILTINS

__all__ = ["find_violation", "find_violation_in", "list_bound_names", "parse_python"]


class _Violation(Exception):
    """A module contains something that it must not."""


def find_violation(python: str) -> str:
    """Return what is wrong with a module, "" if nothing is. It is decoded as an import would decode it."""
    tree = parse_python(python)
    return find_violation_in(tree.body) if tree else _NO_PYTHON


_NO_PYTHON = "a form that Python does not have, or a character that cannot be printed"


def parse_python(python: str) -> ast.Module | None:
    """Parse a module or a part of one, and return its syntax tree, None if it is not valid."""
    if not python.replace("\n", " ").isprintable():
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about code that would fail when it runs
            return ast.parse(python.encode(), "ported")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def find_violation_in(statements: list[ast.stmt], defined: Iterable[str] = ()) -> str:
    """Return what is wrong with statements in a module that defines these other names, "" if nothing is."""
    try:
        _Checker({*defined, *list_bound_names(statements)}).check_block(statements, frozenset(), outermost=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(ast.Module(statements, []), "ported", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _NO_PYTHON
    except _Violation as found:
        return str(found)
    return ""


def list_bound_names(statements: Iterable[ast.stmt]) -> set[str]:
    """Return the names that statements bind in their own scope. (The allowed expressions bind none there.)"""
    found: set[str] = set()
    pending: list[ast.stmt] = list(statements)
    while pending:
        match pending.pop():
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.Assign(targets=targets):
                found.update(*map(_list_names, targets))
            case ast.AnnAssign(target=target):
                found |= _list_names(target)
            case ast.For(target=target, body=body, orelse=orelse):
                found |= _list_names(target)
                pending += body + orelse
            case ast.If(body=body, orelse=orelse) | ast.While(body=body, orelse=orelse):
                pending += body + orelse
    return found


def _list_names(target: ast.expr) -> set[str]:
    """Return the names in the target of an assignment."""
    if isinstance(target, ast.Name):
        return {target.id}
    return {part.id for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


class _Checker:
    """Checks statements, in a module that defines these names, and raises `_Violation`."""

    def __init__(self, defined: set[str]) -> None:
        self.defined = defined

    def check_block(self, statements: list[ast.stmt], own: frozenset[str], *, outermost: bool = False) -> None:
        for node in statements:
            if outermost and isinstance(node, ast.FunctionDef) and _is_helper(node):
                continue
            if outermost and isinstance(node, ast.If) and ast.dump(node.test) == IS_MAIN and not node.orelse:
                self.check_block(node.body, own, outermost=True)
                continue
            self.check_node(node, own, outermost=outermost)

    def check_node(self, node: ast.AST, own: frozenset[str], *, outermost: bool = False) -> None:
        """Check a node and its children; `own` are the local names of the functions around it."""
        kind = type(node)
        if kind not in NODE_KINDS:
            raise _Violation(f"a {kind.__name__}")
        if kind is ast.Name:
            self._check_name(node, own)  # type: ignore[arg-type]
            return
        match node:
            case ast.Import():
                if not outermost or any(a.name not in PACKAGES or a.asname for a in node.names):
                    raise _Violation("an import")
            case ast.FunctionDef():
                self._check_binding(node.name)
                self._check_function(node, own)
                return
            case ast.Lambda():
                self._check_function(node, own)
                return
            case ast.ClassDef():
                self._check_class(node, own, outermost)
                return
            case ast.ListComp():
                own = own.union(*(_list_names(part.target) for part in node.generators))
            case ast.comprehension() if node.is_async:
                raise _Violation("an asynchronous loop")
            case ast.Attribute():
                self._check_attribute(node)
                if _find_root(node) not in PACKAGES:
                    self.check_node(node.value, own)
                return
            case ast.Constant() if type(node.value) not in (NoneType, bool, int, float, str, EllipsisType):
                raise _Violation("a constant of another kind")
            case ast.BinOp(op=ast.Pow()) if (_is_power(node.left) or _is_power(node.right)) and _is_constant(node):
                raise _Violation("a power of a power")
            case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=int() | float() as power)) if (
                abs(power) > HIGHEST_POWER
            ):
                raise _Violation(f"a power above {HIGHEST_POWER}")
            case ast.Call():
                if len(node.keywords) > MOST_OPTIONS:
                    raise _Violation(f"a call of more than {MOST_OPTIONS:,} options")
                self._check_call(node.func)
            case ast.Raise():
                self._check_raise(node)
                return
            case ast.AnnAssign() | ast.Constant(kind=str()):
                raise _Violation("an annotation")
            case ast.Assign() if not all(isinstance(target, (ast.Name, ast.Tuple)) for target in node.targets):
                raise _Violation("an assignment to something other than a name")
        for name in NODE_FIELDS[kind]:
            part = getattr(node, name, None)
            if isinstance(part, list):
                for one in part:
                    if one is not None:  # the key of ``**more`` in a dict
                        self.check_node(one, own)
            elif isinstance(part, ast.AST):
                self.check_node(part, own)

    def _check_function(self, node: ast.FunctionDef | ast.Lambda, own: frozenset[str]) -> None:
        given = node.args
        parameters = [*given.posonlyargs, *given.args, *given.kwonlyargs]
        parameters += [one for one in (given.vararg, given.kwarg) if one is not None]
        for parameter in parameters:
            name = parameter.arg
            taken = name in PACKAGES or name in BUILTIN_FUNCTIONS or name in HELPERS or name.startswith("__")
            if parameter.annotation or (taken and name != "__"):  # ``__`` are the keywords of a stub that only raises
                raise _Violation(f"a parameter {name}")
        for default in [*given.defaults, *(one for one in given.kw_defaults if one is not None)]:
            self.check_node(default, own)
        if isinstance(node, ast.Lambda):
            self.check_node(node.body, own | {one.arg for one in parameters})
            return
        for decorator in node.decorator_list:
            if not isinstance(decorator, ast.Call) or _write_path(decorator.func) != "luxport.compact":
                raise _Violation("a decorator")
            self.check_node(decorator, own)
        if node.returns:
            raise _Violation("an annotation")
        bound = list_bound_names(node.body)
        self.check_block(node.body, own | bound | {one.arg for one in parameters})

    def _check_class(self, node: ast.ClassDef, own: frozenset[str], outermost: bool) -> None:
        self._check_binding(node.name)
        bases = {"luxport.Layer", "luxport.ContainerLayer", "luxport.WrapperLayer"}
        if not outermost or node.keywords or any(_write_path(base) not in bases for base in node.bases):
            raise _Violation("a class with other bases")
        for decorator in node.decorator_list:
            plain = decorator.func if isinstance(decorator, ast.Call) else decorator
            if _write_path(plain) != "dataclasses.dataclass":
                raise _Violation("a decorator")
            self.check_node(decorator, own)
        for statement in node.body:
            match statement:
                case ast.FunctionDef(name=name) if name in METHODS:
                    self._check_function(statement, own)
                case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="object"), value=value):
                    if name.startswith("_"):
                        raise _Violation(f"a field {name}")
                    if value is not None:
                        self.check_node(value, own)
                case ast.Expr(value=ast.Constant(value=str())) | ast.Pass():
                    pass
                case _:
                    raise _Violation("a statement in a class")

    def _check_binding(self, name: str) -> None:
        if name in BUILTINS or name in PACKAGES or name in HELPERS or name.startswith("__"):
            raise _Violation(f"a definition of {name}")

    def _check_name(self, node: ast.Name, own: frozenset[str]) -> None:
        name = node.id
        if not isinstance(node.ctx, ast.Load):
            # A parameter may have the name of a builtin, and may be assigned again.
            if name != "_" and not (name in own and name not in BUILTIN_FUNCTIONS and name in BUILTINS):
                self._check_binding(name)
            return
        if name in own and not name.startswith("__") or name in BUILTIN_FUNCTIONS:
            return
        if name not in self.defined or name in BUILTINS or name.startswith("__") or name in PACKAGES:
            raise _Violation(f"the name {name}, which is not defined")

    def _check_attribute(self, node: ast.Attribute) -> None:
        root, path = _find_root(node), _write_path(node)
        if not isinstance(node.ctx, ast.Load) or node.attr.startswith("_") or isinstance(node.value, ast.Constant):
            raise _Violation(f"the attribute {node.attr}")
        if root in PACKAGES and path not in ALLOWED:
            raise _Violation(f"the attribute {path}")
        if root == "xp" and (node.attr not in XP_NAMES or path != f"xp.{node.attr}"):
            raise _Violation(f"the attribute {path}")

    def _check_call(self, node: ast.expr) -> None:
        match node:
            case ast.Name() | ast.Call() | ast.Subscript() | ast.IfExp():
                pass
            case ast.Attribute():
                own = isinstance(node.value, ast.Name) and node.value.id == "self"
                if _find_root(node) not in (*PACKAGES, "xp") and not own and node.attr not in ("append", "extend"):
                    raise _Violation(f"a call of {node.attr}")
            case _:
                raise _Violation(f"a call of a {type(node).__name__}")

    def _check_raise(self, node: ast.Raise) -> None:
        match node.exc:
            case ast.Call(func=ast.Name(id="ValueError"), args=[ast.Constant(value=str())], keywords=[]):
                if node.cause is None:
                    return
        raise _Violation("another error")


def _is_helper(node: ast.FunctionDef) -> bool:
    return node.name in HELPER_TREES and HELPER_TREES[node.name] == ast.dump(node)


def _is_constant(node: ast.expr) -> bool:
    """Return whether an expression has only literal numbers, so that Python computes it when it compiles."""
    return all(
        isinstance(part, (ast.BinOp, ast.UnaryOp, ast.Constant))
        for part in ast.walk(node)
        if isinstance(part, ast.expr)
    )


def _is_power(node: ast.expr) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow)


def _find_root(node: ast.expr) -> str:
    """Return the name that a chain of attributes begins with, "" if it begins with another expression."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _write_path(node: ast.expr) -> str:
    """Return a dotted name as text, "" for any other expression."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""
