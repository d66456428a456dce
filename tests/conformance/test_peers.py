"""Test peers: named differences, complete tables of layers, a user's own adapter, and results as data."""

from __future__ import annotations

import ast
import json
import re
import sys
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from optional_packages import skip_without

import luxport
from luxport.cli import main
from luxport.porting.keras import conventions as keras
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.peers import PEERS, Counterpart, Peer, find_peer, jax_conventions
from luxport_conformance.peers.checks import list_peer_checks
from luxport_conformance.peers.counterpart import refuse
from luxport_conformance.peers.difference_kinds import KINDS
from luxport_conformance.peers.differences import DIFFERENCES, Difference
from luxport_conformance.peers.names import check_names
from luxport_conformance.results import list_changes, load, render_markdown

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda one: one.kind.replace(" ", "_"))
def test_a_difference_is_there_and_its_converter_takes_it_away(
    difference: Difference, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = difference.module.partition(".")[0]
    if find_spec(library) is None:
        skip_without([library])
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    shown = difference.run()
    here, there = np.asarray(shown.here), np.asarray(shown.there)
    assert not _is_alike(here, there, 1e-4)
    if difference.converter:
        converted = np.asarray(difference.convert(shown))
        assert _is_alike(converted, getattr(shown, difference.gives), 2e-5)


def _is_alike(one: np.ndarray, other: np.ndarray, rtol: float) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    return one.shape == other.shape and np.allclose(one, other, rtol=rtol, atol=1e-6, equal_nan=True)


def test_every_kind_is_shown() -> None:
    assert sorted(KINDS) == sorted(difference.kind for difference in DIFFERENCES)


@pytest.mark.parametrize("library", ["keras", "torch"])
def test_readers_and_tables_convert_by_the_same_functions(library: str) -> None:
    """The readers `from_torch` and `from_keras` use the same functions for conversion as the tables of peers."""
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
    assert {name for name in converters if name.endswith(f"_to_{library}")} == written - read


def test_tables_of_jax_and_differences_convert_by_the_same_functions() -> None:
    """Each convention of JAX's libraries is one function, which a table calls and a difference names."""
    names = set(jax_conventions.__all__)
    folder = Path(jax_conventions.__file__).parent
    called = {
        node.id
        for file in folder.glob("*.py")
        if file.stem != "jax_conventions"
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Name)
    }
    assert names <= called
    lines = " ".join(difference.converter for difference in DIFFERENCES)
    shapes_alone = {"swap_transposed_weight", "mirror_kernel"}
    assert names - set(re.findall(r"\w+", lines)) == shapes_alone


def test_what_haiku_has_otherwise_is_what_it_documents() -> None:
    """Compare with the equations in Haiku's documentation: i, g, f, o, f = sigmoid(f + 1); h' = (1 - z) h + z a."""
    draw = np.random.Generator(np.random.Philox(2))
    cell, x = luxport.LSTMCell(3, 2, use_recurrent_bias=False), draw.normal(size=(4, 3))
    ps, st = luxport.setup(0, cell, backend="numpy")
    ps = {name: draw.normal(size=np.shape(value)) for name, value in ps.items()}
    h, c = draw.normal(size=(2, 4, 2))
    weight = jax_conventions.swap_lstm_gates(np.concatenate([ps["weight_ih"], ps["weight_hh"]]))
    bias = jax_conventions.swap_lstm_gates(jax_conventions.lower_forget_bias(ps["bias_ih"]))
    i, g, f, o = np.split(np.concatenate([x, h], axis=-1) @ weight + bias, 4, axis=-1)
    memory = _sigmoid(f + 1.0) * c + _sigmoid(i) * np.tanh(g)
    got, wanted = cell((x, (h, c)), ps, st)[0][1], (_sigmoid(o) * np.tanh(memory), memory)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)

    gru = luxport.GRUv3Cell(3, 2)
    ps, st = luxport.setup(0, gru, backend="numpy")
    ps = {name: draw.normal(size=np.shape(value)) for name, value in ps.items()}
    back = keras.convert_reset_first_weights_to_keras(ps["weight_hh"], ps["weight_hn"])
    w_i, w_h, b = (
        jax_conventions.negate_update_gate(keras.swap_gru_gates(part))
        for part in (ps["weight_ih"], back, ps["bias_ih"])
    )
    z = _sigmoid(x @ w_i[:, :2] + h @ w_h[:, :2] + b[:2])
    r = _sigmoid(x @ w_i[:, 2:4] + h @ w_h[:, 2:4] + b[2:4])
    a = np.tanh(x @ w_i[:, 4:] + (r * h) @ w_h[:, 4:] + b[4:])
    np.testing.assert_allclose(gru((x, (h,)), ps, st)[0][0], (1.0 - z) * h + z * a, rtol=1e-12)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


