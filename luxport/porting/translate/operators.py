"""Translate Julia's operators: arithmetic, powers, pipes, and matrix products with the axes reversed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from luxport.porting.translate.comparisons import (
    COMPARISONS,
    LOGIC,
    compare,
    is_compared,
    join_conditions,
    negate,
    write_chain,
)
from luxport.porting.translate.drawn_arrays import write_drawn_array
from luxport.porting.translate.numbers import PIPED, write_truncated
from luxport.porting.translate.parse import Unported, read_arguments, read_last_name, read_text
from luxport.porting.translate.scope import Scope, rewrite
from luxport.porting.translate.tables import ACTIVATIONS, DEVICE_MAKERS
from luxport.porting.translate.writing import Code, call, group, write_operand

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["write_binary", "write_operator_call", "write_unary"]

_SIGNS = {"+": "+", "-": "-", "÷": "//", "fld": "//", "%": "%", "^": "**", "/": "/", "*": "*", "×": "*"}
_DOTTED = {".+": "+", ".-": "-", ".*": "*", ".÷": "//", ".%": "%"}
_NOT_ARITHMETIC = {"device", "drawn", "flag", "function", "layer", "layers", "pair", "record", "rng", "sizes", "table"}
_NOT_ARITHMETIC |= {"text", "tuple"}
"""Kinds of values that arithmetic operators do not take."""
_FUNCTIONS = {".+": "operator.add", ".-": "operator.sub", ".*": "operator.mul"}


def _split_operands(node: Node) -> tuple[Node, str, Node]:
    if node.type == "juxtaposition_expression":
        left, right = node.named_children
        return left, "*", right
    left, operator, right = node.named_children
    return left, read_text(operator), right


def _write_powers(here: Scope, node: Node) -> Code:
    """Translate powers, which associate to the right and bind tighter than a factor before: ``2x^2`` is ``2 * x^2``.

    The grammar parses both the other way round.
    """
    operands: list[Node] = []
    symbols: list[str] = []
    while node.type == "binary_expression" and read_text(node.named_children[1]) in ("^", ".^"):
        node, operator, right = node.named_children
        operands.append(right)
        symbols.append(read_text(operator))
    operands.append(node)
    result = here.write(operands[0])
    for base, symbol in zip(operands[1:], symbols, strict=True):
        sign, inner = _read_sign(base)
        if sign:  # -(a)^2 is -(a^2)
            power = _write_arithmetic(here, symbol, here.write(inner), result)
            result = Code(f"{sign}{write_operand(power)}", power.kind, True)
        elif base.type == "juxtaposition_expression":
            factor, inner = base.named_children
            result = _write_arithmetic(
                here, "*", here.write(factor), _write_arithmetic(here, symbol, here.write(inner), result)
            )
        else:
            result = _write_arithmetic(here, symbol, here.write(base), result)
    return result


def _read_sign(node: Node) -> tuple[str, Node]:
    """Return the sign and the operand of ``-(a)``, or no sign and the node itself."""
    if node.type == "call_expression" and read_text(node.named_children[0]) in ("-", "+"):
        given = read_arguments(node).positional
        if len(given) == 1 and given[0].type != "splat_expression":
            return read_text(node.named_children[0]), given[0]
    return "", node


def write_operator_call(here: Scope, node: Node) -> Code:
    """Translate an operator that is called like a function: ``+(a, b)``, ``-(a)`` or ``!(a)``.

    Raises: Unported if there is no counterpart
    """
    symbol, given = read_text(node.named_children[0]), read_arguments(node)
    given.expect_keywords()
    if symbol in ("√", ".√") and len(given.positional) == 1:
        return _write_root(here, node, symbol, given.positional[0])
    values = [here.write(value) for value in given.positional]
    if symbol in ("+", "*") and here.mode != "build" and any(value.text.startswith("*") for value in values):
        if symbol == "+":
            return here.call_helper("add", values)
        raise Unported("a product of values that may be matrices")
    if not values or any(value.text.startswith("*") for value in values):
        raise Unported(f"{symbol} of a splat")
    if len(values) == 1 and symbol in ("-", "+", "!", ".!"):
        return _write_sign(here, symbol, values[0])
    if len(values) == 1 or (len(values) > 2 and symbol not in ("+", "*")):
        raise Unported(f"the operator {symbol} of {len(values)} arguments")
    result = values[0]
    for value in values[1:]:
        result = _write_operator(here, symbol, result, value)
    return result


def write_binary(here: Scope, node: Node) -> Code:
    """Translate a binary operator."""
    left, symbol, right = _split_operands(node)
    if symbol in ("^", ".^"):
        return _write_powers(here, node)
    if symbol == "|>":
        return _write_pipe(here, left, right)
    if symbol == "∘" and here.mode == "build":
        return group("luxport.Chain(", [here.write_layer(right), here.write_layer(left)], ")", "layer")
    if symbol == "=>" and here.mode == "build":
        ends = [here.write(left), here.write(right)]
        if any(end.kind not in ("number", "unknown") for end in ends):
            raise Unported("a pair of values that are not numbers")
        return group("(", ends, ")", "pair")
    if symbol in ("=>", "∘"):
        raise Unported(f"{symbol} in a function of arrays")
    if here.mode == "build" and symbol.removeprefix(".") in ("*", "/"):
        drawn = write_drawn_array(here, node)
        if drawn is not None:
            return drawn
    if symbol.removeprefix(".") in COMPARISONS and is_compared(left):
        return write_chain(here, node)
    a = here.write(left)
    if symbol in ("in", "∈", "∉") and here.mode == "build":
        several = here.write(right)
        if several.kind not in ("sizes", "unknown"):
            raise Unported("`in` of something that is not a list of numbers")
        return Code(f"{write_operand(a)} {'not in' if symbol == '∉' else 'in'} {write_operand(several)}", "flag", True)
    if symbol in ("<<", ">>") and here.mode == "build":  # for a count >= 0
        return _write_arithmetic(
            here,
            "*" if symbol == "<<" else "fld",
            a,
            _write_arithmetic(here, "^", Code("2", "number"), here.write(right)),
        )
    return _write_operator(here, symbol, a, here.write(right))


def _write_operator(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    if symbol.removeprefix(".") == "⊠":
        return Code(f"{write_operand(b)} @ {write_operand(a)}", "array", True)
    if symbol.removeprefix(".") in COMPARISONS:
        return compare(here, symbol, a, b)
    if symbol in LOGIC:
        return join_conditions(here, symbol, a, b)
    return _write_arithmetic(here, symbol, a, b)


def _write_arithmetic(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """Return an arithmetic operation on numbers or arrays."""
    kinds = {a.kind, b.kind}
    if symbol in _DOTTED and here.mode == "build" and kinds <= {"sizes", "number", "unknown"} and kinds != {"number"}:
        return _write_for_each(here, symbol, a, b)
    if kinds & _NOT_ARITHMETIC:
        raise Unported(f"{symbol} of something that is neither number nor array")
    dotted = symbol.startswith(".") or here.mode == "scalar"
    sign = _SIGNS.get(symbol.removeprefix("."))
    if sign is None:
        raise Unported(f"the operator {symbol}")
    if a.is_mask or b.is_mask:
        a, b = _count_booleans(here, sign, a, b)
    numbers = [side.kind == "number" or here.mode == "build" for side in (a, b)]
    kind = "number" if all(numbers) else "array"
    if symbol == "*" and not dotted and not any(numbers):
        return here.call_helper("matmul", [a, b])
    if symbol in ("^", "÷", "%") and not dotted and not all(numbers):
        raise Unported(f"{symbol} of a value that may be a matrix")
    if symbol == "/" and not dotted and not numbers[1]:
        raise Unported("a division by a value that may be a matrix")
    if symbol == "fld":
        return Code(f"{write_operand(a)} // {write_operand(b)}", kind, True)
    if sign in ("//", "%"):
        if kind == "array":
            raise Unported(f"{symbol}, which for negative numbers Julia rounds otherwise")
        return write_truncated(here, symbol.removeprefix("."), a, b)
    if sign == "**" and (power := _write_power(a, b)) is not None:
        return power
    return Code(f"{write_operand(a)} {sign} {write_operand(b)}", kind, True)


def _count_booleans(here: Scope, sign: str, a: Code, b: Code) -> tuple[Code, Code]:
    """Return the operands with a boolean array as numbers 0 and 1, as Julia does; frameworks differ."""
    if a.is_mask and b.is_mask:
        raise Unported(f"{sign} of two boolean arrays")
    if a.is_mask:
        return here.call_helper("convert_mask", [a, b]), b
    return a, here.call_helper("convert_mask", [b, a])


def _write_for_each(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """Return a dotted operator applied to sizes, or to values that may be one size or several."""
    if a.kind == "sizes" and b.kind == "number":
        if symbol in (".÷", ".%"):
            inner = write_truncated(here, symbol[1:], Code("size"), b).text
        else:
            inner = f"size {_DOTTED[symbol]} {write_operand(b)}"
        return Code(f"tuple([{inner} for size in {a.text}])", "sizes")
    whole = {".÷": "quotient", ".%": "remainder"}
    function = here.name_helper(whole[symbol]) if symbol in whole else Code(_FUNCTIONS[symbol], "function")
    kind = "sizes" if "sizes" in (a.kind, b.kind) else "unknown"
    return here.call_helper("apply_elementwise", [function, a, b]).with_kind(kind)


def _write_power(a: Code, b: Code) -> Code | None:
    """Return a power of integer literals, None for other operands; Julia computes it in 64 bits."""
    if not (re.fullmatch(r"\d+( \*\* \d+)?", a.text) and re.fullmatch(r"\d+( \*\* \d+)?", b.text)):
        return None
    base, power = [int.__pow__(*map(int, [*code.text.split(" ** "), "1"][:2])) for code in (a, b)]
    if base > 1 and power >= 64 or base**power >= 1 << 63:
        raise Unported("a power beyond 64 bits")
    return Code(f"{base} ** {power}", "number", True)


def write_unary(here: Scope, node: Node) -> Code:
    """Translate a unary operator."""
    operator, inner = node.named_children
    if read_text(operator) in ("√", ".√"):
        return _write_root(here, node, read_text(operator), inner)
    return _write_sign(here, read_text(operator), here.write(inner))


def _write_root(here: Scope, node: Node, symbol: str, inner: Node) -> Code:
    return rewrite(here, node, f"sqrt{symbol.removesuffix('√')}({read_text(inner)})")


def _write_sign(here: Scope, symbol: str, code: Code) -> Code:
    if symbol in ("!", ".!"):
        return negate(here, symbol, code)
    if symbol.removeprefix(".") not in ("-", "+") or code.kind not in ("number", "array", "unknown"):
        raise Unported(f"the operator {symbol}")
    return Code(f"{symbol.removeprefix('.')}{write_operand(code)}", code.kind, True)


def _write_pipe(here: Scope, left: Node, right: Node) -> Code:
    """Translate ``x |> f``; moving a model to a device is dropped."""
    name = read_last_name(right)
    if name in ("cpu", "gpu", "f32") and name not in here.kinds or here.kinds.get(name) == "device":
        return here.write_value(left)
    if right.type == "call_expression" and read_last_name(right.named_children[0]) in DEVICE_MAKERS:
        return here.write_value(left)
    if right.type == "field_expression" and not name:
        part = here.write(right)
        if part.kind == "bound":
            return call(part.text, [here.write(left)], None, "array")
        if part.kind == "device":
            return here.write_value(left)
    if right.type == "arrow_function_expression" and here.mode != "build":
        return call(here.write(right).text, [here.write(left)], None, "array")
    if name in here.kinds and here.kinds[name] in ("function", "builder", "bound"):
        return call(here.spell(name), [here.write(left)], None, "layer" if here.kinds[name] == "builder" else "array")
    if name in ACTIVATIONS and name not in here.kinds and here.mode != "build":
        return call(ACTIVATIONS[name], [here.write(left)], None, "array")
    if name in PIPED and name not in here.kinds and here.mode == "build":
        return rewrite(here, left, f"{name}({read_text(left)})")
    if here.mode == "build" or right.type not in ("identifier", "field_expression", "index_expression"):
        raise Unported("a pipe into a function that is not known here")
    return rewrite(here, left, f"{read_text(right)}({read_text(left)})")
