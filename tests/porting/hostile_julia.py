"""A grammar of hostile Julia: definitions, calls and literals whose names and strings are an attacker's."""

from __future__ import annotations

import random

__all__ = ["TRAPPED", "RandomSource"]

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
    "{print(1)}",
    "{{0.__class__}}",
    "%(print)s",
    "\\N{NEWLINE}print(1)",
    "\\u000aprint(1)",
    "\\ud800",
    "\\x0aprint(1)",
    "\ufeff",
    "'''\nprint(1)\n'''",
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
NAMES += (
    "class",
    "def",
    "yield",
    "await",
    "nonlocal",
    "is",
    "del",
    "True_",
    "ｄef",
    "ⅽlass",
    "＿＿class＿＿",
    "__dict__",
)
NAMES += ("__init_subclass__", "__subclasses__", "__globals__", "__reduce__", "__slots__", "__match_args__", "__name__")
NAMES += ("initial_parameters", "initial_states", "replace", "forward", "entries", "keep", "item", "ﷺ" * 40, "a" * 300)
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


class RandomSource:
    """Random sources of this grammar."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def source(self) -> str:
        lines = [self.rng.choice(("using Flux", "using Lux", ""))]
        lines += [self.statement(3) for _ in range(self.rng.randrange(1, 6))]
        if self.rng.random() < 0.3:
            lines.insert(self.rng.randrange(len(lines) + 1), self.unusual_statement())
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
        prefix = self.rng.choice(("", "", "", "r", "raw", "b", "f", "u", "rb", "exec", "eval", "print"))
        inner = self.text().replace(mark, "")
        if not prefix and self.rng.random() < 0.3:
            inner += self.interpolated(2)
        return f"{prefix}{mark}{inner}{mark}"

    def interpolated(self, depth: int) -> str:
        """Return code inside a string, which may contain a string with code of its own."""
        if not depth or self.rng.random() < 0.3:
            return self.rng.choice((f"${self.name()}", f"$({self.rng.choice(PAYLOADS)})"))
        return f'$({self.name()}("{self.unquoted()}{self.interpolated(depth - 1)}"))'

    def unquoted(self) -> str:
        """Return text that does not end a string."""
        return self.text().replace('"', "")

    def parameterized(self, name: str) -> str:
        """Return a type's name, with or without parameters."""
        if self.rng.random() < 0.6:
            return name
        kinds = (self.name(), f"T<:{self.name()}", f"{self.name()}<:{self.name()}")
        return f"{name}{{{', '.join(self.rng.choice(kinds) for _ in range(self.rng.randrange(1, 3)))}}}"

    def unusual_statement(self) -> str:
        """Return a statement that runs code in Julia, renames something, or comes before others."""
        name, other, inner = self.name(), self.name(), self.statement(1)
        match self.rng.randrange(12):
            case 0:
                return f'"""{self.unquoted()}"""\n{inner}'
            case 1:
                return f"@doc {self.string()} {inner}"
            case 2:
                return f"@eval {self.rng.choice(('', '$', 'begin '))}{inner}"
            case 3:
                return f"{name} = include_string({other}, {self.string()})"
            case 4:
                return f"{name} = {self.rng.choice(('Core.eval(Main, ', 'eval(', '('))}Meta.parse({self.string()}))"
            case 5:
                return f'include("{self.unquoted()}.jl")'
            case 6:
                return f"{self.rng.choice(('using', 'import'))} {name}: {other} as {self.name()}, {self.name()}"
            case 7:
                return f"module {name}\nexport {other}\n{inner}\nend\nusing .{name}\n{name}.{other}(1)"
            case 8:
                return f"macro {name}({other})\n    {inner}\nend\n@{name} {self.expression(1)}"
            case 9:
                return f"Base.{name}(m::{other}, x) = {self.expression(1)}"
            case 10:
                return f"try\n    {inner}\ncatch {name}\n    {self.statement(1)}\nend"
            case _:
                return f"{name}(x::T) where {{T<:{other}}} = {self.layer(1)}\nlet {other} = {self.expression(1)}\nend"

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
                return (
                    f"{head}{self.parameterized(name)}{base}\n{fields}\nend\n{call}\n{field} = {name}({expression(1)})"
                )
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