def test_what_keras_has_otherwise_goes_there_and_back() -> None:
    kernel = np.arange(2 * 3 * 4 * 6.0).reshape(2, 3, 4, 6)
    for there, back in (
        (keras.convert_conv_weight(kernel), keras.convert_conv_weight_to_keras),
        (keras.convert_depthwise_weight(kernel), lambda weight: keras.convert_depthwise_weight_to_keras(weight, 4)),
        (keras.convert_attention_weight(kernel[0]), lambda weight: keras.convert_attention_weight_to_keras(weight, 4)),
        (
            keras.convert_attention_out_weight(kernel[0]),
            lambda weight: keras.convert_attention_out_weight_to_keras(weight, 3),
        ),
        (keras.convert_attention_bias(kernel[0, 0]), lambda bias: keras.convert_attention_bias_to_keras(bias, 4)),
        (keras.swap_gru_gates(kernel), keras.swap_gru_gates),
        (keras.split_reset_first_weights(kernel[0, 0]), lambda pair: keras.convert_reset_first_weights_to_keras(*pair)),
    ):
        found = back(there)
        np.testing.assert_array_equal(
            found, kernel if found.ndim == 4 else kernel[0] if found.ndim == 3 else kernel[0, 0]
        )


def test_every_layer_has_a_word_in_each_table() -> None:
    """Every layer has a counterpart, or a reason why there is none, in each table of `luxport_conformance.peers`."""
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
        (Peer("mine", "numpy", layers={"Dens": refuse("")}), "layers names 'Dens', .* do you mean Dense?"),
        (Peer("mine", "numpy", losses={"MSE": refuse("")}), "losses names 'MSE', .* expected some of "),
        (Peer("mine", "numpi"), "unknown backend 'numpi'"),
    ],
)
def test_a_table_of_what_is_not_asked_is_refused(peer: Peer, line: str) -> None:
    with pytest.raises(ValueError, match=f"peer mine: {line}"):
        check_names(peer)


def test_a_difference_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="KINDS, got 'another scale': say it as remark='another scale'"):
        Counterpart(lambda x, ps: x, differences=("another scale",))


def test_gradients_of_a_peer_are_compared() -> None:
    """Gradients of PyTorch's Linear agree to a few units in the last place; those of a detached weight do not."""
    torch_nn = find_peer("torch.nn")

    def build_detached(layer: luxport.Dense, x: object, st: object) -> Counterpart:
        return Counterpart(lambda x, ps: x @ ps["weight"].detach() + ps["bias"])

    broken = Peer("detached", "torch", layers={"Dense": build_detached}, gradients=True)
    found = {
        peer.name: next(c for c in list_peer_checks((peer,)) if c.id.startswith("peer_gradient-Dense_1")).run()
        for peer in (replace(torch_nn, layers={"Dense": torch_nn.layers["Dense"]}, none={}), broken)
    }
    assert found["torch.nn"] < 4.0
    assert found["detached"] == 2.0**23, "all of a gradient, in units of float32's last place"


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
    arguments += ["--report", str(tmp_path)]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    shown = re.search(r"\$ luxport conformance --peer my_package:adapter\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    table, expected = out.splitlines(), shown[1].splitlines()
    assert [table[0], *table[2:3]] == [expected[0], *expected[2:3]], "the page shows what the command prints"
    assert table[1].split()[0] == expected[1].split()[0] == "Dense"
    assert table[3].partition(";")[0] == expected[3].partition(";")[0]
    assert 0.0 < float(table[1].split()[1]) < 4.0
    found = re.search(r'"differences":(\[\[.*?\]\])', (tmp_path / "report.html").read_text())
    assert found is not None
    assert json.loads(found[1]) == [[], ["weights (out, in)"]], "a name with a comma is one name"
    (path,) = saved.glob("*.json")
    old = load(path)
    assert list(list_changes(old, old)) == []
    assert "| Dense |" in render_markdown([old])
    assert old["counts"] == {"figures": 5, "none": 10} and 0.0 < old["worst"]["Dense"][0] < 4.0
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps({**old, "worst": {}, "beyond": {"peer-Dense_1": ["Dense", 1e6]}}))
    assert main(["conformance", "--compare", str(path), str(newer)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "mine, from unversioned to unversioned:",
        f"  Dense: {old['worst']['Dense'][0]} -> nothing within 16",
        "  peer-Dense_1: within 16 or left out -> 1e+06",
    ]
    newer.write_text(json.dumps({**old, "name": "yours"}))
    with pytest.raises(SystemExit):
        main(["conformance", "--compare", str(path), str(newer)])
    assert "expects two files of one library, got those of mine and yours" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "--layer", "Dense"])
    assert "--save keeps results of whole runs" in capsys.readouterr().err
    sys.modules.pop("my_package", None)
