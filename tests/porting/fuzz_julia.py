"""Hostile Julia through `luxport port`, and what comes out imported.

    python tests/porting/fuzz_julia.py injections 10000 --seed 1
    python tests/porting/fuzz_julia.py imports 10000

With ``injections`` there are traps in place of Python's builtins. The sources grow from a grammar of definitions, calls
and literals whose names and strings are an attacker's. A module made of one is compiled, run, and what it defines is
called, where ``exec``, ``open``, ``print`` and their like are traps that note who calls them. None of this asks the
translation's own check.

With ``imports`` the sources are made to compute: loops, recursion, products, sequences and layers that double. A
module made of one raises nothing when it is imported, and takes less than two seconds and 200 MiB.
"""

from __future__ import annotations

import ast
import builtins
import importlib.metadata  # noqa: F401, in which luxport looks for backends at some first use
import random
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

from bounded import Attack, held, main

from luxport.porting import FileFormatError
from luxport.porting.translate import translate

LOOKING = ("compile", "open 'ported'", "open '<unknown>'")
"""The Python that comes out is parsed, to look at it; of an error in it Python itself looks for the line."""

TRAPPED = ("exec", "eval", "open", "compile", "__import__", "input", "print", "breakpoint", "getattr", "setattr")
TRAPPED += ("globals", "locals", "vars", "delattr", "memoryview", "exit", "quit", "help")

BREAKS = ("\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\0", "\x1b[2J", "\u202e", '"""', "\\", "'")
PAYLOADS = (
    "print('stranger')",
    "exec('1')",
    "import os",
    "__import__('os')",
    "coding: utf-7",
    "x\n    print(1)",
    "eval('1')",
)
NAMES = (
    *TRAPPED,
    "𝐞𝐱𝐞𝐜",
    "ｅｖａｌ",
    "ﬁlter",
    "__builtins__",
    "__class__",
    "__getattr__",
    "_x",
    "x",
    "y",
    "n",
    "model",
)
NAMES += ("luxport", "math", "xp", "not_ported", "spatial", "self", "rng", "lambda", "None", "type", "match", "S", "T")
NAMES += ("gi_frame", "f_globals", "format", "σ", "x!", "h²", "é", "functools", "operator", "dataclasses", "object")
NUMBERS = (
    "1",
    "2",
    "3",
    "1e999",
    "0x1p3",
    "007",
    "0b11",
    "9" * 30,
    "9" * 5000,
    "1f0",
    "1_0",
    "Inf",
    "0x" + "f" * 20,
    "'\\0'",
)

ATTACKS = (
    'f(x = "a\nprint(1)\n") = Dense(x => 1)\nmodel = f(3)',
    'function f(x::Foo"a\nprint(1)\n")\n    g(x)\nend',
    'm = Chain(Dense(1 => 2; var"a\nprint(1)\n#" = 3))',
    'm = Chain(exec("print(1)"))\nexec(x) = Dense(x => 1)',
    'm = Chain(eval("1"), open("x"), __import__("os"))\neval(x) = Dense(x => 1)\nopen(x) = Dense(x => 1)',
    'Base.@kwdef struct S\n    a::Int = exec("1")\n    exec_::Int = 3\nend\nexec(x) = x\nm = S()',
    'm = Chain(𝐞𝐱𝐞𝐜("print(1)"))\n𝐞𝐱𝐞𝐜(x) = Dense(x => 1)',
    "using Lux\nm = @compact(exec=Dense(1 => 2)) do x\n    @return exec(x)\nend",
    "struct S\n    gi_frame::Int\n    __class__::Int\nend\nf(x) = x.__class__.gi_frame\nm = f(S(1, 2))",
    "# coding: utf-7\n# +AAo-print(1)\nm = Dense(1 => weird(3))",
    "__builtins__ = Dense(1 => 2)\n__getattr__(x) = Dense(x => 1)\nprint = 3\nluxport = 2\nm = Dense(luxport => print)",
    'struct var"A\nprint(1)\n"\n    x\nend\n(m::var"A\nprint(1)\n")(y) = m.x(y)',
)


