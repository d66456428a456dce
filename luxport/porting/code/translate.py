"""`translate`: a file of Julia code as a module of Python."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from luxport.porting.code.definitions import define, makes_layers, signature
from luxport.porting.code.expressions import Hole, Translator
from luxport.porting.code.helpers import HELPERS
from luxport.porting.code.parse import names_in, parse, text
from luxport.porting.code.statements import top_level
from luxport.porting.code.structs import find_methods, find_structs, place_of

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Hole", "Translation", "translate"]


@dataclass(frozen=True)
class Translation:
    """The Python module, and the pieces of Julia that it only marks."""

    python: str
    holes: tuple[Hole, ...]


def translate(source: str, *, flux: tuple[int, int] | None = None) -> Translation:
    """Turn Julia code that defines Flux or Lux models into Python that builds the same models of luxport's.

    Sizes in variables stay in Julia's order and are turned round where a layer takes them; functions of arrays are
    written with the axes reversed. A struct with a forward method becomes a function that makes a `luxport.compact`
    layer of its fields, or for Lux's abstract types a class. What is not understood is marked with
    ``# TODO: not ported`` and raises NotImplementedError where it is executed. Statements that make no layer, as
    those of training, are only marked; what uses their names raises.

    Args:
        source: Julia code
        flux: the version it was written for, (0, 14) say. Recurrent layers are ported if it is known: until 0.14
            they take one step a call, since then a sequence. Until 0.14 LayerNorm has another formula, too; without
            a version it is that of 0.15 and later

    Raises: ImportError without Julia's grammar, which ``luxport-nn[code]`` installs

    >>> print(translate("using Flux; model = Chain(Dense(2 => 3, relu), Dense(3 => 1))").python)
    import luxport
    <BLANKLINE>
    model = luxport.Chain(luxport.Dense(2, 3, luxport.relu), luxport.Dense(3, 1))
    <BLANKLINE>
    """
    root = parse(source)
    if flux is None and "reset!" in source:  # Flux 0.15 has no such function
        flux = (0, 14)
    t = Translator(_dialect(root), flux)
    t.define = define
    statements = _statements(root)
    t.structs = find_structs(statements)
    t.owners = {
        place_of(node): struct
        for struct in t.structs.values()
        for node in (struct.node, *struct.forwards, *struct.parameters, *struct.states, *struct.marks)
    }
    t.several = find_methods(statements, t.structs)
    _announce(t, statements)
    chunks = []
    for node in statements:
        t.lines, holes = [], len(t.holes)
        top_level(t, node)
        if not _compiles(t.lines):
            del t.holes[holes:]
            t.lines = []
            t.put(t.hole(node, "a form that Python has not").text)
        if t.lines:
            chunks.append("\n".join(t.lines))
    return Translation(_module(chunks, t.helpers), tuple(t.holes))


def _compiles(lines: list[str]) -> bool:
    try:
        compile("\n".join(lines), "ported", "exec")
    except SyntaxError:
        return False
    return True


def _announce(t: Translator, statements: list[Node]) -> None:
    """Make functions known before their definitions, where others may call them."""
    named = {place_of(node): signature(node) for node in statements}
    functions = [(text(head.named_children[0]), node) for node in statements if (head := named[place_of(node)])]
    functions = [(name, node) for name, node in functions if name not in t.structs]
    t.kinds |= {name: "builder" for name, struct in t.structs.items() if struct.forwards}
    t.kinds |= {name: "function" for name, _ in functions}
    t.announced = {*t.structs, *(name for name, _ in functions)}
    changed = True
    while changed:
        makers = {name for name, node in functions if t.kinds[name] == "function" and makes_layers(t, node)}
        t.kinds |= dict.fromkeys(makers, "builder")
        changed = bool(makers)


def _statements(node: Node) -> list[Node]:
    """Return a file's statements, those of modules in it among them."""
    found = []
    for child in node.named_children:
        if child.type == "module_definition" or child.type == "block" and node.type == "module_definition":
            found += _statements(child)
        elif child.type == "identifier" and node.type == "module_definition":  # its name
            continue
        else:
            found.append(child)
    return found


def _dialect(root: Node) -> str | None:
    """Tell Flux's code from Lux's by what it uses; a file of both is either."""
    used: set[str] = set()
    for node in _all(root):
        if node.type in ("using_statement", "import_statement", "field_expression"):
            used |= names_in(node) if node.type != "field_expression" else {text(node.named_children[0])}
        elif node.type == "macrocall_expression" and text(node).startswith("@compact"):
            used.add("Lux")
    return "flux" if "Flux" in used and "Lux" not in used else "lux" if "Lux" in used and "Flux" not in used else None


def _all(node: Node) -> list[Node]:
    found, pending = [], [node]
    while pending:
        found.append(pending.pop())
        pending += found[-1].named_children
    return found


def _module(chunks: list[str], helpers: set[str]) -> str:
    statements = "\n".join([*(HELPERS[name] for name in sorted(helpers)), *chunks])
    imports = [
        f"import {name}" for name in ("dataclasses", "functools", "math", "operator") if f"{name}." in statements
    ]
    lines = [*imports, *([""] if imports else []), "import luxport", ""]
    inside = decorated = False
    for line in statements.splitlines():
        outermost = bool(line) and line[0] not in " )"
        starts = line.startswith(("def ", "class ", "@"))
        if outermost and (starts or inside) and not decorated:
            remarks = 0
            while starts and lines[-1 - remarks].startswith("#"):
                remarks += 1
            while lines[-1 - remarks] == "":
                del lines[-1 - remarks]
            lines[len(lines) - remarks : len(lines) - remarks] = ["", ""]
        decorated = line.startswith("@") or (decorated and not line.startswith(("def ", "class ")))
        inside = line.startswith(("def ", "class ")) or (inside and not outermost)
        lines.append(line)
    return "\n".join(lines) + "\n"
