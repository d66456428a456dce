"""Files: long ones are listed with a reason, files named in the guide exist, and one function writes files."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("luxport", "backends", "conformance", "tests", "benchmarks", "examples", "docs")
MOST_LINES = 300

DOCSTRINGS = "most of its lines are docstrings of public functions"
METHODS = "one object, whose methods call each other: "
PEER = "one library: a function for each layer, and the table of them"
CASES = "one subject: a case for each line of the tests that it is ported from"
TESTS = "one subject: a test for each thing that it does"

LONG = {
    "backends/tf/luxport_tf/xp/linalg.py": "one extension of the Array API, a function each",
    "conformance/luxport_conformance/cases/activations.py": CASES,
    "conformance/luxport_conformance/cases/conv.py": CASES,
    "conformance/luxport_conformance/cases/conv_independent.py": CASES,
    "conformance/luxport_conformance/cases/loading.py": CASES,
    "conformance/luxport_conformance/peers/edges.py": "tables of inputs at which peers are asked",
    "conformance/luxport_conformance/peers/equinox_peer.py": PEER,
    "conformance/luxport_conformance/peers/flax_peer.py": PEER,
    "conformance/luxport_conformance/peers/haiku_peer.py": PEER,
    "conformance/luxport_conformance/peers/keras_peer.py": PEER,
    "conformance/luxport_conformance/peers/mlx_nn.py": PEER,
    "conformance/luxport_conformance/peers/tf_nn.py": PEER,
    "conformance/luxport_conformance/peers/torch_peer.py": PEER,
    "luxport/core/abstract_namespace.py": "a shape rule for each function of the Array API",
    "luxport/initializers.py": DOCSTRINGS,
    "luxport/ops/_normalize.py": DOCSTRINGS,
    "luxport/ops/_pooling.py": DOCSTRINGS,
    "luxport/ops/_upsample.py": DOCSTRINGS,
    "luxport/ops/windows.py": DOCSTRINGS,
    "luxport/porting/files/bson/values.py": METHODS + "a method for each tag of a document",
    "luxport/porting/files/jld2/values.py": METHODS + "a method for each kind of datatype",
    "luxport/porting/files/jld2/writer.py": METHODS + "a method for each part of a file",
    "luxport/porting/translate/interpreter.py": METHODS + "a branch for each kind of statement and expression",
    "luxport/porting/translate/layers.py": "a table of Flux's layers, and a builder for each",
    "luxport/porting/translate/scope.py": DOCSTRINGS,
    "tests/core/test_errors.py": TESTS,
    "tests/core/test_transforms.py": TESTS,
    "tests/distributed/test_local.py": TESTS,
    "tests/export/test_onnx_models.py": TESTS,
    "tests/layers/test_conv.py": TESTS,
    "tests/layers/test_recurrent.py": TESTS,
    "tests/porting/from_keras_program.py": "one program, with a table of layers of Keras",
    "tests/porting/fuzz_formats.py": "one grammar of damaged files for each format",
    "tests/porting/test_code_meaning.py": TESTS,
    "tests/porting/test_code_statements.py": TESTS,
    "tests/porting/test_flux_state.py": TESTS,
    "tests/porting/test_jld2.py": TESTS,
    "tests/porting/test_lux_models.py": TESTS,
    "tests/porting/test_saving.py": TESTS,
    "tests/toplevel/test_hints.py": "a table of mistakes",
}
"""Files with more lines, and why each is one file. Other long files are split by subject."""


def test_long_files_are_listed_with_a_reason() -> None:
    lines = {
        str(file.relative_to(ROOT)): len(file.read_text().splitlines())
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.py")
    }
    assert len(lines) > 900
    assert {name: count for name, count in lines.items() if count > MOST_LINES and name not in LONG} == {}
    assert [name for name in LONG if lines.get(name, 0) <= MOST_LINES] == [], "no longer long: remove it from the list"


def test_files_named_in_the_guide_exist() -> None:
    named = re.findall(
        r"`((?:luxport|backends|conformance|tests)/[a-z0-9_/.]*)`", (ROOT / "CONTRIBUTING.md").read_text()
    )
    assert len(named) > 25
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_files_are_written_by_one_function() -> None:
    """Every file is written by `open_atomic`, so that it is complete or not there."""
    writing = re.compile(r"\.write_(text|bytes)\(|\bopen\([^)]*,\s*\"[wax]b?\+?\"|os\.replace\(|shutil\.(copy|move)")
    found = {
        file.stem
        for room in ("luxport", "backends")
        for file in (ROOT / room).rglob("*.py")
        if writing.search(file.read_text())
    }
    assert found == {"atomic_files"}
