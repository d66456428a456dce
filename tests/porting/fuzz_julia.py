"""Translate hostile Julia with `luxport port`, and import the result.

python tests/porting/fuzz_julia.py injections 10000 --seed 1
    python tests/porting/fuzz_julia.py imports 10000

With ``injections`` the sources come from a grammar of definitions, calls and literals whose names and strings an
attacker chose. Each translated module is compiled and run, and what it defines is called, with traps in place of
Python's builtins: ``exec``, ``open``, ``print`` and the like record who calls them. This does not rely on the
translation's own check.

With ``imports`` the sources compute much: loops, recursion, products, sequences, and layers that double. Importing a
translated module must not raise, and must take less than two seconds and 200 MiB.
"""

from __future__ import annotations

import ast
import builtins
import random
import sys
from contextlib import suppress
from types import ModuleType
from typing import Any

from fuzz_limits import Attack, limit_resources, main
from hostile_julia import TRAPPED, RandomSource

from luxport.backend import find_owner
from luxport.porting import FileFormatError
from luxport.porting.translate import translate
from luxport.porting.translate.helpers import HELPERS

LOOKING = ("compile", "open 'ported'", "open '<unknown>'")
"""The translated Python is parsed for its check; for an error in it Python itself looks for the line."""


class ComputingSource:
    """Random sources that compute when they are run."""

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


def import_module(python: str) -> None:
    """Import a module under its limits; it must not raise."""
    code = compile(python.encode(), "ported.py", "exec")
    module = sys.modules["ported"] = ModuleType("ported")
    exec(code, vars(module))


def translate_limited(source: str) -> str | None:
    """Translate a source under the limits, or return None if it is refused."""
    try:
        with limit_resources(len(source), ignoring=LOOKING):
            return translate(source).python
    except FileFormatError:
        return None


def import_outcome(source: str) -> str:
    """Translate a source as a user would and import the result; raise for whatever must not happen."""
    python = translate_limited(source)
    if python is None:
        return "refused"
    with limit_resources(0, ignoring=("compile", "exec", "import")):
        import_module(python)
    return "raised" if "__main__" in python else "imported"


def find_trap_hits(python: str) -> list[str]:
    """Run a module, call what it defines, and return the traps that were called."""
    hits: list[str] = []
    namespace: dict[str, Any] = {"__name__": "ported"}
    real = {name: getattr(builtins, name) for name in TRAPPED if name in dir(builtins)}

    def trap(name: str) -> Any:
        def caught(*given: Any, **named: Any) -> Any:
            frame = sys._getframe(1)
            helper = name == "getattr" and frame.f_code.co_name == "product"  # a function of luxport's own
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
        with suppress(Exception):  # it may raise
            run(code, namespace)
        for node in ast.parse(python.encode()).body:  # what follows the place where it raised, too
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


find_owner(object)  # the first call looks for the backends, which must not count against an input

OWN = {ast.dump(ast.parse(code).body[0]) for code in HELPERS.values()}
"""luxport's own functions, some of which use formats."""
PACKAGES = {"dataclasses", "functools", "luxport", "math", "operator"}


def find_forbidden_access(python: str) -> list[str]:
    """Return what a module could reach in Python without a call: private attributes, formats, other modules."""
    found = []
    tree = ast.parse(python.encode())
    tree.body = [node for node in tree.body if ast.dump(node) not in OWN]
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) if name.startswith("_") or name in ("format", "format_map", "mro"):
                found.append(f".{name}")
            case ast.JoinedStr() | ast.ImportFrom():
                found.append(type(node).__name__)
            case ast.Import(names=names):
                found += [alias.name for alias in names if alias.name not in PACKAGES or alias.asname]
    return found


def run_outcome(source: str) -> str:
    """Translate a source as a user would and try the result for injections; raise for whatever must not happen."""
    python = translate_limited(source)
    if python is None:
        return "refused"
    if not all(line.isprintable() for line in python.split("\n")):
        raise AssertionError("the Python has characters that cannot be printed")
    if found := find_forbidden_access(python):
        raise AssertionError(f"the Python reaches for {found}")
    if hits := find_trap_hits(python):
        raise AssertionError(f"the source ran {hits}")
    return "raised" if "not_ported(" in python else "imported"


def make_injection_attack(seed: int) -> Attack:
    """Return the attack by injected code."""
    return Attack(
        f"julia injections/{seed}",
        lambda number: RandomSource(random.Random(f"{seed}/{number}")).source(),
        lambda source, _: run_outcome(source),
    )


def make_import_attack(seed: int) -> Attack:
    """Return the attack by sources that are costly to import."""
    return Attack(
        f"julia imports/{seed}",
        lambda number: ComputingSource(random.Random(f"{seed}/{number}")).source(),
        lambda source, _: import_outcome(source),
    )


if __name__ == "__main__":
    sys.exit(main(__doc__, {"injections": make_injection_attack, "imports": make_import_attack}))
