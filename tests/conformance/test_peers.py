"""Peers: differences that have a name, tables that are whole, an adapter of one's own, results as data."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from luxport.cli import main
from luxport.porting.keras import conventions as keras
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.peers import PEERS, Counterpart, Peer, find_peer
from luxport_conformance.peers.differences import DIFFERENCES, Difference
from luxport_conformance.peers.names import check_names
from luxport_conformance.results import changes, load, markdown

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.kind.replace(" ", "_"))
def test_a_difference_is_there_and_its_converter_takes_it_away(difference: Difference) -> None:
    if find_spec(difference.module) is None:
        assert os.environ.get("CI") != "true", f"{difference.module} belongs to the extra dev"
        pytest.skip(f"{difference.module} is not installed")
    here, there, converted = difference.shown()
    assert here.shape != there.shape or not np.allclose(here, there, rtol=1e-4, equal_nan=True)
    if difference.converter:
        np.testing.assert_allclose(converted, there, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("library", ["keras", "torch"])
def test_readers_and_tables_convert_by_the_same_functions(library: str) -> None:
    """`from_torch` and `from_keras` read by what the peers' tables write by."""
    converters = set(import_module(f"luxport.porting.{library}.conventions").__all__)

    def used_in(folder: str, files: str) -> set[str]:
        names = set()
        for file in (ROOT / folder).rglob(files):
            if file.stem != "conventions":
                names |= {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
        return converters & names

    read = used_in(f"luxport/porting/{library}", "*.py")
    written = used_in("conformance/luxport_conformance/peers", f"{library}_*.py")
    assert read | written == converters
    assert {name for name in converters if name.startswith(f"{library}_")} == written - read


def test_what_keras_has_otherwise_goes_there_and_back() -> None:
    kernel = np.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    for there, back in (
        (keras.conv_weight(kernel), keras.keras_conv_weight),
        (keras.depthwise_weight(kernel), lambda weight: keras.keras_depthwise_weight(weight, 4)),
        (keras.attention_weight(kernel[0]), lambda weight: keras.keras_attention_weight(weight, 4)),
        (keras.attention_out_weight(kernel[0]), lambda weight: keras.keras_attention_out_weight(weight, 3)),
        (keras.attention_bias(kernel[0, 0]), lambda bias: keras.keras_attention_bias(bias, 4)),
        (keras.gru_gates(kernel), keras.gru_gates),
        (keras.reset_first_weights(kernel[0, 0]), lambda pair: keras.keras_reset_first_weight(*pair)),
    ):
        found = back(there)
        np.testing.assert_array_equal(
            found, kernel if found.ndim == 4 else kernel[0] if found.ndim == 3 else kernel[0, 0]
        )


def test_every_layer_has_a_word_in_each_table() -> None:
    """A new layer is visible: it has a counterpart, or a reason why there is none, in `luxport_conformance.peers`."""
    for name in PEERS:
        peer = find_peer(name)
        assert not set(peer.layers) & set(peer.none), name
        unknown = (set(peer.layers) | set(peer.none)) - set(EXAMPLES)
        assert not unknown, f"{name} has entries of no layer: {sorted(unknown)}"
        if peer.layers:
            missing = sorted(set(EXAMPLES) - set(peer.layers) - set(peer.none))
            assert not missing, f"{name} says nothing of {', '.join(missing)}: layers=... or none=..."
        check_names(peer)


@pytest.mark.parametrize(
    ("peer", "line"),
    [
        (Peer("mine", "numpy", layers={"Dens": lambda *_: None}), "layers names 'Dens', .* do you mean Dense?"),
        (Peer("mine", "numpy", losses={"MSE": lambda *_: None}), "losses names 'MSE', .* expected some of "),
        (Peer("mine", "numpi"), "unknown backend 'numpi'"),
    ],
)
def test_a_table_of_what_is_not_asked_is_refused(peer: Peer, line: str) -> None:
    with pytest.raises(ValueError, match=f"peer mine: {line}"):
        check_names(peer)


def test_a_difference_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="KINDS, got 'another scale': say it as remark='another scale'"):
        Counterpart(lambda x, ps: x, differences=("another scale",))


def test_the_page_from_nothing_to_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "peers.md").read_text()
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert code is not None and len(code[1].splitlines()) <= 20
    (tmp_path / "my_package.py").write_text(code[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    saved = tmp_path / "results"
    arguments = ["conformance", "--peer", "my_package:adapter", "--jobs", "1", "--save", str(saved)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    shown = re.search(r"\$ luxport conformance --peer my_package:adapter\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    table, expected = out.splitlines(), shown[1].splitlines()
    assert [table[0], *table[2:3]] == [expected[0], *expected[2:3]], "the page shows what the command prints"
    assert table[1].split()[0] == expected[1].split()[0] == "Dense"
    assert table[3].partition(";")[0] == expected[3].partition(";")[0]
    assert 0.0 < float(table[1].split()[1]) < 4.0
    (path,) = saved.glob("*.json")
    old = load(path)
    assert list(changes(old, old)) == []
    assert "| Dense |" in markdown([old])
    assert old["counts"] == {"figures": 5, "none": 10} and 0.0 < old["worst"]["Dense"][0] < 4.0
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps({**old, "worst": {}, "beyond": {"peer-Dense_1": ["Dense", 1e6]}}))
    assert main(["conformance", "--compare", str(path), str(newer)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(": ")[2] for line in lines] == [
        f"Dense: {old['worst']['Dense'][0]} -> not asked",
        "peer-Dense_1: within 16 or left out -> 1000000.0",
    ]
    with pytest.raises(SystemExit):
        main([*arguments, "--layer", "Dense"])
    assert "--save keeps results of whole runs" in capsys.readouterr().err
    sys.modules.pop("my_package", None)