class Grown:
    """A source that grows."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def source(self) -> str:
        lines = [self.rng.choice(("using Flux", "using Lux", ""))]
        lines += [self.statement(3) for _ in range(self.rng.randrange(1, 6))]
        text = "\n".join(lines)
        if self.rng.random() < 0.15:
            at = self.rng.randrange(len(text) + 1)
            text = text[:at] + self.rng.choice(BREAKS) + text[at + self.rng.randrange(3) :]
        return text

    def name(self) -> str:
        pick = self.rng.random()
        if pick < 0.05:
            return f'var"{self.text()}"'
        return self.rng.choice(NAMES if pick < 0.7 else ("x", "y", "n", "model"))

    def text(self) -> str:
        return "".join(self.rng.choice((*BREAKS, *PAYLOADS, " ", "a")) for _ in range(self.rng.randrange(1, 4)))

    def string(self) -> str:
        mark = self.rng.choice(('"', '"', '"""', "`"))
        return f"{self.rng.choice(('', '', 'r', 'raw'))}{mark}{self.text().replace(mark, '')}{mark}"

    def statement(self, depth: int) -> str:
        name, expression = self.name(), self.expression
        inner = (
            "\n".join(f"    {self.statement(depth - 1)}" for _ in range(self.rng.randrange(1, 3))) if depth else "    x"
        )
        match self.rng.randrange(14):
            case 0 | 1 | 2:
                return f"{name} = {self.layer(depth)}"
            case 3:
                return f"{name} = {expression(depth)}"
            case 4 | 5:
                return f"{name}({self.parameters(depth)}) = {self.layer(depth)}"
            case 6:
                return f"function {name}({self.parameters(depth)})\n{inner}\n    {self.layer(depth)}\nend"
            case 7:
                ends = ("", "::Int", f" = {expression(1)}", f"::Int = {expression(1)}")
                fields = "\n".join(f"    {self.name()}{self.rng.choice(ends)}" for _ in range(self.rng.randrange(1, 4)))
                head = self.rng.choice(("struct ", "Base.@kwdef struct ", "mutable struct "))
                base = self.rng.choice(("", "", " <: Lux.AbstractLuxLayer", f" <: {self.name()}"))
                field = self.name()
                call = f"(m::{name})(x) = m.{field}({expression(1)})"
                return f"{head}{name}{base}\n{fields}\nend\n{call}\n{field} = {name}({expression(1)})"
            case 8:
                return f"for {self.name()} in {expression(1)}\n{inner}\nend"
            case 9:
                return f"if {expression(1)}\n{inner}\nend"
            case 10:
                return f"# {self.text()}"
            case 11:
                return f"#= {self.text()} =#"
            case 12:
                body = f"do x\n    {expression(depth)}\nend"
                return f"{name} = @compact({self.name()}={self.layer(1)}, {self.name()}={expression(1)}) {body}"
            case _:
                return self.rng.choice(
                    (f"@info {self.string()}", f"error({self.string()})", f"push!({name}, {self.layer(1)})")
                )

    def parameters(self, depth: int) -> str:
        one = [
            f"{self.name()}{self.rng.choice(('', '', '::Int', f'={self.expression(1)}'))}"
            for _ in range(self.rng.randrange(3))
        ]
        return ", ".join(one) + (f"; {self.name()}={self.expression(1)}" if self.rng.random() < 0.3 and depth else "")

    def layer(self, depth: int) -> str:
        if depth <= 0:
            return "Dense(1 => 2)"
        match self.rng.randrange(7):
            case 0 | 1:
                return f"Chain({self.layer(depth - 1)}, {self.expression(depth - 1)})"
            case 2:
                return f"Dense({self.expression(1)} => {self.expression(1)}, {self.expression(1)})"
            case 3:
                return f"Chain(; {self.name()}={self.layer(depth - 1)})"
            case 4:
                return f"Parallel({self.expression(1)}, {self.layer(depth - 1)}; {self.name()}={self.expression(1)})"
            case 5:
                return f"Chain({self.name()} -> {self.expression(depth - 1)}, {self.layer(depth - 1)})"
            case _:
                return f"Chain({self.layer(depth - 1)}; name={self.string()})"

    def expression(self, depth: int) -> str:
        if depth <= 0:
            return self.rng.choice((self.rng.choice(NUMBERS), self.name(), self.string()))
        one = self.expression(depth - 1)
        match self.rng.randrange(12):
            case 0 | 1 | 2:
                return f"{self.name()}({one})"
            case 3:
                return f"{one} {self.rng.choice('+-*/^')} {self.rng.choice(NUMBERS)}"
            case 4:
                return f"({self.name()} = {one},)"
            case 5:
                return f"[{one} for {self.name()} in 1:{self.rng.randrange(4)}]"
            case 6:
                return f"{self.name()}.{self.name()}"
            case 7:
                return f"{self.name()}[{one}]"
            case 8:
                return f"{self.name()}.({one})"
            case 9:
                return f"({one} ? {self.name()} : {self.string()})"
            case 10:
                return f":{self.name()}"
            case _:
                return self.rng.choice((self.rng.choice(NUMBERS), self.name(), self.string()))


