"""Translate comparisons, logical operators and conditional expressions, of numbers or elementwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.parse import Unported, list_parts, read_text
from luxport.porting.translate.scope import Scope
from luxport.porting.translate.writing import Code, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["COMPARISONS", "LOGIC", "write_chain", "choose_value", "compare", "is_compared", "join_conditions", "negate"]

COMPARISONS = {
    "==": "==",
    "===": "is",
    "!=": "!=",
    "≠": "!=",
    "!==": "is not",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
    "≤": "<=",
    "≥": ">=",
}
LOGIC = {"&&": "and", "||": "or", "&": "&", "|": "|", "⊻": "^"}
LOGIC |= {".&&": "&", ".||": "|", ".&": "&", ".|": "|", ".⊻": "^"}
_ELEMENTWISE = {"&&": "&", "||": "|"}


def is_compared(node: Node) -> bool:
    """Return whether a node is a comparison without brackets around it, as the inner one of ``a < b < c``."""
    return node.type == "binary_expression" and read_text(node.named_children[1]).removeprefix(".") in COMPARISONS


def write_chain(here: Scope, node: Node) -> Code:
    """Translate ``a < b < c`` into Python's chain, and ``a .< b .< c`` into ``(a < b) & (b < c)``."""
    values: list[Code] = []
    symbols: list[str] = []
    while is_compared(node):
        node, operator, right = node.named_children
        values.insert(0, here.write(right))
        symbols.insert(0, read_text(operator))
    values.insert(0, here.write(node))
    pairs = [compare(here, symbol, *values[place : place + 2]) for place, symbol in enumerate(symbols)]
    if all(pair.kind == "flag" for pair in pairs):
        rest = [
            f"{COMPARISONS[symbol]} {write_operand(value)}" for symbol, value in zip(symbols, values[1:], strict=True)
        ]
        return Code(" ".join([write_operand(values[0]), *rest]), "flag", True)
    return Code(" & ".join(map(write_operand, pairs)), "array", True, is_mask=True)


def compare(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """Return a comparison of two numbers, or an elementwise one."""
    each = here.mode != "build" and (symbol.startswith(".") or (here.mode == "scalar" and _has_array(a, b)))
    symbol = symbol.removeprefix(".") if each else symbol
    if symbol not in COMPARISONS:
        raise Unported(f"the operator {symbol}")
    sign = COMPARISONS[symbol]
    if sign in ("is", "is not") and (each or "None" not in (a.text, b.text)):
        sign = {"is": "==", "is not": "!="}[sign]
    return Code(f"{write_operand(a)} {sign} {write_operand(b)}", "array" if each else "flag", True, is_mask=each)


def join_conditions(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """Return two conditions joined by a logical operator, or two integers joined bitwise."""
    each = symbol.startswith(".") or (here.mode == "scalar" and _has_array(a, b))
    if symbol in _ELEMENTWISE and not each:
        return Code(f"{write_operand(a)} {LOGIC[symbol]} {write_operand(b)}", "flag", True)
    sign = _ELEMENTWISE.get(symbol, LOGIC[symbol])
    kinds = {a.kind, b.kind}
    if each and here.mode != "build" and kinds <= {"array", "bound", "unknown", "flag"}:
        return Code(f"{write_operand(a)} {sign} {write_operand(b)}", "array", True, is_mask=a.is_mask or b.is_mask)
    if not each and (kinds == {"number"} or kinds == {"flag"} or (here.mode == "build" and kinds == {"unknown"})):
        return Code(f"{write_operand(a)} {sign} {write_operand(b)}", a.kind, True)
    raise Unported(f"the operator {symbol} of values that may be neither numbers nor booleans")


def negate(here: Scope, symbol: str, code: Code) -> Code:
    """Return the negation of a condition, ``!a``, or elementwise, ``.!a``."""
    if symbol == ".!" or (here.mode == "scalar" and _has_array(code)):
        if code.kind not in ("array", "unknown"):
            raise Unported(f"the operator {symbol}")
        return replace(here.call_xp("logical_not", [code]), is_mask=True)
    return Code(f"not {write_operand(code)}", "flag", True)


def choose_value(here: Scope, node: Node) -> Code:
    """Translate ``a ? b : c``, or an ``if`` that is used as a value and has one expression in each branch."""
    branches = list_parts(node)
    if node.type in ("if_statement", "elseif_clause"):
        condition, yes, *others = branches
        return _choose(here, here.write(condition), _write_branch(here, yes), _write_else(here, others))
    if len(branches) != 3:
        raise Unported("a conditional expression without exactly two branches")
    return _choose(here, *[here.write(child) for child in branches])


def _write_else(here: Scope, others: list[Node]) -> Code:
    if not others:
        raise Unported("a conditional expression without an else")
    first, *rest = others
    if first.type == "elseif_clause":
        condition, yes = list_parts(first)
        return _choose(here, here.write(condition), _write_branch(here, yes), _write_else(here, rest))
    if first.type != "else_clause" or rest:
        raise Unported("a conditional expression without exactly one expression in each branch")
    return _write_branch(here, first)


def _write_branch(here: Scope, node: Node) -> Code:
    while node.type in ("block", "else_clause", "return_statement"):
        inner = list_parts(node)
        if len(inner) != 1:
            raise Unported("a conditional expression without exactly one expression in each branch")
        (node,) = inner
    return here.write(node)


def _choose(here: Scope, condition: Code, yes: Code, no: Code) -> Code:
    if condition.kind == "array" and here.mode == "scalar":
        if not _has_array(yes, no):
            raise Unported("a choice between two numbers for each element")
        return here.call_xp("where", [condition, yes, no])
    kind = yes.kind if yes.kind == no.kind else "unknown"
    return Code(f"{write_operand(yes)} if {write_operand(condition)} else {write_operand(no)}", kind, True)


def _has_array(*values: Code) -> bool:
    return any(value.kind == "array" for value in values)
