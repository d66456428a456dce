"""Translate Julia's functions of numbers and lists: division and rounding, lengths, tests for empty or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from luxport.porting.translate.options import expect_positional, read_only_argument
from luxport.porting.translate.parse import Arguments, Unported, read_arguments, read_last_name, read_text
from luxport.porting.translate.scope import Builder, Scope, can_make_layers
from luxport.porting.translate.writing import Code, call, write_operand

__all__ = [
    "ARGUMENT_COUNTS",
    "NUMBERS",
    "PIPED",
    "build_if_else",
    "call_on_numbers",
    "make_rounding",
    "write_truncated",
]


def write_truncated(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """Translate ``÷`` and ``%``, which round toward zero, as Python's do only for nonnegative numbers."""
    if _is_nonnegative(a) and _is_nonnegative(b):
        return Code(f"{write_operand(a)} {'//' if symbol == '÷' else '%'} {write_operand(b)}", "number", True)
    return here.call_helper("quotient" if symbol == "÷" else "remainder", [a, b]).with_kind("number")


def _is_nonnegative(code: Code) -> bool:
    return re.fullmatch(r"(\d+(?!\w)|\w+\.shape\[-?\d+\]|len\(\w+\)|[ ()+*]|//)+", code.text) is not None


def _make_division(name: str) -> Builder:
    """Return a builder for ``div``, ``rem``, ``mod``, ``fld`` or ``cld``, which differ for negative numbers."""

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords()
        a, b = [here.write(node) for node in expect_positional(given, 2)]
        kinds = {a.kind, b.kind} | ({"unknown"} if here.mode == "build" else set())
        if not kinds <= {"number", "unknown"} or (here.mode != "build" and kinds != {"number"}):
            raise Unported(f"{name} of a value that may not be a number")
        if name in ("div", "rem"):
            return write_truncated(here, "÷" if name == "div" else "%", a, b)
        if name == "cld":
            return Code(f"-(-{write_operand(a)} // {write_operand(b)})", "number")
        return Code(f"{write_operand(a)} {'%' if name == 'mod' else '//'} {write_operand(b)}", "number", True)

    return build


def call_on_numbers(here: Scope, name: str, values: list[Code]) -> Code | None:
    """Return a call of a function of numbers, None if the values may be arrays."""
    kinds = {value.kind for value in (values[1:] if name == "ifelse" else values)}
    if not kinds <= {"number", "unknown"} or (here.mode != "build" and kinds != {"number"}):
        return None
    if any(value.text.startswith("*") for value in values) or len(values) != ARGUMENT_COUNTS.get(name, 1):
        return None if name not in ("max", "min") else call(name, values, None, "number")
    if name == "ifelse":
        condition, yes, no = values
        return Code(f"{write_operand(yes)} if {write_operand(condition)} else {write_operand(no)}", "number", True)
    if name == "clamp":
        x, low, high = values
        return call("min", [call("max", [x, low]), high], None, "number")
    if name in ("min", "max", "abs"):
        return call(name, values, None, "number")
    return call(f"math.{name}", values, None, "number") if name in _OF_MATH else None


ARGUMENT_COUNTS = {"clamp": 3, "ifelse": 3, "max": 2, "min": 2}
"""How many arguments these functions take; all others take one."""
_OF_MATH = ("ceil", "exp", "floor", "log", "log2", "sqrt")


def _make_math(name: str) -> Builder:
    """Return a builder for ``gcd``, ``lcm`` or ``isqrt``."""

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords()
        values = [here.write(node) for node in expect_positional(given, 1 if name == "isqrt" else 2)]
        if not {value.kind for value in values} <= {"number", "unknown"} or here.mode != "build":
            raise Unported(f"{name} of a value that may not be a number")
        return call(f"math.{name}", values, None, "number")

    return build


def make_rounding(name: str) -> Builder:
    """Return a builder for ``floor(Int, x)`` and others, by the name of Python's function."""

    def build(here: Scope, given: Arguments) -> Code:
        given.expect_keywords()
        kind, number = expect_positional(given, 2)
        x = here.write(number)
        if read_text(kind) not in ("Int", "Int64") or x.kind not in ("number", "unknown"):
            raise Unported("rounding of something other than a number to an integer")
        return Code(f"{name}({x.text})", "number")

    return build


