"""Imports: luxport imports no framework and no backend, a backend only its framework and luxport; no cycles."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"jax", "jaxlib", "torch", "tensorflow", "mlx", "cupy", "keras", "onnx", "onnxruntime"}
BACKENDS = {"luxport_numpy", "luxport_jax", "luxport_torch", "luxport_tf", "luxport_mlx", "luxport_cupy"}
BACKENDS |= {"luxport_onnx"}
ROOMS = {
    "luxport": set(),
    "backends/numpy": {"luxport_numpy"},
    "backends/jax": {"luxport_jax", "jax", "jaxlib"},
    "backends/torch": {"luxport_torch", "torch"},
    "backends/tf": {"luxport_tf", "tensorflow"},
    "backends/onnx": {"luxport_onnx", "onnx", "onnxruntime"},
    "backends/mlx": {"luxport_mlx", "mlx"},
    "backends/cupy": {"luxport_cupy", "cupy"},
}


def list_imported_roots(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "") if node.level == 0 else "")
    # array_api_compat.torch counts as PyTorch.
    return {name.removeprefix("array_api_compat.").partition(".")[0] for name in found} - {"numpy"}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_stay_in_their_room(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    foreign = (FRAMEWORKS | BACKENDS | {"luxport_conformance"}) - ROOMS[room]
    offences = {str(file.relative_to(ROOT)): list_imported_roots(file) & foreign for file in files}
    assert {file: roots for file, roots in offences.items() if roots} == {}


FLOORS = (
    (
        "argument_types",
        "call_arguments",
        "errors",
        "hints",
        "lazy",
        "text",
        "version",
        "when_imported",
        "command_line",
    ),
    ("tree",),
    ("backend",),
    ("transforms",),
    ("ops",),
    ("random",),
    ("initializers",),
    ("core",),
    ("layers",),
    ("losses", "optimizers", "schedules", "optimisers", "devices"),
    ("porting", "export"),
    ("training",),
    ("distributed",),
    ("cli", "__main__"),
)
"""The floors from the ground up. A module may import from its own floor and from those below, also inside functions."""


def list_modules(package: Path = ROOT / "luxport") -> dict[str, Path]:
    found = {}
    for file in package.rglob("*.py"):
        name = ".".join(file.relative_to(package.parent).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = file
    return found


def list_imported_modules(file: Path, known: dict[str, Path]) -> set[str]:
    """Return luxport's modules that a file imports anywhere, except by relative imports, which only go down."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in known}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("luxport"):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in inner}
    return found - {"luxport"}


def test_every_folder_is_on_a_floor() -> None:
    rooms = {name.split(".")[1] for name in list_modules() if "." in name}
    assert rooms == {room for floor in FLOORS for room in floor}


def find_rooms_of_names() -> dict[str, str]:
    """Return the room of each name at the top level; rooms themselves are included."""
    lines = ast.walk(ast.parse((ROOT / "luxport/__init__.pyi").read_text()))
    places = {
        alias.name: line.module or alias.name
        for line in lines
        if isinstance(line, ast.ImportFrom)
        for alias in line.names
    }
    return {name: place.partition(".")[0] for name, place in places.items()} | {
        room: room for floor in FLOORS for room in floor
    }


def list_rooms_used_from_the_top(file: Path, room_of: dict[str, str]) -> set[str]:
    """Return the rooms of names that a file takes from the top: ``from luxport import Dense``, ``luxport.Dense``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "luxport":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "luxport":
            found.add(node.attr)
    return {room_of[name] for name in found if name in room_of}


def list_rooms_of_a_stub(stub: Path) -> set[str]:
    """Return the rooms that a package's stub imports from."""
    package = ("luxport", *stub.parent.relative_to(ROOT / "luxport").parts)
    lines = [node for node in ast.walk(ast.parse(stub.read_text())) if isinstance(node, ast.ImportFrom) and node.level]
    places = [(*package[: len(package) - line.level + 1], *(line.module or "").split(".")) for line in lines]
    return {place[1] for place in places}


def test_no_arrow_goes_up() -> None:
    known, room_of = list_modules(), find_rooms_of_names()
    height = {room: i for i, floor in enumerate(FLOORS) for room in floor}
    arrows = {
        name: {other.split(".")[1] for other in list_imported_modules(file, known)}
        | list_rooms_used_from_the_top(file, room_of)
        for name, file in known.items()
        if name != "luxport"
    }
    stubs = [stub for stub in (ROOT / "luxport").rglob("*.pyi") if stub.parent != ROOT / "luxport"]
    arrows |= {f"luxport.{stub.parent.name}.stub": list_rooms_of_a_stub(stub) for stub in stubs}
    up = [
        f"{name} -> {room}"
        for name, rooms in arrows.items()
        for room in rooms
        if height[room] > height[name.split(".")[1]]
    ]
    assert up == []


def find_origins(known: dict[str, Path]) -> dict[str, str]:
    """Return the module of origin of each name that a package or its stub imports."""
    places = {}
    for package, file in known.items():
        for listing in (file, file.with_suffix(".pyi")) if file.name == "__init__.py" else ():
            tree = ast.parse(listing.read_text() if listing.exists() else "")
            for line in [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]:
                origin = resolve_module(line, package)
                places |= {f"{package}.{alias.asname or alias.name}": f"{origin}.{alias.name}" for alias in line.names}
    return places


