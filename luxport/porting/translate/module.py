"""`translate`: translate a file of Julia code into a Python module."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from luxport.porting.errors import FileFormatError
from luxport.porting.translate.containers import CONTAINERS
from luxport.porting.translate.deferred_statements import find_deferred
from luxport.porting.translate.definitions import define
from luxport.porting.translate.elementwise import find_functions_of_elements
from luxport.porting.translate.expressions import READERS
from luxport.porting.translate.headers import declare_functions, find_packages, find_types, write_header
from luxport.porting.translate.helpers import HELPERS
from luxport.porting.translate.layers import LAYERS
from luxport.porting.translate.methods import choose_by_types, find_methods, write_chooser
from luxport.porting.translate.module_checks import find_violation, find_violation_in, list_bound_names, parse_python
from luxport.porting.translate.output import Hole, Output, Piece
from luxport.porting.translate.own_calls import OwnCall, find_own_calls
from luxport.porting.translate.own_inputs import DrawnInputs, list_inputs
from luxport.porting.translate.parse import count_line, parse, write_one_line
from luxport.porting.translate.scope import Scope, Source, Table
from luxport.porting.translate.statements import write_block
from luxport.porting.translate.structs import find_span, find_structs
from luxport.porting.translate.top_level import find_changed_in_place, leave_out, write_top_level
from luxport.porting.translate.wrappers import WRAPPERS
from luxport.porting.translate.writing import write_remark

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["Translation", "translate"]


@dataclass(frozen=True)
class Translation:
    """The Python module, and the pieces of Julia that are not ported."""

    python: str
    holes: tuple[Hole, ...]
    own_calls: tuple[OwnCall, ...] = ()
    """Calls in functions of the source that make its models, each as a Python function."""
    inputs_tried: tuple[DrawnInputs, ...] = ()
    """Inputs to try its models on: the arrays that it draws, and the arguments of its calls."""


def translate(source: str, *, flux: tuple[int, int] | None = None) -> Translation:
    """Translate Julia code that defines Flux or Lux models into Python code that builds the same models of luxport.

    Sizes in variables stay in Julia's order and are reversed where a layer takes them; functions of arrays are written
    with the axes reversed. A struct with a forward method becomes a function that makes a `luxport.compact` layer of
    its fields, or a class for Lux's abstract types. Code that cannot be translated is marked with
    ``# TODO: not ported`` and raises NotImplementedError when it runs. Statements that make no layer, such as training,
    are only marked, and code that uses their names raises. The module can always be imported, quickly and with little
    memory: statements that would raise or compute much are under ``if __name__ == "__main__":``.

    Args:
        source: Julia code
        flux: the version it was written for, such as (0, 14). Recurrent layers need it: until 0.14 a call is one step,
            since then a sequence. Until 0.14 LayerNorm has another formula, too; without a version it is that of
            0.15 and later

    Every node of the Python code is checked against a list of what such a module may contain, so that no text of the
    source can run as code: the module only defines functions and classes, and builds layers.

    Raises: ImportError without Julia's grammar, which ``luxport-nn[code]`` installs; FileFormatError for a source that
        is too large, nested too deep or not text

    >>> print(translate("using Flux; model = Chain(Dense(2 => 3, relu), Dense(3 => 1))").python)
    import luxport
    <BLANKLINE>
    model = luxport.Chain(luxport.Dense(2, 3, luxport.relu), luxport.Dense(3, 1))
    <BLANKLINE>
    """
    try:
        return _translate(source, flux)
    except (ImportError, FileFormatError):
        raise
    except RecursionError:
        raise FileFormatError(_TOO_DEEP) from None
    except MemoryError:
        raise FileFormatError("it takes more memory than there is") from None
    except UnicodeError:
        raise FileFormatError("it is no text") from None
    except Exception as error:  # from a form of the grammar that is not handled
        raise FileFormatError(f"it has a form that is not understood ({type(error).__name__})") from error


LARGEST = 75_000
"""The largest source in bytes; each byte takes 5 to 25 us."""


_MOST_WRITTEN = 1_000_000
"""The largest module in characters: importing it takes half a second and 150 MiB."""


_DEEPEST = 150


_TOO_DEEP = "it is nested too deep"


def _translate(source: str, flux: tuple[int, int] | None) -> Translation:
    if len(source.encode()) > LARGEST:
        raise FileFormatError(f"it is larger than {LARGEST:,} bytes")
    root = parse(source)
    size = _count_nodes(root)
    if flux is None and "reset!" in source:  # Flux 0.15 has no such function
        flux = (0, 14)
    packages = find_packages(root)
    dialect = packages.pop().lower() if len(packages) == 1 else None
    statements = _list_statements(root)
    structs = find_structs(statements)
    choose_by_types(structs.values())
    changed, filled = find_changed_in_place(root)
    source_of_all = Source(
        table=Table(READERS, LAYERS, define, write_block),
        dialect=dialect,
        names_no_package=dialect is None and not packages,
        flux=flux,
        structs=structs,
        owners={
            find_span(node): struct
            for struct in structs.values()
            for node in (struct.node, *struct.forwards, *struct.parameters, *struct.states, *struct.marks)
        },
        several=find_methods(statements, structs),
        types=find_types(statements),
        changed=changed,
        filled=filled,
        of_elements=find_functions_of_elements(root, statements, LAYERS.keys() - CONTAINERS.keys() - WRAPPERS.keys()),
    )
    here = declare_functions(Scope(source_of_all, Output(10_000 + 100 * size)), statements)
    written: list[tuple[Node, Piece]] = []
    for node in statements:
        here = write_top_level(replace(here, piece=Piece()), node)
        written.append((node, here.piece))
    _drop_choosers(here, written)
    trees = _check_parts(here, written)
    _defer_parts(here.output.helpers, written, trees)
    python = _write_module(_join_chunks(written), here.output.helpers)
    holes = tuple(hole for _, piece in written for hole in piece.holes)
    python = write_header(holes) + python
    if len(python) > _MOST_WRITTEN:
        raise FileFormatError(f"the Python would be longer than {_MOST_WRITTEN:,} letters")
    if wrong := find_violation(python):
        raise FileFormatError(f"the Python would have {wrong}, which is not allowed")
    calls = find_own_calls(here, root, list_bound_names(ast.parse(python).body))
    return Translation(python, holes, tuple(calls), tuple(list_inputs(root)))


def _drop_choosers(here: Scope, written: list[tuple[Node, Piece]]) -> None:
    """Remove the functions that choose a constructor and are never called."""
    for struct in here.source.structs.values():
        if not struct.chooser or struct.chooser in here.output.choosers:
            continue
        lines = ["", "", *write_chooser(struct)]
        for _, piece in written:
            if piece.lines[-len(lines) :] == lines:
                del piece.lines[-len(lines) :]


def _count_nodes(root: Node) -> int:
    """Return the number of nodes of a syntax tree.

    Raises: FileFormatError if they are nested too deep to be followed
    """
    cursor, depth, count = root.walk(), 0, 1
    while True:
        if cursor.goto_first_child():
            depth += 1
            if depth > _DEEPEST:
                raise FileFormatError(
                    f"{_TOO_DEEP} at line {cursor.node.start_point[0] + 1}" if cursor.node else _TOO_DEEP
                )
        else:
            while not cursor.goto_next_sibling():
                if not cursor.goto_parent():
                    return count
                depth -= 1
        count += 1


def _check_parts(here: Scope, written: list[tuple[Node, Piece]]) -> list[list[ast.stmt]]:
    """Leave out statements whose Python is not allowed in a module, and return the parsed Python of each statement."""
    trees = [_parse(piece) for _, piece in written]
    bound = [list_bound_names(tree.body) if tree else set() for tree in trees]
    tries = [0] * len(written)
    # Checking all statements at once is faster, and enough for most sources.
    changed = not all(trees) or bool(find_violation_in([part for tree in trees if tree for part in tree.body], HELPERS))
    while changed:
        changed = False
        defined = set().union(*bound, HELPERS)
        for place, (node, piece) in enumerate(written):
            tree = trees[place]
            if tree is None or find_violation_in(tree.body, defined):
                here = replace(here, piece=Piece())
                here = leave_out(
                    here, node, piece.holes[0].reason if piece.holes else "a form that Python does not have"
                )
                tries[place] += 1
                if tries[place] > 2:
                    raise FileFormatError(f"no Python can be written for line {node.start_point[0] + 1}")
                if tries[place] > 1:  # not even its stub, which raises, is allowed
                    here.piece.lines = [line for line in here.piece.lines if line.startswith("#")]
                written[place] = node, here.piece
                trees[place] = again = _parse(here.piece)
                bound[place] = list_bound_names(again.body) if again else set()
                changed = True
    return [tree.body if tree else [] for tree in trees]


def _parse(piece: Piece) -> ast.Module | None:
    # Two empty lines, because Python reads a comment in the first two lines as a declaration of the encoding.
    return parse_python("\n".join(["", "", *piece.lines]))


def _defer_parts(helpers: set[str], written: list[tuple[Node, Piece]], trees: list[list[ast.stmt]]) -> None:
    """Move the parts that an import must not run under a condition; the reason is a hole, if the part has none yet."""
    code = "\n".join(HELPERS[name] for name in sorted(helpers))
    held = find_deferred(trees, ast.parse(code).body)
    for place, why in held.items():
        node, piece = written[place]
        if why and not piece.holes:
            piece.holes.append(Hole(count_line(node), write_one_line(node), f"not executed when it is imported: {why}"))
            piece.lines.insert(0, write_remark(f"TODO: not executed when it is imported: {why}"))
        piece.lines[:] = [_AS_PROGRAM, *(f"    {line}" if line else "" for line in piece.lines)]


_AS_PROGRAM = 'if __name__ == "__main__":'


def _join_chunks(written: list[tuple[Node, Piece]]) -> list[str]:
    """Return the Python code of all statements, where successive deferred parts share one condition."""
    found: list[list[str]] = []
    last = -1  # the last chunk that is not only remarks
    for _, piece in written:
        lines = piece.lines
        if not lines:
            continue
        if lines[0] == _AS_PROGRAM and last >= 0 and found[last][0] == _AS_PROGRAM:
            remarks = [f"    {line}" for chunk in found[last + 1 :] for line in chunk]
            found[last] += [*remarks, *lines[1:]]
            del found[last + 1 :]
        else:
            found.append(list(lines))
            if not all(line.startswith("#") for line in lines):
                last = len(found) - 1
    return ["\n".join(lines) for lines in found]


def _list_statements(node: Node) -> list[Node]:
    """Return the statements of a file, including those in its modules."""
    found = []
    for child in node.named_children:
        if child.type == "module_definition" or child.type == "block" and node.type == "module_definition":
            found += _list_statements(child)
        elif child.type == "identifier" and node.type == "module_definition":  # the module's name
            continue
        else:
            found.append(child)
    return found


def _write_module(chunks: list[str], helpers: set[str]) -> str:
    """Return the text of the module: imports, helpers and statements, with the empty lines that PEP 8 asks for."""
    statements = "\n".join([*(HELPERS[name] for name in sorted(helpers)), *chunks])
    imports = [
        f"import {name}" for name in ("dataclasses", "functools", "math", "operator") if f"{name}." in statements
    ]
    lines = [*imports, *([""] if imports else []), "import luxport", ""]
    inside = decorated = False
    for line in statements.split("\n"):
        outermost = bool(line) and line[0] not in " )"
        starts = line.startswith(("def ", "class ", "@", _AS_PROGRAM))
        if outermost and (starts or inside) and not decorated:
            remarks = 0
            while starts and lines[-1 - remarks].startswith("#"):
                remarks += 1
            while lines[-1 - remarks] == "":
                del lines[-1 - remarks]
            lines[len(lines) - remarks : len(lines) - remarks] = ["", ""]
        decorated = line.startswith("@") or (decorated and not line.startswith(("def ", "class ")))
        inside = line.startswith(("def ", "class ", _AS_PROGRAM)) or (inside and not outermost)
        lines.append(line)
    return "\n".join(lines) + "\n"
