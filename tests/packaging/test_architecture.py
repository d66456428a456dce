"""Who may import whom: the core no framework and no backend, a backend its own framework and the core."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = {"jax", "jaxlib", "torch", "tensorflow", "keras"}
BACKENDS = {"luxport_numpy", "luxport_jax", "luxport_torch", "luxport_tf"}
ROOMS = {
    "luxport": set(),
    "backends/numpy": {"luxport_numpy"},
    "backends/jax": {"luxport_jax", "jax", "jaxlib"},
    "backends/torch": {"luxport_torch", "torch"},
    "backends/tf": {"luxport_tf", "tensorflow"},
}


def imported_roots(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "") if node.level == 0 else "")
    # array_api_compat.torch is PyTorch's, whatever its name begins with.
    return {"torch" if name.startswith("array_api_compat.torch") else name.partition(".")[0] for name in found}


@pytest.mark.parametrize("room", ROOMS)
def test_imports_stay_in_their_room(room: str) -> None:
    files = sorted((ROOT / room).rglob("*.py"))
    assert files
    foreign = (FRAMEWORKS | BACKENDS | {"luxport_conformance"}) - ROOMS[room]
    offences = {str(file.relative_to(ROOT)): imported_roots(file) & foreign for file in files}
    assert {file: roots for file, roots in offences.items() if roots} == {}


def test_layers_and_operations_never_ask_which_backend_it_is() -> None:
    asking = [
        str(file.relative_to(ROOT))
        for folder in ("luxport/layers", "luxport/ops")
        for file in (ROOT / folder).rglob("*.py")
        if "backend.name" in file.read_text() or ".name ==" in file.read_text()
    ]
    assert asking == []
