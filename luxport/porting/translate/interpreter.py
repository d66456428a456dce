"""`Interpreter`: compute what a generated module would compute on import, without running it, and count every step.

It walks a syntax tree that `module_checks` has accepted. Nothing is compiled or executed: it checks the sizes of
numbers, strings and sequences before it makes them, evaluates the module's own functions step by step, and calls only
luxport's constructors, whose layers hold no arrays. So it ends soon for any source, and tells which statements would
not.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import luxport
from luxport.porting.translate.interpreter_functions import COUNTED, BoundedValues
from luxport.porting.translate.interpreter_names import (
    BUILTINS,
    COMPARED,
    GIVEN,
    INITIALIZER_FUNCTIONS,
    MAKERS,
    METHODS,
    OPERATORS,
    UNARY,
)
from luxport.porting.translate.interpreter_values import (
    BreakSignal,
    Budget,
    ContinueSignal,
    DefaultFactory,
    LocalNames,
    OwnClass,
    OwnRecord,
    ReturnSignal,
    TooExpensive,
    WouldRaise,
)

__all__ = ["Interpreter"]

_DEEPEST = 40
_LAYER, _CLASS, _COMPACT = 100, 1000, 400
"""Steps to spend for making one of these, about its time in microseconds."""


class Interpreter:
    """The state of evaluating a module: its names, the remaining budget, and what to undo if a statement fails."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.names: dict[str, Any] = {}
        self.bodies: dict[Any, tuple[ast.arguments, list[ast.stmt] | ast.expr, dict[str, Any], dict[str, Any]]] = {}
        self.bounded = BoundedValues(budget)
        self.changed: list[tuple[list[Any], int]] = []
        self.depth = 0

    def run_statement(self, node: ast.stmt) -> None:
        """Evaluate a statement of the module; if it fails, lists that it changed are restored.

        Raises: WouldRaise, TooExpensive
        """
        self.changed.clear()
        self.depth = 0
        try:
            self._execute(node, self.names)
        except (ReturnSignal, BreakSignal, ContinueSignal):
            raise WouldRaise("a form that Python does not have") from None
        except (WouldRaise, TooExpensive):
            self._undo()
            raise
        except (RecursionError, MemoryError):
            self._undo()
            raise TooExpensive("it computes too much when it is imported") from None
        except Exception as error:
            self._undo()
            raise WouldRaise(f"{type(error).__name__}: {error}") from error

    def find_lists(self, node: ast.AST) -> set[str]:
        """Return the names in a statement that are lists, which it may change."""
        found = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        return {name for name in found if isinstance(self.names.get(name), list)}

    def _undo(self) -> None:
        for changed, length in reversed(self.changed):
            del changed[length:]

    def _run_block(self, statements: Iterable[ast.stmt], names: dict[str, Any]) -> None:
        for node in statements:
            self._execute(node, names)

    def _execute(self, node: ast.stmt, names: dict[str, Any]) -> None:
        self.budget.spend(1)
        match node:
            case ast.Assign(targets=targets):
                value = self.evaluate(node.value, names)
                for target in targets:
                    self._bind(target, value, names)
            case ast.AugAssign(target=ast.Name(id=name), op=op):
                names[name] = self.bounded.compute(type(op), names[name], self.evaluate(node.value, names))
            case ast.Expr():
                self.evaluate(node.value, names)
            case ast.Return():
                raise ReturnSignal(None if node.value is None else self.evaluate(node.value, names))
            case ast.Raise():
                raise WouldRaise("an error that the source itself raises")
            case ast.If():
                self._run_block(node.body if self._find_truth(self.evaluate(node.test, names)) else node.orelse, names)
            case ast.While():
                self._run_loop(iter(lambda: self._find_truth(self.evaluate(node.test, names)), False), node, names)
            case ast.For():
                self._run_loop(self.bounded.expect_entries(self.evaluate(node.iter, names)), node, names)
            case ast.FunctionDef():
                function = self._make_function(node.name, node.args, node.body, names)
                for decorator in reversed(node.decorator_list):
                    self.budget.spend(_COMPACT)
                    function = self.bounded.note_weight(self.evaluate(decorator, names)(function), [])
                names[node.name] = function
            case ast.ClassDef():
                names[node.name] = self._make_class(node, names)
            case ast.Break():
                raise BreakSignal
            case ast.Continue():
                raise ContinueSignal
            case ast.Pass() | ast.Import():
                pass
            case _:
                raise TooExpensive(f"the cost of a {type(node).__name__} is unknown")

    def _run_loop(self, over: Iterable[Any], node: ast.For | ast.While, names: dict[str, Any]) -> None:
        for entry in over:
            self.budget.spend(1)
            if isinstance(node, ast.For):
                self._bind(node.target, entry, names)
            try:
                self._run_block(node.body, names)
            except ContinueSignal:
                continue
            except BreakSignal:
                return

    def _bind(self, target: ast.expr, value: Any, names: dict[str, Any]) -> None:
        match target:
            case ast.Name(id=name):
                names[name] = value
            case ast.Tuple(elts=parts):
                entries = list(self.bounded.expect_entries(value))
                if len(entries) != len(parts):
                    raise WouldRaise(f"{len(parts)} values expected, got {len(entries)}")
                for part, entry in zip(parts, entries, strict=True):
                    self._bind(part, entry, names)
            case ast.Subscript(value=ast.Name(id=name), slice=index) if isinstance(names[name], dict):
                names[name][self.evaluate(index, names)] = value
            case _:
                raise TooExpensive("an assignment to something other than a name")

    def _make_function(
        self, name: str, given: ast.arguments, body: list[ast.stmt] | ast.expr, names: dict[str, Any]
    ) -> Callable[..., Any]:
        """Return a stand-in for a function: luxport may store it and inspect its signature, but not call it."""

        def function(*_: Any, **__: Any) -> Any:
            raise TooExpensive(f"{name} is called by a constructor")

        listed = [*given.posonlyargs, *given.args]
        first = len(listed) - len(given.defaults)
        defaults = {
            arg.arg: self.evaluate(node, names) for arg, node in zip(listed[first:], given.defaults, strict=True)
        }
        for arg, node in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            if node is not None:
                defaults[arg.arg] = self.evaluate(node, names)
        kinds = inspect.Parameter
        parts = [(arg.arg, kinds.POSITIONAL_OR_KEYWORD) for arg in listed]
        parts += [(given.vararg.arg, kinds.VAR_POSITIONAL)] if given.vararg else []
        parts += [(arg.arg, kinds.KEYWORD_ONLY) for arg in given.kwonlyargs]
        parts += [(given.kwarg.arg, kinds.VAR_KEYWORD)] if given.kwarg else []
        signature = [kinds(arg, kind, default=defaults.get(arg, kinds.empty)) for arg, kind in parts]
        function.__name__ = function.__qualname__ = name
        function.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
        self.bodies[function] = given, body, defaults, names
        return function

    def _run_function(self, function: Callable[..., Any], given: list[Any], named: dict[str, Any]) -> Any:
        """Evaluate a call of a function that the module defines."""
        _, body, _, around = self.bodies[function]
        self.budget.spend(2 + len(given) + len(named))
        bound = inspect.signature(function).bind(*given, **named)
        bound.apply_defaults()
        self.depth += 1
        if self.depth > _DEEPEST:
            raise TooExpensive("functions that call each other too deep")
        try:
            names = LocalNames(around, bound.arguments)
            if isinstance(body, ast.expr):
                return self.evaluate(body, names)
            self._run_block(body, names)
        except ReturnSignal as returned:
            return returned.value
        finally:
            self.depth -= 1
        return None

    def _make_class(self, node: ast.ClassDef, names: dict[str, Any]) -> OwnClass:
        self.budget.spend(_CLASS)
        by_keyword = any(isinstance(one, ast.Call) and one.keywords for one in node.decorator_list)
        kind = inspect.Parameter.KEYWORD_ONLY if by_keyword else inspect.Parameter.POSITIONAL_OR_KEYWORD
        fields: list[inspect.Parameter] = []
        for part in node.body:
            match part:
                case ast.AnnAssign(target=ast.Name(id=name), value=value):
                    default = inspect.Parameter.empty if value is None else self._evaluate_default(value, names)
                    fields.append(inspect.Parameter(name, kind, default=default))
                case ast.FunctionDef():
                    self._make_function(part.name, part.args, part.body, names)
        return OwnClass(node.name, bool(node.bases), inspect.Signature(fields))

    def _evaluate_default(self, node: ast.expr, names: dict[str, Any]) -> Any:
        match node:
            case ast.Call(func=ast.Attribute(attr="field"), keywords=[ast.keyword(value=ast.Lambda(body=body))]):
                return DefaultFactory(lambda: self.evaluate(body, names))
        return self.evaluate(node, names)

    def evaluate(self, node: ast.expr, names: Mapping[str, Any]) -> Any:
        """Evaluate an expression.

        Raises: WouldRaise, TooExpensive
        """
        self.budget.spend(1)
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                if name in names:
                    return names[name]
                if name in self.names:
                    return self.names[name]
                if name in BUILTINS:
                    return BUILTINS[name]
                raise WouldRaise(f"{name} is not defined yet", name)
            case ast.Attribute():
                return self._read_attribute(node, names)
            case ast.Tuple(elts=parts):
                return tuple(self._evaluate_list(parts, names))
            case ast.List(elts=parts):
                return self._evaluate_list(parts, names)
            case ast.Dict():
                return self._make_dict(node, names)
            case ast.IfExp():
                return self.evaluate(
                    node.body if self._find_truth(self.evaluate(node.test, names)) else node.orelse, names
                )
            case ast.BoolOp(op=op, values=parts):
                value = None
                for part in parts:
                    value = self.evaluate(part, names)
                    if self._find_truth(value) == isinstance(op, ast.Or):
                        break
                return value
            case ast.UnaryOp(op=op):
                return UNARY[type(op)](self.bounded.check_size(self.evaluate(node.operand, names)))
            case ast.BinOp(op=op):
                return self.bounded.compute(type(op), self.evaluate(node.left, names), self.evaluate(node.right, names))
            case ast.Compare():
                return self._compare(node, names)
            case ast.Subscript(slice=index):
                return self._take_entry(self.evaluate(node.value, names), self.evaluate(index, names))
            case ast.Slice():
                ends = [
                    None if end is None else self.evaluate(end, names) for end in (node.lower, node.upper, node.step)
                ]
                return slice(*ends)
            case ast.ListComp():
                found: list[Any] = []
                self._run_comprehension(node.generators, node.elt, LocalNames(names, {}), found)
                return found
            case ast.Lambda():
                return self._make_function("lambda", node.args, node.body, LocalNames(names, {}))
            case ast.Call():
                return self._evaluate_call(node, names)
        raise TooExpensive(f"the cost of a {type(node).__name__} is unknown")

    def _run_comprehension(self, loops: list[ast.comprehension], made: ast.expr, names: Any, found: list[Any]) -> None:
        if not loops:
            found.append(self.evaluate(made, names))
            return
        first, *rest = loops
        for entry in self.bounded.expect_entries(self.evaluate(first.iter, names)):
            self.budget.spend(1)
            self._bind(first.target, entry, names)
            if all(self._find_truth(self.evaluate(condition, names)) for condition in first.ifs):
                self._run_comprehension(rest, made, names, found)

    def _evaluate_list(self, parts: list[ast.expr], names: Mapping[str, Any]) -> list[Any]:
        found: list[Any] = []
        for part in parts:
            if isinstance(part, ast.Starred):
                found += self.bounded.list_entries(self.evaluate(part.value, names))
            else:
                found.append(self.evaluate(part, names))
        return found

    def _make_dict(self, node: ast.Dict, names: Mapping[str, Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                found |= self.bounded.expect_mapping(self.evaluate(value, names))
            else:
                given = self.evaluate(key, names)
                found[given if type(given) is int else str(given)] = self.evaluate(value, names)
        return found

    def _find_truth(self, value: Any) -> bool:
        if isinstance(value, luxport.Layer):
            raise TooExpensive("a layer as a condition")
        return bool(value)

    def _read_attribute(self, node: ast.Attribute, names: Mapping[str, Any]) -> Any:
        path = ast.unparse(node)
        if path in GIVEN:
            return GIVEN[path]
        if path.startswith("luxport."):  # `module_checks` has accepted it as one of a list
            return functools.reduce(getattr, path.split(".")[1:], luxport)
        value = self.evaluate(node.value, names)
        if isinstance(value, OwnRecord):
            return value.fields[node.attr]
        if isinstance(value, list) and node.attr in METHODS[:2]:
            return lambda given: self._extend(
                value, [given] if node.attr == "append" else self.bounded.list_entries(given)
            )
        if isinstance(value, dict) and node.attr in METHODS[2:]:
            return value.get if node.attr == "get" else lambda: list(self.bounded.expect_mapping(value).items())
        raise WouldRaise(f"a {type(value).__name__} has no {node.attr} here")

    def _extend(self, listed: list[Any], entries: list[Any]) -> None:
        self.changed.append((listed, len(listed)))
        listed += entries

    def _take_entry(self, value: Any, index: Any) -> Any:
        if isinstance(value, luxport.Layer):
            return self.bounded.note_weight(value[index], [value])  # type: ignore[index]
        if isinstance(index, slice) and isinstance(value, (list, tuple, str)):
            self.budget.spend(len(value))
        return value[index]

    def _compare(self, node: ast.Compare, names: Mapping[str, Any]) -> bool:
        left = self.evaluate(node.left, names)
        for op, part in zip(node.ops, node.comparators, strict=True):
            right = self.evaluate(part, names)
            self.bounded.weigh([left, right])
            if not COMPARED[type(op)](left, right):
                return False
            left = right
        return True

    def _evaluate_call(self, node: ast.Call, names: Mapping[str, Any]) -> Any:
        function = self.evaluate(node.func, names)
        given = self._evaluate_list(node.args, names)
        named: dict[str, Any] = {}
        for one in node.keywords:
            value = self.evaluate(one.value, names)
            named |= self.bounded.expect_mapping(value) if one.arg is None else {one.arg: value}
        if isinstance(node.func, ast.Name) and node.func.id == "not_ported":
            raise WouldRaise("")
        if function in OPERATORS:
            return self.bounded.compute(OPERATORS[function], *given)
        if function in self.bodies:
            return self._run_function(function, given, named)
        if isinstance(node.func, ast.Name) and node.func.id in COUNTED:
            return COUNTED[node.func.id](self.bounded, *given, **named)
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            return function(*given)
        path = ast.unparse(node.func) if isinstance(node.func, ast.Attribute) else ""
        if path in COUNTED:
            return COUNTED[path](self.bounded, *given, **named)
        if path.startswith("math."):
            return function(*map(self.bounded.check_size, given))
        return self._construct(function, given, named)

    def _construct(self, function: Any, given: list[Any], named: dict[str, Any]) -> Any:
        """Call a constructor of a layer, or of something that layers are made with."""
        layer = isinstance(function, type) and issubclass(function, luxport.Layer)
        if isinstance(function, OwnClass):
            function, layer = lambda *values, made=function.make, **others: made(list(values), others), True
        if not layer and function not in MAKERS and not (function in INITIALIZER_FUNCTIONS and not given):
            raise TooExpensive(f"{getattr(function, '__name__', 'what is called')} is not a constructor")
        self.budget.spend(_LAYER)
        weighed = [*given, *named.values()]
        weight = 1 + self.bounded.weigh(weighed)
        made = function(*given, **named)
        self.bounded.weights[id(made)] = made, weight
        return made