class Computing:
    """A source that grows, and computes when it is executed."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def source(self) -> str:
        lines = [self.rng.choice(("using Flux", "using Lux")), "n = 3", "m = Dense(1 => 1)", "x = [m]", "t = (1, 2)"]
        lines += ["f(a) = Dense(a => 1)", "g(a) = a + 1"]
        return "\n".join([*lines, *(self.statement() for _ in range(self.rng.randrange(2, 12)))])

    def number(self, depth: int = 2) -> str:
        if depth <= 0:
            return self.rng.choice(("n", "n", "2", "3", "10", "10^9", "1000000", "k", "t[1]", "length(x)"))
        one, other = self.number(depth - 1), self.number(depth - 1)
        match self.rng.randrange(9):
            case 0 | 1:
                return f"({one} {self.rng.choice('+-*÷%')} {other})"
            case 2:
                return f"{one} * {one} * {one} * {one}"
            case 3:
                return f"({one})^{self.rng.choice(('2', '9', '60', 'n'))}"
            case 4:
                return f"g({one})"
            case 5:
                return f"sum([{one} for i in 1:{other}])"
            case 6:
                return f"({one} > {other} ? {one} : {other})"
            case _:
                return one

    def layer(self, depth: int = 2) -> str:
        if depth <= 0:
            return self.rng.choice(("m", "m", "f(n)", "Dense(n => n)", f"f({self.number(1)})"))
        one = self.layer(depth - 1)
        match self.rng.randrange(9):
            case 0 | 1:
                return f"Chain({one}, {one})"
            case 2:
                return f"Parallel(+, {one}, {self.layer(depth - 1)})"
            case 3:
                return f"Chain([{one} for i in 1:{self.number(1)}]...)"
            case 4:
                return f"Chain(ntuple(i -> {one}, {self.number(0)})...)"
            case 5:
                return f"Maxout(() -> {one}, {self.number(1)})"
            case 6:
                return "Chain(x...)"
            case 7:
                return f"Conv(({self.number(0)}, {self.number(0)}), {self.number(1)} => {self.number(0)})"
            case _:
                return one

    def statement(self) -> str:
        low, high = self.number(0), self.number(1)
        match self.rng.randrange(18):
            case 0 | 1:
                return f"n = {self.number()}"
            case 2 | 3:
                return f"m = {self.layer()}"
            case 4:
                return f"f(a) = a < {low} ? m : Chain(f(a - 1), f({self.rng.choice(('a - 1', 'a - 2', 'a + 1'))}))"
            case 5:
                return f"g(a) = {self.rng.choice(('g(g(a - 1))', 'a > 40 ? 1 : g(a + 1) + g(a + 1)', 'a * a', 'g(a)'))}"
            case 6:
                return f"for i in {low}:{high}\n    push!(x, {self.layer(1)})\nend"
            case 7:
                return f"for i in 1:{low}, j in 1:{high}\n    global n = n {self.rng.choice('*+')} n\nend"
            case 8:
                return "append!(x, x)"
            case 9:
                return self.rng.choice(("x = [x..., x...]", "x = vcat(x, x)", "t = (t, t)", "t = (t..., t...)"))
            case 10:
                return f"function h(k)\n    while k > 0\n        k = k {self.rng.choice('+-')} 1\n    end\n    k\nend"
            case 11:
                return f"n = h({self.number(1)})"
            case 12:
                return f"t = [i * j for i in 1:{low} for j in 1:{high}]"
            case 13:
                return f"t = zeros(Float32, {low}, {high})"
            case 14:
                return f"f(a, b = {self.number(1)}) = Dense(a => b)"
            case 15:
                return f"Base.@kwdef struct S\n    a::Int = {self.number(1)}\n    b = {self.layer(1)}\nend\ns = S()"
            case 16:
                return f"c = @compact(w = {self.layer(1)}, k = {self.number(1)}) do y\n    @return w(y)\nend"
            case _:
                return 's = "a"\nfor i in 1:60\n    s = s * s\nend'


def imported(python: str) -> None:
    """Import a module within its bounds; it may not raise."""
    code = compile(python.encode(), "ported.py", "exec")
    module = sys.modules["ported"] = ModuleType("ported")
    exec(code, vars(module))


def computes(source: str) -> str:
    """Translate a source as a user would, and import what comes out; whatever should not happen is raised."""
    try:
        with held(len(source), ignoring=LOOKING):
            python = translate(source).python
    except FileFormatError:
        return "refused"
    with held(0, ignoring=("compile", "exec", "import")):
        imported(python)
    return "raised" if "__main__" in python else "imported"


def hits_of(python: str) -> list[str]:
    """Run a module, call what it defines, and return which traps it stepped into."""
    hits: list[str] = []
    namespace: dict[str, Any] = {"__name__": "ported"}
    real = {name: getattr(builtins, name) for name in TRAPPED if name in dir(builtins)}

    def trap(name: str) -> Any:
        def caught(*given: Any, **named: Any) -> Any:
            frame = sys._getframe(1)
            helper = name == "getattr" and frame.f_code.co_name == "product"  # a function that luxport writes itself
            if frame.f_globals is namespace and not helper:
                if name == "__import__" and given[0] in ("dataclasses", "functools", "luxport", "math", "operator"):
                    return real[name](*given, **named)
                hits.append(name)
                return None
            return real[name](*given, **named)

        return caught

    code = compile(python.encode(), "ported.py", "exec")
    run = exec
    traps = {name: trap(name) for name in real}
    for name, function in traps.items():
        setattr(builtins, name, function)
    try:
        with suppress(Exception):  # that it raises is no finding
            run(code, namespace)
        for node in ast.parse(python.encode()).body:  # what stands after the place where it raised, too
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                with suppress(Exception):
                    run(compile(ast.Module([node], []), "ported.py", "exec"), namespace)
                    made = namespace[node.name]
                    takes = node.args.args if isinstance(node, ast.FunctionDef) else []
                    made(*[1 for _ in takes])
    finally:
        for name, function in real.items():
            setattr(builtins, name, function)
    return hits + [f"{name} handed on" for name in traps if any(value is traps[name] for value in namespace.values())]


def outcome_of(source: str) -> str:
    """Translate a source as a user would and import what comes out; whatever should not happen is raised."""
    try:
        with held(len(source), ignoring=LOOKING):
            python = translate(source).python
    except FileFormatError:
        return "refused"
    if not all(line.isprintable() for line in python.split("\n")):
        raise AssertionError("the Python has characters that cannot be printed")
    if hits := hits_of(python):
        raise AssertionError(f"the source ran {hits}")
    return "raised" if "not_ported(" in python else "imported"


def attack(seed: int) -> Attack:
    """Return the attack on the translation."""
    return Attack(
        f"julia injections/{seed}",
        lambda number: Grown(random.Random(f"{seed}/{number}")).source(),
        lambda source, _: outcome_of(source),
    )


def imports(seed: int) -> Attack:
    """Return the attack on whoever imports what was translated."""
    return Attack(
        f"julia imports/{seed}",
        lambda number: Computing(random.Random(f"{seed}/{number}")).source(),
        lambda source, _: computes(source),
    )


if __name__ == "__main__":
    sys.exit(main(__doc__, {"injections": attack, "imports": imports}))
