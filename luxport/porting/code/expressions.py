"""Julia's expressions as Python's: numbers and sizes as they are, arrays with the axes reversed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.code.drawn import array_drawn
from luxport.porting.code.functions import ACTIVATIONS, ARRAYS, ELEMENTWISE, rounded
from luxport.porting.code.layers import LAYERS
from luxport.porting.code.operators import binary, unary
from luxport.porting.code.options import INITIALIZERS
from luxport.porting.code.parse import (
    UNUSUAL,
    Arguments,
    Unported,
    arguments,
    is_named_tuple,
    last_name,
    line_of,
    named_entries,
    names_in,
    one_line,
    parse,
    parts,
    reason_of,
    text,
)
from luxport.porting.code.sequences import SEQUENCES, comprehension, index
from luxport.porting.code.structs import Constructor, Struct, chosen_method, constructor_of, is_new
from luxport.porting.code.writing import Code, call, group, operand, python_name

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Hole", "Translator"]


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
        self.structs: dict[str, Struct] = {}
        self.announced: set[str] = set()
        self.several: dict[str, list[Constructor]] = {}
        self.owners: dict[tuple[int, int], Struct] = {}
        self.record_fields: dict[str, str] = {}
        self.initializers: set[str] = set()
        self.receivers: dict[str, dict[str, Code]] = {}
        self.names: dict[str, str] = {}
        self.reserved: frozenset[str] = frozenset()
        self.making: Struct | None = None
        self.define: Callable[..., str] = _no_definitions

    def name(self, julia: str) -> str:
        """Return a variable's name in Python, other than those that the layer's own parts have."""
        python = python_name(julia)
        while python in self.reserved or self.names.setdefault(python, julia) != julia:
            python += "_"
        return python

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
        self.lines.append(" " * self.indent + line if line else "")

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
            "static(true)": "True",
            "static(false)": "False",
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
        if name == "flatten" and name not in self.kinds:
            return call("luxport.FlattenLayer", [])
        if name in ("transpose", "vec") and name not in self.kinds:
            return self._rewritten(node, f"x -> {name}(x)")
        if is_named_tuple(node):
            return self._tuple(node)
        if node.type in ("vector_expression", "tuple_expression"):
            return group("[", [self.layer(entry) for entry in parts(node)], "]", "layers")
        code = self.code(node)
        if code.kind in ("number", "flag"):
            return self.hole(node, "a layer expected")
        return code

    def connection(self, node: Node, two: bool) -> Code:
        """Return what joins outputs: a function, a layer, or nothing."""
        operators = {"+": ("operator.add", "add"), ".*": ("operator.mul", "multiply"), "-": ("operator.sub", "")}
        symbol = text(node).strip("()")
        symbol = symbol if symbol == ".*" else symbol.removeprefix(".")
        if symbol == "*" and two:  # a product of matrices
            self.helpers.add("product")
            return Code("product", "function")
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
            return Code(self.name(name), self.kinds[name])
        if name in _DEVICES:
            return self._device()
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ACTIVATIONS:
            return Code(ACTIVATIONS[name], "function")
        if name in ("vcat", "hcat"):
            self.helpers.add(name)
            return Code(name, "function")
        if name in _NORMS and self.mode == "build":
            return Code(f"luxport.{name}", "function")
        if name in INITIALIZERS and self.mode == "build":
            return self.initial(name)
        if name == "flatten":
            return call("luxport.FlattenLayer", [])
        raise Unported(f"{name} is not defined here")

    def _device(self) -> Code:
        self.helpers.add("keep")
        return Code("keep", "device")

    def _field(self, node: Node) -> Code:
        if last_name(node):
            return self._named(node)
        base, field = node.named_children
        if base.type == "identifier" and text(base) in self.receivers:
            own = self.receivers[text(base)]
            if text(field) not in own:
                raise Unported(f"{text(node)} is no field")
            return own[text(field)]
        value = self.code(base)
        if value.kind in ("bound", "part") and text(field) in _INNER:
            raise Unported("a field of a layer")
        if value.kind in ("bound", "tree"):
            return Code(f"{operand(value)}[{text(field)!r}]", value.kind)
        if text(field) in self.record_fields and value.kind in ("unknown", "record"):
            return Code(f"{operand(value)}.{python_name(text(field))}", self.record_fields[text(field)])
        raise Unported("a field of a struct")

    def _part_called(self, callee: Code, given: Arguments) -> Code:
        """A field of a struct, called: a layer, with its parameters and state in Lux, or a function."""
        given.only()
        values = [self.code(value) for value in given.positional]
        splat = any(value.text.startswith("*") for value in values)
        if splat and callee.kind != "bound":
            raise Unported("a splat in the call of a layer")
        if callee.kind == "bound" and (splat or len(values) > 1):
            return self.helper("applied", [callee, *values])
        return call(callee.text, values, None, "array" if callee.kind == "bound" else "unknown")

    def _constructed(self, struct: Struct, given: Arguments) -> Code:
        values = [self._value(value) for value in given.positional]
        name = constructor_of(struct, given, [value.kind for value in values])
        options = {python_name(key): self._value(value) for key, value in given.named.items()}
        values += self._keywords(given)
        if self.kinds.get(struct.name) == "unported" and name == struct.python:
            raise Unported(f"{struct.name} was not ported")
        kind = "record" if not struct.forwards else "layer"
        return call(name, values, options, kind)

    def _keywords(self, given: Arguments) -> list[Code]:
        """Keywords that a function was given and hands on."""
        if given.block is not None:
            raise Unported("a do block")
        names = [splat.named_children[0] if splat.type == "splat_expression" else splat for splat in given.splats]
        if any(self.kinds.get(text(name)) != "keywords" for name in names):
            raise Unported("keywords in a variable")
        return [Code(f"**{self.name(text(name))}") for name in names]

    def _value(self, node: Node) -> Code:
        """What a struct holds: a layer, an array to be drawn, or a constant."""
        name = last_name(node)
        if name == "identity" and name not in self.kinds:
            return Code("luxport.identity", "function")
        if node.type == "operator":
            return self.connection(node, two=False)
        return self.layer(node) if node.type in ("vector_expression", "tuple_expression") else self.code(node)

    def _called(self, node: Node) -> Code:
        function = node.named_children[0]
        if text(function).startswith(("WrappedFunction{", "Lux.WrappedFunction{")):
            function = function.named_children[0]
        name = last_name(function)
        given = arguments(node)
        own = function.type == "identifier" and name in self.kinds
        if function.type == "parenthesized_expression" and not given.named:
            inner = self.code(function)
            if inner.kind not in ("function", "bound"):
                raise Unported("what is called is no function")
            given.only()
            return call(operand(inner), [self.code(value) for value in given.positional], None, "array")
        if function.type in ("index_expression", "field_expression") and not name:
            callee = self.code(function)
            if callee.kind in ("bound", "part"):
                return self._part_called(callee, given)
        if is_new(function):
            if self.making is None:
                raise Unported("new outside of a constructor")
            values = [self._value(value) for value in given.positional]
            given.only()
            if len(values) != len(self.making.fields) or any(value.text.startswith("*") for value in values):
                raise Unported("new with other than all fields")
            return call(self.making.python, values, None, "layer")
        if name in self.structs and function.type == "identifier" and self.kinds.get(name) not in ("bound", "array"):
            return self._constructed(self.structs[name], given)
        if self.mode == "build" and (not own or self.kinds[name] == "initializer"):
            drawn = array_drawn(self, node)
            if drawn is not None:
                return drawn
        if not own and name in _RANDOM and self.mode == "build":
            return Code("None", "rng")
        if not own and name in ("Float32", "Float64") and len(given.positional) == 1:
            number = self.code(given.positional[0])
            if number.kind == "number":  # which takes the dtype of the array beside it
                return number
        if not own and name == "SamePad" and not given.positional:
            return call("luxport.SamePad", [], None, "padding")
        if not own and name in _DEVICE_MAKERS:
            return self._device()
        if not own and name in ("merge", "NamedTuple"):
            return self._merged(name, given)
        if not own and name in ("Fix1", "Fix2") and len(given.positional) == 2:
            function, fixed = [text(value) for value in given.positional]
            order = f"{fixed}, x" if name == "Fix1" else f"x, {fixed}"
            if function in _OPERATORS:
                if not re.fullmatch(r"-?[\d.]+(f-?\d+)?", fixed):
                    raise Unported("an operator with something fixed that is no number in place")
                left, right = (fixed, "x") if name == "Fix1" else ("x", fixed)
                return self._rewritten(node, f"x -> {left} .{function} {right}")
            return self._rewritten(
                node, f"x -> ({function})({order})" if "->" in function else f"x -> {function}({order})"
            )
        if not own and name in SEQUENCES:
            return SEQUENCES[name](self, given)
        if not own and name == "apply" and len(given.positional) == 4:
            callee, *values = [self.code(value) for value in given.positional]
            return call(callee.text, values, None, "unknown")
        if not own and name in ("first", "last") and len(given.positional) == 1:
            return self.helper("item", [self.code(given.positional[0]), Code("0" if name == "first" else "-1")])
        if not own and name in LAYERS:
            return LAYERS[name](self, given)
        if not own and name in _SAME and len(given.positional) == 1:
            return self.layer(given.positional[0])
        if not own and name == "BroadcastFunction" and len(given.positional) == 1:
            return self.activation(given.positional[0])
        if own and self.kinds[name] == "initializer":
            raise Unported("an array drawn in a place without a random state")
        if not own and name in _ROUNDED and len(given.positional) == 2:
            return _ROUNDED[name](self, given)
        if not own and name in ARRAYS:
            return ARRAYS[name](self, given)
        if not own and (name in ACTIVATIONS or name in ELEMENTWISE):
            return self._applied(node, name, given)
        if own and self.kinds[name] == "unported":
            raise Unported(f"{name} was not ported")
        if own and self.kinds[name] != "layer":
            if self.kinds[name] == "bound":
                return self._part_called(self.code(function), given)
            if self.kinds[name] == "device" and len(given.positional) == 1:
                return self.layer(given.positional[0]) if self.mode == "build" else self.code(given.positional[0])
            options = {python_name(key): self.code(value) for key, value in given.named.items()}
            values = [self.code(value) for value in given.positional] + self._keywords(given)
            result = {"builder": "layer"}.get(self.kinds[name], "unknown")
            python = chosen_method(name, self.several[name], given) if name in self.several else self.name(name)
            return call(python, values, options, result)
        if own:
            raise Unported(f"{name} is a layer, which wants its parameters: see luxport.compact")
        raise Unported(f"{name or one_line(function, 40)} is not known here")

    def _merged(self, name: str, given: Arguments) -> Code:
        given.only()
        values = [self.code(value) for value in given.positional]
        if any(value.kind != "tree" for value in values) or (name == "NamedTuple" and values) or self.mode == "build":
            raise Unported(f"{name} of something that is no named tuple")
        return group("{", [Code(f"**{operand(value)}") for value in values], "}", "tree")

    def _adjoint(self, node: Node) -> Code:
        return self.helper("adjoint", [self.code(node.named_children[0])])

    def _rewritten(self, node: Node, julia: str) -> Code:
        """What stands for a node: the same in other words, with its holes at its place."""
        if "x" in names_in(node):
            raise Unported("a function of something named x")
        (statement,) = parse(julia).named_children
        holes = len(self.holes)
        code = self.code(statement)
        self.holes[holes:] = [Hole(line_of(node), hole.julia, hole.reason) for hole in self.holes[holes:]]
        return code

    def _applied(self, node: Node, name: str, given: Arguments) -> Code:
        """A function of each element, called on an element or broadcast."""
        broadcast = node.type == "broadcast_call_expression"
        given.only()
        values = [self.code(value) for value in given.positional]
        if name in ELEMENTWISE:
            if len(values) != _COUNTS.get(name, 1):  # Python's function would take another for something else
                raise Unported(f"{name} of {len(values)} arguments")
            if self.mode == "build" and not broadcast:
                if name in ("min", "max", "abs"):
                    return call(name, values, None, "number")
                if name in ("sqrt", "log", "log2", "exp", "floor", "ceil"):
                    return call(f"math.{name}", values, None, "number")
            if not broadcast and self.mode != "scalar":
                raise Unported(f"{name} without a dot is no function of arrays")
            if name == "abs2":
                (value,) = values
                return self.xp("square", [self.xp("abs", [value])])
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
        if not name:
            callee = self.code(function)
            if callee.kind not in ("bound", "part", "function"):
                raise Unported("what is broadcast is not known here")
            given.only()
            return call(callee.text, [self.code(value) for value in given.positional], None, "array")
        if not own and (name in ACTIVATIONS or name in ELEMENTWISE):
            return self._applied(node, name, given)
        if not own and name in ("Float32", "Float64"):
            return self.xp("astype", [self.code(given.positional[0]), Code(f"xp.{name.lower()}")])
        if own and self.kinds[name] in ("function", "unknown", "bound"):
            given.only()
            return call(self.name(name), [self.code(value) for value in given.positional], None, "array")
        raise Unported(f"{name or 'what is broadcast'} is not known here")

    def _tuple(self, node: Node) -> Code:
        if is_named_tuple(node):
            value_of = self.layer if self.mode == "build" else self.code
            entries = [Code(f"{key!r}: {value_of(value).text}") for key, value in named_entries(node).items()]
            return group("{", entries, "}", "layers" if self.mode == "build" else "tree")
        entries = [self.code(part) for part in parts(node)]
        numbers = all(entry.kind == "number" for entry in entries)
        return group("(", entries, ")", "sizes" if numbers else "unknown")

    def _vector(self, node: Node) -> Code:
        entries = [self.code(part) for part in parts(node)]
        kinds = {entry.kind for entry in entries}
        return group("[", entries, "]", "sizes" if kinds == {"number"} else "layers")

    def target(self, node: Node) -> str:
        """Return names that are assigned to, nested in tuples or not."""
        if node.type == "identifier":
            return self.name(text(node))
        if node.type in ("tuple_expression", "open_tuple", "argument_list") and not is_named_tuple(node):
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

    def _symbol(self, node: Node) -> Code:
        if not re.fullmatch(r":[A-Za-z_]\w*", text(node)):
            raise Unported("quoted code")
        return Code(repr(text(node)[1:]), "text")

    def _float(self, node: Node) -> Code:
        return Code(repr(float(re.sub("f", "e", text(node).replace("_", "")))), "number")

    def _integer(self, node: Node) -> Code:
        return Code(str(int(text(node).replace("_", ""), 0 if text(node).startswith("0x") else 10)), "number")

    def _macro(self, node: Node) -> Code:
        if text(node).startswith(("@compact", "Lux.@compact")):
            return Code(self.define(self, node, mode="compact"), "layer")
        name = text(node).split(maxsplit=1)[0]
        inner = node.named_children[-1].named_children
        if name in ("@view", "@views", "@inbounds", "Zygote.@ignore") and len(inner) == 1:
            return self.code(inner[0])
        if name.startswith("@.") and len(inner) == 1 and self.mode in ("array", "scalar"):
            mode, self.mode = self.mode, "scalar"  # a dot at every call and operator
            try:
                return self.code(inner[0])
            finally:
                self.mode = mode
        raise Unported("a macro")


def _no_definitions(*_: object, **__: object) -> str:
    raise Unported("a function in this place")


_CONSTANTS = {
    "nothing": Code("None"),
    "pi": Code("math.pi", "number"),
    "π": Code("math.pi", "number"),
    "Inf": Code("math.inf", "number"),
    "Inf32": Code("math.inf", "number"),
}
_SAME = {"cpu", "f32", "gpu"}
"""Functions that leave a model what it is."""
_DEVICES = {"cpu", "gpu"}
_DEVICE_MAKERS = {"cpu_device", "get_device", "gpu_device", "reactant_device"}
_COUNTS = {"clamp": 3, "ifelse": 3, "max": 2, "min": 2}
_ROUNDED = {"ceil": rounded("math.ceil"), "floor": rounded("math.floor"), "round": rounded("round")}
_NORMS = ("BatchNorm", "GroupNorm", "InstanceNorm")
"""Layers that functions are handed to make, by position, what they make."""
_OPERATORS = ("+", "-", "*", "/", "^")
_RANDOM = {"default_rng", "MersenneTwister", "StableRNG", "TaskLocalRNG", "Xoshiro"}
_INNER = {"weight", "bias", "W", "b", "σ", "layers", "chain", "cell", "state", "scale", "diag"}
"""Fields of Flux's own layers, which stand elsewhere here."""

_PARAMETERS = {"leakyrelu": "a", "elu": "alpha", "celu": "alpha"}

_READERS: dict[str, Callable[[Translator, Node], Code]] = {
    "arrow_function_expression": Translator._arrow,
    "binary_expression": binary,
    "boolean_literal": lambda t, node: Code(text(node).capitalize(), "flag"),
    "broadcast_call_expression": Translator._broadcast,
    "call_expression": Translator._called,
    "adjoint_expression": Translator._adjoint,
    "comprehension_expression": comprehension,
    "field_expression": Translator._field,
    "float_literal": Translator._float,
    "identifier": Translator._named,
    "if_statement": Translator._ternary,
    "index_expression": index,
    "integer_literal": Translator._integer,
    "juxtaposition_expression": binary,
    "macrocall_expression": Translator._macro,
    "parenthesized_expression": lambda t, node: t.code(node.named_children[0]),
    "splat_expression": Translator._splat,
    "string_literal": Translator._string,
    "ternary_expression": Translator._ternary,
    "open_tuple": Translator._tuple,
    "quote_expression": Translator._symbol,
    "tuple_expression": Translator._tuple,
    "unary_expression": unary,
    "vector_expression": Translator._vector,
}
