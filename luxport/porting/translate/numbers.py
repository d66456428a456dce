"""Julia's functions of numbers and of lists: whole ones of both, counts, what is empty or nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

from luxport.porting.translate.options import exactly, only
from luxport.porting.translate.parse import Arguments, Unported, text
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.writing import Code, call, operand

__all__ = ["NUMBERS", "rounded", "truncated"]


def truncated(here: Scope, symbol: str, a: Code, b: Code) -> Code:
    """``÷`` and ``%``, which round towards zero, as Python's do for numbers that are not negative."""
    if _is_positive(a) and _is_positive(b):
        return Code(f"{operand(a)} {'//' if symbol == '÷' else '%'} {operand(b)}", "number", True)
    return here.helper("quotient" if symbol == "÷" else "remainder", [a, b]).of_kind("number")


def _is_positive(code: Code) -> bool:
    return re.fullmatch(r"(\d+(?!\w)|\w+\.shape\[-?\d+\]|len\(\w+\)|[ ()+*]|//)+", code.text) is not None


def _divided(name: str) -> Builder:
    """``div``, ``rem``, ``mod``, ``fld`` and ``cld`` of two numbers, which differ where one is negative."""

    def build(here: Scope, given: Arguments) -> Code:
        given.only()
        a, b = [here.code(node) for node in exactly(given, 2)]
        kinds = {a.kind, b.kind} | ({"unknown"} if here.mode == "build" else set())
        if not kinds <= {"number", "unknown"} or (here.mode != "build" and kinds != {"number"}):
            raise Unported(f"{name} of what may be no number")
        if name in ("div", "rem"):
            return truncated(here, "÷" if name == "div" else "%", a, b)
        if name == "cld":
            return Code(f"-(-{operand(a)} // {operand(b)})", "number")
        return Code(f"{operand(a)} {'%' if name == 'mod' else '//'} {operand(b)}", "number", True)

    return build


def rounded(name: str) -> Builder:
    """Return what reads ``floor(Int, x)``, by Python's name of it."""

    def build(here: Scope, given: Arguments) -> Code:
        given.only()
        kind, number = exactly(given, 2)
        x = here.code(number)
        if text(kind) not in ("Int", "Int64") or x.kind not in ("number", "unknown"):
            raise Unported("rounding of anything but numbers to whole ones")
        return Code(f"{name}({x.text})", "number")

    return build


def _integer(here: Scope, given: Arguments) -> Code:
    x = only(here, given)
    if x.kind != "number":
        raise Unported("a number expected")
    return Code(f"int({x.text})", "number")


def _parity(sign: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        x = only(here, given)
        if x.kind != "number" and here.mode != "build":
            raise Unported("a number expected")
        return Code(f"{operand(x)} % 2 {sign} 0", "flag", True)

    return build


def _product(here: Scope, given: Arguments) -> Code:
    x = only(here, given)
    if x.kind not in ("sizes", "unknown") or here.mode != "build":
        raise Unported("a product of anything but sizes")
    return Code(f"math.prod({x.text})", "number")


def _length(here: Scope, given: Arguments) -> Code:
    x = only(here, given)
    if x.kind not in ("sizes", "layers") and here.mode != "build":
        return Code(here.helper("entries_in", [x]).text, "number")
    return Code(f"len({x.text})", "number")


def _is_empty(here: Scope, given: Arguments) -> Code:
    x = only(here, given)
    if x.kind not in ("sizes", "layers", "several", "keywords"):
        raise Unported("whether an array has entries")
    return Code(f"len({x.text}) == 0", "flag", True)


def _is_nothing(here: Scope, given: Arguments) -> Code:
    return Code(f"{operand(only(here, given))} is None", "flag", True)


def _as_list(name: str) -> Builder:
    """``Tuple(xs)`` and ``collect(xs)``, which are lists here."""

    def build(here: Scope, given: Arguments) -> Code:
        x = only(here, given)
        if x.kind not in ("layers", "sizes", "several"):
            raise Unported(f"{name} of something that is no list")
        return call("tuple", [x], None, x.kind) if name == "Tuple" else x

    return build


NUMBERS: Mapping[str, Builder] = {
    **{name: _divided(name) for name in ("cld", "div", "fld", "mod", "rem")},
    "Int": _integer,
    "Tuple": _as_list("Tuple"),
    "collect": _as_list("collect"),
    "isempty": _is_empty,
    "iseven": _parity("=="),
    "isnothing": _is_nothing,
    "isodd": _parity("!="),
    "length": _length,
    "prod": _product,
}
"""What reads each, by its name in Julia."""