def _build_integer(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    if x.kind != "number" and (x.kind != "unknown" or here.mode != "build"):
        raise Unported("a number expected")
    return Code(f"int({x.text})", "number")


def _build_nearest(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    if x.kind not in ("number", "unknown") or here.mode != "build":
        raise Unported("round of a value that may not be a number")
    return call("round", [x], None, "number")


def _build_convert(here: Scope, given: Arguments) -> Code:
    """Translate ``convert(Int, x)``."""
    kind, number = expect_positional(given, 2)
    if read_text(kind) not in ("Int", "Int64"):
        raise Unported("a conversion to something other than integers")
    return _build_integer(here, Arguments([number], given.named, given.splats, given.block))


def _build_mod1(here: Scope, given: Arguments) -> Code:
    """Translate ``mod1(a, b)``, which is between 1 and b."""
    given.expect_keywords()
    a, b = [here.write(node) for node in expect_positional(given, 2)]
    if not {a.kind, b.kind} <= {"number", "unknown"} or here.mode != "build":
        raise Unported("mod1 of a value that may not be a number")
    return Code(f"({write_operand(a)} - 1) % {write_operand(b)} + 1", "number", True)


def _build_fold(here: Scope, given: Arguments) -> Code:
    """Translate ``reduce(*, sizes)``."""
    given.expect_keywords("init")
    function, sizes = expect_positional(given, 2)
    x, start = here.write(sizes), given.named.get("init")
    if read_text(function) not in _FOLDS or x.kind != "sizes":
        raise Unported("a reduction that is not a sum or a product of numbers")
    name, neutral = _FOLDS[read_text(function)]
    if start is not None and read_text(start) != neutral:
        raise Unported("a reduction with another initial value")
    return Code(f"{name}({x.text})", "number")


_FOLDS = {"+": ("sum", "0"), "*": ("math.prod", "1")}


def _make_parity(sign: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        x = read_only_argument(here, given)
        if x.kind != "number" and here.mode != "build":
            raise Unported("a number expected")
        return Code(f"{write_operand(x)} % 2 {sign} 0", "flag", True)

    return build


def _build_product(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    # ``prod([a, b])``: entries of unknown kind are variables, which are numbers in code that builds layers.
    in_place = x.kind == "layers" and given.positional[0].type == "vector_expression"
    if not (x.kind in ("sizes", "unknown") or in_place) or here.mode != "build":
        raise Unported("a product of something other than sizes")
    return Code(f"math.prod({x.text})", "number")


def _build_length(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    if x.kind not in ("sizes", "layers") and here.mode != "build":
        return Code(here.call_helper("count_entries", [x]).text, "number")
    return Code(f"len({x.text})", "number")


def _build_is_empty(here: Scope, given: Arguments) -> Code:
    x = read_only_argument(here, given)
    if x.kind not in ("sizes", "layers", "several", "keywords"):
        raise Unported("isempty of an array")
    return Code(f"len({x.text}) == 0", "flag", True)


def _build_is_nothing(here: Scope, given: Arguments) -> Code:
    return Code(f"{write_operand(read_only_argument(here, given))} is None", "flag", True)


def build_if_else(here: Scope, given: Arguments) -> Code:
    """Translate ``ifelse(condition, a, b)`` in code that builds layers."""
    given.expect_keywords()
    condition, yes, no = expect_positional(given, 3)
    if here.mode != "build":
        raise Unported("ifelse without a dot is not a function of arrays")
    layers = any(can_make_layers(here, value) or read_last_name(value) == "flatten" for value in (yes, no))
    read = here.write_layer_or_number if layers else here.write
    asked, values = here.write_condition(condition), [read(value) for value in (yes, no)]
    kind = values[0].kind if values[0].kind == values[1].kind else "unknown"
    return Code(f"{write_operand(values[0])} if {write_operand(asked)} else {write_operand(values[1])}", kind, True)


def _make_list_builder(name: str) -> Builder:
    """Return a builder for ``Tuple(xs)`` or ``collect(xs)``, which are lists here."""

    def build(here: Scope, given: Arguments) -> Code:
        inner = given.positional[0] if len(given.positional) == 1 else None
        if inner is not None and read_last_name(inner.named_children[0] if inner.named_children else inner) == "zip":
            sequences = [here.write(node) for node in read_arguments(inner).positional]
            if here.mode == "build" and "zip" not in here.kinds:  # pairs of the entries of lists
                return Code(f"[*zip({', '.join(entry.text for entry in sequences)})]", "layers")
        x = read_only_argument(here, given)
        if x.kind not in ("layers", "sizes", "several"):
            raise Unported(f"{name} of something that is not a list")
        return call("tuple", [x], None, x.kind) if name == "Tuple" else x

    return build


NUMBERS: Mapping[str, Builder] = {
    **{name: _make_division(name) for name in ("cld", "div", "fld", "mod", "rem")},
    "Int": _build_integer,
    "Int64": _build_integer,
    "Tuple": _make_list_builder("Tuple"),
    "collect": _make_list_builder("collect"),
    "convert": _build_convert,
    "foldl": _build_fold,
    "isempty": _build_is_empty,
    **{name: _make_math(name) for name in ("gcd", "isqrt", "lcm")},
    "iseven": _make_parity("=="),
    "isnothing": _build_is_nothing,
    "isodd": _make_parity("!="),
    "length": _build_length,
    "mod1": _build_mod1,
    "prod": _build_product,
    "reduce": _build_fold,
    "round": _build_nearest,
}
"""The builder for each function, by its name in Julia."""

PIPED = {*NUMBERS, "abs", "ceil", "first", "floor", "last", "maximum", "minimum", "sqrt", "sum"}
"""Functions that may follow ``|>`` after numbers and sizes, in code that builds layers."""