def resolve_module(line: ast.ImportFrom, package: str) -> str:
    """Return the module that a line imports from, with relative imports resolved in their package."""
    above = package.split(".")[: len(package.split(".")) - line.level + 1] if line.level else []
    return ".".join([*above, *([line.module] if line.module else [])])


def list_used_modules(name: str, known: dict[str, Path], places: dict[str, str]) -> set[str]:
    """Return the modules whose names a module uses, looking through packages that only re-export them."""

    def module_of(place: str) -> str | None:
        while place not in known:
            place = places.get(place) or place.rpartition(".")[0]
            if not place:
                return None
        return place

    tree = ast.parse(known[name].read_text())
    package = name if known[name].name == "__init__.py" else name.rpartition(".")[0]
    imported = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {
                alias.asname or alias.name: f"{resolve_module(node, package)}.{alias.name}" for alias in node.names
            }
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    used = {ast.unparse(node.value): set() for node in attributes}
    for node in attributes:
        used[ast.unparse(node.value)].add(node.attr)
    found = {module_of(place) for place in imported.values()}
    found |= {
        module_of(f"{imported[base]}.{name}") for base, names in used.items() if base in imported for name in names
    }
    return {module for module in found if module} - {name}


@pytest.mark.parametrize("package", ["luxport", *sorted(path.name for path in (ROOT / "backends").glob("*/luxport_*"))])
def test_no_modules_import_each_other_in_a_cycle(package: str) -> None:
    """Re-exports are looked through: ``ops.relu`` counts as an import of the module that defines `relu`."""
    known = list_modules(next(ROOT.glob("luxport" if package == "luxport" else f"backends/*/{package}")))
    places = find_origins(known)
    left = {name: list_used_modules(name, known, places) for name in known}
    assert any(left.values()) or len(left) == 1
    while True:  # repeatedly remove modules that import no remaining one, or that no remaining one imports
        imported = {other for others in left.values() for other in others}
        free = [name for name, others in left.items() if not others & left.keys() or name not in imported]
        if not free:
            break
        for name in free:
            del left[name]
    assert sorted(left) == []


def test_layers_and_operations_never_test_the_backends_name() -> None:
    asking = [
        str(file.relative_to(ROOT))
        for folder in ("luxport/layers", "luxport/ops")
        for file in (ROOT / folder).rglob("*.py")
        if "backend.name" in file.read_text() or ".name ==" in file.read_text()
    ]
    assert asking == []


def test_no_size_is_compared_by_membership() -> None:
    """``n in (size, None)`` fails where PyTorch's compiler keeps `size` symbolic: use `match_sizes`, or ``==``."""
    looking = [
        f"{file.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for folder in ("core", "ops", "layers", "losses")
        for file in sorted((ROOT / "luxport" / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], (ast.In, ast.NotIn))
        and ast.unparse(node.left) != "None"
        and isinstance(node.comparators[0], (ast.Tuple, ast.List, ast.Set))
        and any(isinstance(element, (ast.Name, ast.Attribute)) for element in node.comparators[0].elts)
    ]
    assert looking == []


TABLES = {
    "_registry.self.by_name": "backends",
    "_registry.self.by_type": "types of arrays",
    "_registry.self.compiling": "backends",
    "when_imported._waiting": "packages that are waited for",
    "source._layouts": "no more than 1,000 forms",
    "_step_programs._PROGRAMS": "the oldest of 64 goes",
    "_step_programs._RECENT": "all of 64 go",
    "_packing._LAYOUTS": "the oldest of 256 goes",
    "lstm_layer._WORKSPACES": "the oldest of 256 goes",
    "_operators._before": "operators of TensorFlow's",
    "distributed._numbers": "kinds of arrays that processes send, of which TensorFlow keeps one each",
}
"""Containers at module level, and why each stays bounded."""


def list_attributes_of_singletons(tree: ast.Module) -> list[ast.stmt]:
    """Return the assignments in classes of which the module itself creates an object."""
    made = {
        ast.unparse(node.value.func)
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Call)
    }
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name in made]
    return [node for one in classes for node in ast.walk(one) if isinstance(node, (ast.Assign, ast.AnnAssign))]


def test_containers_at_module_level_are_bounded() -> None:
    kept, endless = set(), []
    for file in [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]:
        tree = ast.parse(file.read_text())
        for node in [*tree.body, *list_attributes_of_singletons(tree)]:
            target = node.targets[0] if isinstance(node, ast.Assign) else node
            value = getattr(node, "value", None)
            name = ast.unparse(getattr(target, "target", target)) if value is not None else ""
            if value is not None and ast.unparse(value) in ("{}", "[]", "dict()", "set()", "list()"):
                kept.add(f"{file.stem}.{name}")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.args.args:
                caches = {"functools.cache", "cache", "functools.lru_cache(maxsize=None)", "lru_cache(None)"}
                endless += [node.name for one in node.decorator_list if ast.unparse(one) in caches]
    assert kept == set(TABLES)
    assert endless == []
