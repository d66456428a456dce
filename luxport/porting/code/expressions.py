"""Julia's expressions as Python's: numbers and sizes as they are, arrays with the axes reversed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.code.functions import ACTIVATIONS, ARRAYS, ELEMENTWISE
from luxport.porting.code.layers import INITIALIZERS, LAYERS
from luxport.porting.code.operators import binary, unary
from luxport.porting.code.parse import (
    UNUSUAL,
    Arguments,
    Unported,
    arguments,
    last_name,
    line_of,
    names_in,
    one_line,
    reason_of,
    text,
)
from luxport.porting.code.writing import Code, call, group, operand, python_name

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Hole", "Translator", "parts"]


@dataclass(frozen=True)
class Hole:
    """A piece of Julia that was not ported: where it is, what it is, and why."""

    line: int
    julia: str
    reason: str


class Translator:
    """What is known where an expression is translated, and what comes out besides: lines, helpers and holes.

    ``mode`` says what names without a kind stand for: "build" numbers and sizes (code that makes layers), "array"
    arrays or anything (functions of arrays), "scalar" one element (activations). ``steps`` says whether Flux's
    recurrent layers take one step a call, None if that is not known.
    """

    def __init__(self, dialect: str | None, steps: bool | None) -> None:
        self.dialect = dialect
        self.steps = steps
        self.mode = "build"
        self.kinds: dict[str, str] = {}
        self.lines: list[str] = []
        self.indent = 0
        self.helpers: set[str] = set()
        self.holes: list[Hole] = []
        self.fleeting: frozenset[str] = frozenset()
        self.functions = 0
        self.uses_xp = False
        self.layers_used: dict[str, int] = {}
        self.methods: set[str] = set()
        self.locals: set[str] = set()
        self.outer: set[str] = set()
        self.define: Callable[..., str] = _no_definitions

    def code(self, node: Node) -> Code:
        """Return an expression; where it is not understood, one that raises, with a remark above the statement."""
        lines, holes = len(self.lines), len(self.holes)
        try:
            return self._code(node)
        except (Unported, *UNUSUAL) as error:
            del self.lines[lines:], self.holes[holes:]
            return self.hole(node, reason_of(error))

    def hole(self, node: Node, reason: str) -> Code:
        """Mark what is not ported, and return what raises in its place."""
        julia = one_line(node)
        self.holes.append(Hole(line_of(node), julia, reason))
        self.put(f"# TODO: not ported: {julia} ({reason})")
        return self.helper("not_ported", [Code(repr(julia))])

    def put(self, line: str) -> None:
        """Add a line to the block that is being written."""
        self.lines.append(" " * self.indent + line)

    def helper(self, name: str, given: Iterable[Code]) -> Code:
        """Return a call of a function that the file shall define."""
        self.helpers.add(name)
        return call(name, given, None, "array" if name != "not_ported" else "unknown")

    def xp(self, name: str, given: Iterable[Code], options: dict[str, Code] | None = None) -> Code:
        """Return a call of the Array API's function."""
        if self.mode == "build":
            raise Unported("an operation on arrays outside of a function")
        self.uses_xp = True
        return call(f"xp.{name}", given, options, "array")

    def initial(self, name: str) -> Code:
        """Return an initialiser by its name in Julia."""
        return Code(f"luxport.{INITIALIZERS[name]}", "function")

    def flag(self, node: Node) -> Code:
        """Return true or false, also where Julia has it as a type."""
        plain = {
            "Val(true)": "True",
            "True()": "True",
            "Val(false)": "False",
            "False()": "False",
            "Flux.Zeros": "False",
        }
        code = Code(plain[text(node)], "flag") if text(node) in plain else self.code(node)
        if code.kind not in ("flag", "unknown") or "[" in code.text:
            raise Unported("true or false expected")
        return code

    def spatial(self, node: Node) -> Code:
        """Return sizes along spatial axes, in our order."""
        if node.type == "tuple_expression":
            return group("(", [self.code(entry) for entry in parts(node)[::-1]], ")", "sizes")
        code = self.code(node)
        if code.kind == "number":
            return code
        if code.kind not in ("sizes", "unknown"):
            raise Unported("sizes expected")
        return code if code.text.startswith("not_ported(") else self.helper("spatial", [code])

    def is_function(self, node: Node) -> bool:
        """Whether a node is a function, not a number."""
        name = last_name(node)
        return node.type == "arrow_function_expression" or (name in ACTIVATIONS and name not in self.kinds)

    def activation(self, node: Node) -> Code:
        """Return a function of each element."""
        if node.type == "arrow_function_expression":
            return Code(self.define(self, node, mode="scalar"), "function")
        name = last_name(node)
        if name and name not in self.kinds and name in ELEMENTWISE:
            return Code(self.define(self, node, mode="scalar"), "function")
        code = self.code(node)
        if code.kind not in ("function", "unknown"):
            raise Unported("an activation expected")
        return code

    def layer(self, node: Node) -> Code:
        """Return a layer, or a function in a layer's place."""
        name = last_name(node)
        if name == "identity" and name not in self.kinds:
            return call("luxport.NoOpLayer", [])
        if name in ("flatten", "vec") and name not in self.kinds:
            return call("luxport.FlattenLayer", []) if name == "flatten" else self.hole(node, "vec has no batch")
        if node.type == "tuple_expression" and any(part.type == "named_field" for part in node.named_children):
            named = arguments_of(node)
            return group(
                "{", [Code(f"{key!r}: {self.layer(value).text}") for key, value in named.items()], "}", "layers"
            )
        if node.type in ("vector_expression", "tuple_expression"):
            return group("[", [self.layer(entry) for entry in parts(node)], "]", "layers")
        code = self.code(node)
        if code.kind in ("number", "flag"):
            return self.hole(node, "a layer expected")
        return code

    def connection(self, node: Node, two: bool) -> Code:
        """Return what joins outputs: a function, a layer, or nothing."""
        operators = {"+": ("operator.add", "add"), "*": ("operator.mul", "multiply"), "-": ("operator.sub", "")}
        symbol = text(node).strip("()").removeprefix(".")
        if symbol in operators and symbol not in self.kinds:
            both, many = operators[symbol]
            if two:
                return Code(both, "function")
            if not many:
                return self.hole(node, "a difference of other than two outputs")
            self.helpers.add(many)
            return Code(many, "function")
        if symbol in ("vcat", "hcat") and symbol not in self.kinds:
            self.helpers.add(symbol)
            return Code(symbol, "function")
        if symbol == "tuple":
            return Code("None")
        return self.code(node)

    def _code(self, node: Node) -> Code:
        if node.has_error:
            raise Unported("a syntax error")
        if node.type in _READERS:
            return _READERS[node.type](self, node)
        raise Unported(f"no counterpart of a {node.type.replace('_', ' ')}")

    def _named(self, node: Node) -> Code:
        name = last_name(node)
        if not name:
            raise Unported("a field of a struct")
        if node.type == "identifier" and name in self.kinds:
            if self.kinds[name] == "unported":
                raise Unported(f"{name} was not ported")
            layer = self.kinds[name] == "layer" and self.dialect != "lux"
            if layer and self.layers_used.setdefault(name, node.start_byte) != node.start_byte:
                raise Unported(f"{name} twice, which in Flux has one set of parameters: see luxport.tie")
            return Code(python_name(name), self.kinds[name])
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ACTIVATIONS:
            return Code(ACTIVATIONS[name], "function")
        if name == "flatten":
            return call("luxport.FlattenLayer", [])
        raise Unported(f"{name} is not defined here")

    def _called(self, node: Node) -> Code:
        function = node.named_children[0]
        name = last_name(function)
        given = arguments(node)
        own = function.type == "identifier" and name in self.kinds
        if function.type == "index_expression" and len(given.positional) == 1 and not given.named:
            callee = self.code(function)
            if callee.kind == "bound":
                return call(callee.text, [self.code(given.positional[0])], None, "array")
        if not own and name in LAYERS:
            return LAYERS[name](self, given)
        if not own and name in _SAME and len(given.positional) == 1:
            return self.layer(given.positional[0])
        if not own and name == "BroadcastFunction" and len(given.positional) == 1:
            return self.activation(given.positional[0])
        if name == "ntuple" or name == "fill":
            raise Unported("a sequence made by a function")
        if not own and name in ARRAYS:
            return ARRAYS[name](self, given)
        if not own and (name in ACTIVATIONS or name in ELEMENTWISE):
            return self._applied(node, name, given)
        if own and self.kinds[name] == "unported":
            raise Unported(f"{name} was not ported")
        if own and not (self.kinds[name] == "layer" and self.mode != "build"):
            options = {python_name(key): self.code(value) for key, value in given.named.items()}
            if given.splats or given.block is not None:
                raise Unported("keywords in a variable, or a do block")
            result = {"builder": "layer", "bound": "array"}.get(self.kinds[name], "unknown")
            return call(python_name(name), [self.code(value) for value in given.positional], options, result)
        if own:
            raise Unported(f"{name} is a layer, which wants its parameters: see luxport.compact")
        raise Unported(f"{name or one_line(function, 40)} is not known here")

    def _applied(self, node: Node, name: str, given: Arguments) -> Code:
        """A function of each element, called on an element or broadcast."""
        broadcast = node.type == "broadcast_call_expression"
        given.only()
        values = [self.code(value) for value in given.positional]
        if name in ELEMENTWISE:
            if self.mode == "build" and not broadcast:
                if name in ("min", "max", "abs"):
                    return call(name, values, None, "number")
                if name in ("sqrt", "log", "log2", "exp", "floor", "ceil"):
                    return call(f"math.{name}", values, None, "number")
            if not broadcast and self.mode != "scalar":
                raise Unported(f"{name} without a dot is no function of arrays")
            return self.xp(ELEMENTWISE[name], values)
        options = {}
        if name in _PARAMETERS and len(values) == 2:
            options = {_PARAMETERS[name]: values.pop()}
        if len(values) != 1:
            raise Unported("more arguments than one")
        return call(ACTIVATIONS[name], values, options, "array")

    def _broadcast(self, node: Node) -> Code:
        function = node.named_children[0]
        name = last_name(function)
        given = arguments(node)
        own = function.type == "identifier" and name in self.kinds
        if not own and (name in ACTIVATIONS or name in ELEMENTWISE):
            return self._applied(node, name, given)
        if not own and name in ("Float32", "Float64"):
            return self.xp("astype", [self.code(given.positional[0]), Code(f"xp.{name.lower()}")])
        if own and self.kinds[name] in ("function", "unknown", "bound"):
            given.only()
            return call(python_name(name), [self.code(value) for value in given.positional], None, "array")
        raise Unported(f"{name or 'what is broadcast'} is not known here")

    def _tuple(self, node: Node) -> Code:
        if any(part.type == "named_field" for part in node.named_children):
            named = arguments_of(node)
            return group(
                "{", [Code(f"{key!r}: {self.layer(value).text}") for key, value in named.items()], "}", "layers"
            )
        entries = [self.code(part) for part in parts(node)]
        numbers = all(entry.kind == "number" for entry in entries)
        return group("(", entries, ")", "sizes" if numbers else "unknown")

    def _vector(self, node: Node) -> Code:
        entries = [self.code(part) for part in parts(node)]
        kinds = {entry.kind for entry in entries}
        return group("[", entries, "]", "sizes" if kinds == {"number"} else "layers")

    def _index(self, node: Node) -> Code:
        base, index = node.named_children
        if last_name(base) in _ELEMENTS and last_name(base) not in self.kinds:
            return self._vector(index)
        value, entries = self.code(base), parts(index)
        if len(entries) > 1:
            if value.kind not in ("array", "unknown") or self.mode == "build":
                raise Unported("several indices of something that is no array")
            places = [self._place(entry) for entry in reversed(entries)]
            return Code(f"{operand(value)}[{', '.join(places)}]", "array")
        if value.kind == "array" or (value.kind == "unknown" and self.mode != "build"):
            raise Unported("one index of what may be an array or a tuple")
        place = self._place(entries[0])
        kind = "number" if value.kind == "sizes" and ":" not in place else value.kind if ":" in place else "unknown"
        kind = "bound" if value.kind == "bound" else kind
        return Code(f"{operand(value)}[{place}]", kind)

    def _place(self, node: Node) -> str:
        """An index, or a range of them, counted from 0."""
        if text(node) == ":":
            return ":"
        if node.type == "range_expression" and len(node.named_children) == 2:
            first, last = node.named_children
            start, stop = self._place(first), "" if text(last) == "end" else self._place(last)
            if stop.startswith("-"):  # end - 1 is the last but one, and ends the range itself
                return f"{start}:{int(stop) + 1}"
            return f"{start}:{stop and _plus_one(stop)}"
        if text(node) == "end":
            return "-1"
        found = re.fullmatch(r"end\s*-\s*(\d+)", text(node))
        if found:
            return str(-1 - int(found[1]))
        if "end" in names_in(node):
            raise Unported("an index computed from the end")
        code = self.code(node)
        if code.kind not in ("number", "unknown"):
            raise Unported("an index that is no number")
        if code.text.endswith(" + 1"):
            return code.text.removesuffix(" + 1")
        return str(int(code.text) - 1) if code.text.isdigit() else f"{operand(code)} - 1"

    def _comprehension(self, node: Node) -> Code:
        made, *clauses = node.named_children
        if len(clauses) != 1 or clauses[0].type != "for_clause" or len(clauses[0].named_children) != 1:
            raise Unported("a comprehension over several ranges, or with a condition")
        variable, over, kind = self.binding(clauses[0].named_children[0])
        before, fleeting = dict(self.kinds), self.fleeting
        self.kinds |= dict.fromkeys(names_in(variable), kind)
        self.fleeting |= names_in(variable)
        entry = self.layer(made)
        self.kinds, self.fleeting = before, fleeting
        target = self.target(variable)
        return Code(f"[{entry.text} for {target} in {over}]", "sizes" if entry.kind == "number" else "layers")

    def binding(self, node: Node) -> tuple[Node, str, str]:
        """Return the variable of a loop, what it runs over, and its kind."""
        variable, over = node.named_children[0], node.named_children[-1]
        if over.type == "range_expression":
            ends = over.named_children
            if ends[0].type == "range_expression":
                (first, step), last = ends[0].named_children, ends[1]
                raise Unported(f"a range with the step {text(step)}, from {text(first)} to {text(last)}")
            first, last = [self.code(end) for end in ends]
            return variable, f"range({first.text}, {_plus_one(last.text)})", "number"
        if over.type == "call_expression" and last_name(over.named_children[0]) == "eachindex":
            inner = self.code(arguments(over).positional[0])
            return variable, f"range(1, len({inner.text}) + 1)", "number"
        code = self.code(over)
        if code.kind in ("array", "number", "layer"):
            raise Unported("a loop over something that is no sequence")
        return variable, code.text, {"sizes": "number", "bound": "bound"}.get(code.kind, "unknown")

    def target(self, node: Node) -> str:
        """Return names that are assigned to, nested in tuples or not."""
        if node.type == "identifier":
            return python_name(text(node))
        if node.type in ("tuple_expression", "open_tuple", "argument_list"):
            names = [self.target(child) for child in node.named_children]
            return f"({', '.join(names)}{',' if len(names) == 1 else ''})"
        raise Unported("an assignment to something that is no name")

    def _ternary(self, node: Node) -> Code:
        branches = parts(node)
        if node.type == "if_statement":  # as a value: one expression in either branch
            branches = [*branches[:-1], *parts(branches[-1])] if branches[-1].type == "else_clause" else []
        if len(branches) != 3:
            raise Unported("a condition as a value with other than two branches of one expression")
        condition, yes, no = [self.code(child) for child in branches]
        kind = yes.kind if yes.kind == no.kind else "unknown"
        return Code(f"{operand(yes)} if {operand(condition)} else {operand(no)}", kind, True)

    def _splat(self, node: Node) -> Code:
        code = self.code(node.named_children[0])
        return Code(
            f"*{operand(code)}",
            code.kind,
            False,
            f"*{code.opening}" if code.opening else "",
            code.entries,
            code.closing,
        )

    def _arrow(self, node: Node) -> Code:
        return Code(self.define(self, node, mode="array"), "function")

    def _string(self, node: Node) -> Code:
        if any(child.type == "string_interpolation" for child in node.named_children):
            raise Unported("a string with values in it")
        return Code(repr("".join(text(child) for child in node.named_children)), "text")

    def _float(self, node: Node) -> Code:
        return Code(repr(float(re.sub("f", "e", text(node).replace("_", "")))), "number")

    def _integer(self, node: Node) -> Code:
        return Code(str(int(text(node).replace("_", ""), 0 if text(node).startswith("0x") else 10)), "number")

    def _macro(self, node: Node) -> Code:
        if text(node).startswith(("@compact", "Lux.@compact")):
            return Code(self.define(self, node, mode="compact"), "layer")
        raise Unported("a macro")


