"""Julia's operators: those of elements and of numbers as Python's, products of matrices with the axes reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.porting.translate.drawn import array_drawn
from luxport.porting.translate.functions import ACTIVATIONS, DEVICE_MAKERS
from luxport.porting.translate.parse import Unported, last_name, text
from luxport.porting.translate.writing import Code, call, group, operand

if TYPE_CHECKING:
    from tree_sitter import Node

    from luxport.porting.translate.expressions import Translator

__all__ = ["binary", "unary"]

_SAME = {"+": "+", "-": "-", "÷": "//", "%": "%", "^": "**", "/": "/"}
_COMPARISONS = {
    "==": "==",
    "===": "is",
    "!=": "!=",
    "≠": "!=",
    "!==": "is not",
    "<": "<",
    ">": ">",
    "<=": "<=",
    ">=": ">=",
}
_COMPARISONS |= {"≤": "<=", "≥": ">="}
_EACH = {".+": "+", ".-": "-", ".*": "*", ".÷": "//"}
_LOGIC = {"&&": "and", "||": "or"}


def binary(t: Translator, node: Node) -> Code:
    """Return an operator with two sides."""
    if node.type == "juxtaposition_expression":
        (left, right), symbol = node.named_children, "*"
    else:
        left, operator, right = node.named_children
        symbol = text(operator)
    if symbol == "|>":
        return _piped(t, left, right)
    if symbol == "∘" and t.mode == "build":
        return group("luxport.Chain(", [t.layer(right), t.layer(left)], ")", "layer")
    if symbol == "=>" and t.mode == "build":
        ends = [t.code(left), t.code(right)]
        if any(end.kind not in ("number", "unknown") for end in ends):
            raise Unported("a pair of other than numbers")
        return group("(", ends, ")", "pair")
    if symbol in ("=>", "∘"):
        raise Unported(f"{symbol} in this place")
    if t.mode == "build" and symbol.removeprefix(".") in ("*", "/"):
        drawn = array_drawn(t, node)
        if drawn is not None:
            return drawn
    a, b = t.code(left), t.code(right)
    if symbol.removeprefix(".") == "⊠":
        return Code(f"{operand(b)} @ {operand(a)}", "array", True)
    if symbol.startswith(".") and symbol[1:] in _COMPARISONS and t.mode != "build":
        sign = {"===": "==", "!==": "!="}.get(symbol[1:], _COMPARISONS[symbol[1:]])
        return Code(f"{operand(a)} {sign} {operand(b)}", "array", True)
    if symbol in _COMPARISONS:
        if left.type == "binary_expression" and a.kind == "flag":
            raise Unported("a chain of comparisons")
        sign = _COMPARISONS[symbol]
        if sign in ("is", "is not") and "None" not in (a.text, b.text):
            sign = {"is": "==", "is not": "!="}[sign]
        return Code(f"{operand(a)} {sign} {operand(b)}", "flag", True)
    if symbol in _LOGIC:
        return Code(f"{operand(a)} {_LOGIC[symbol]} {operand(b)}", "flag", True)
    if (a.kind, b.kind, t.mode) == ("sizes", "number", "build") and symbol in _EACH:
        return Code(f"tuple([size {_EACH[symbol]} {operand(b)} for size in {a.text}])", "sizes")
    if {a.kind, b.kind} & {
        "drawn",
        "pair",
        "tuple",
        "rng",
        "device",
        "record",
        "layer",
        "function",
        "layers",
        "flag",
        "text",
        "sizes",
    }:
        raise Unported(f"{symbol} of something that is neither number nor array")
    dotted = symbol.startswith(".") or t.mode == "scalar"
    sign = {**_SAME, "*": "*", "×": "*"}.get(symbol.removeprefix("."))
    if sign is None:
        raise Unported(f"the operator {symbol}")
    numbers = [side.kind == "number" or t.mode == "build" for side in (a, b)]
    kind = "number" if all(numbers) else "array"
    if symbol == "*" and not dotted and not any(numbers):
        return t.helper("product", [a, b])
    if symbol in ("^", "÷", "%") and not dotted and not all(numbers):
        raise Unported(f"{symbol} of what may be a matrix")
    if symbol == "/" and not dotted and not numbers[1]:
        raise Unported("a division by what may be a matrix")
    if sign in ("//", "%") and kind == "array":
        raise Unported(f"{symbol}, which for negative numbers Julia rounds otherwise")
    return Code(f"{operand(a)} {sign} {operand(b)}", kind, True)


def unary(t: Translator, node: Node) -> Code:
    """Return an operator with one side."""
    operator, inner = node.named_children
    code, symbol = t.code(inner), text(operator)
    if symbol == "!":
        return Code(f"not {operand(code)}", "flag", True)
    if symbol.removeprefix(".") not in ("-", "+") or code.kind not in ("number", "array", "unknown"):
        raise Unported(f"the operator {symbol}")
    return Code(f"{symbol.removeprefix('.')}{operand(code)}", code.kind, True)


def _piped(t: Translator, left: Node, right: Node) -> Code:
    """``x |> f``; what moves a model to a device leaves it what it is."""
    name = last_name(right)
    if name in ("cpu", "gpu", "f32") and name not in t.kinds or t.kinds.get(name) == "device":
        return t.layer(left) if t.mode == "build" else t.code(left)
    if right.type == "call_expression" and last_name(right.named_children[0]) in DEVICE_MAKERS:
        return t.layer(left) if t.mode == "build" else t.code(left)
    if right.type == "field_expression" and not name:
        part = t.code(right)
        if part.kind == "bound":
            return call(part.text, [t.code(left)], None, "array")
        if part.kind == "device":
            return t.layer(left) if t.mode == "build" else t.code(left)
    if right.type == "arrow_function_expression" and t.mode != "build":
        return call(t.code(right).text, [t.code(left)], None, "array")
    if name in t.kinds and t.kinds[name] in ("function", "builder", "bound"):
        return call(t.name(name), [t.code(left)], None, "layer" if t.kinds[name] == "builder" else "array")
    if name in ACTIVATIONS and name not in t.kinds and t.mode != "build":
        return call(ACTIVATIONS[name], [t.code(left)], None, "array")
    raise Unported("a pipe into a function that is not known here")