def parts(node: Node) -> list[Node]:
    """Return the entries of a tuple, a vector or an index."""
    return [child for child in node.named_children if child.type not in ("line_comment", "block_comment")]


def arguments_of(node: Node) -> dict[str, Node]:
    """Return the entries of a named tuple."""
    found = {}
    for part in parts(node):
        if part.type != "named_field":
            raise Unported("a named tuple with other entries")
        found[text(part.named_children[0])] = part.named_children[-1]
    return found


def _plus_one(number: str) -> str:
    if number.isdigit():
        return str(int(number) + 1)
    return number.removesuffix(" - 1") if number.endswith(" - 1") else f"{number} + 1"


def _no_definitions(*_: object, **__: object) -> str:
    raise Unported("a function in this place")


_CONSTANTS = {
    "nothing": Code("None"),
    "pi": Code("math.pi", "number"),
    "π": Code("math.pi", "number"),
    "Inf": Code("math.inf", "number"),
    "Inf32": Code("math.inf", "number"),
}
_ELEMENTS = {"Any", "Float32", "Float64", "Int"}
_SAME = {"cpu", "f32", "gpu"}
"""Functions that leave a model what it is."""

_PARAMETERS = {"leakyrelu": "a", "elu": "alpha", "celu": "alpha"}

_READERS: dict[str, Callable[[Translator, Node], Code]] = {
    "arrow_function_expression": Translator._arrow,
    "binary_expression": binary,
    "boolean_literal": lambda t, node: Code(text(node).capitalize(), "flag"),
    "broadcast_call_expression": Translator._broadcast,
    "call_expression": Translator._called,
    "comprehension_expression": Translator._comprehension,
    "field_expression": Translator._named,
    "float_literal": Translator._float,
    "identifier": Translator._named,
    "if_statement": Translator._ternary,
    "index_expression": Translator._index,
    "integer_literal": Translator._integer,
    "juxtaposition_expression": binary,
    "macrocall_expression": Translator._macro,
    "parenthesized_expression": lambda t, node: t.code(node.named_children[0]),
    "splat_expression": Translator._splat,
    "string_literal": Translator._string,
    "ternary_expression": Translator._ternary,
    "open_tuple": Translator._tuple,
    "tuple_expression": Translator._tuple,
    "unary_expression": unary,
    "vector_expression": Translator._vector,
}
