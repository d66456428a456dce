"""Cases of `luxport.porting.load_parameters`: Flux's tests of `loadmodel!` and `state`.

Upstream loads from another model in memory; here it is a file of `Flux.state`, written by `_write_document`.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, Chain, Conv, Dense, Dropout, MaxPool, Parallel, Tied, ops, relu, tree
from luxport.core.layer import Layer
from luxport.porting import FileFormatError, load_parameters
from luxport.porting.fitting import fit
from luxport.tree.static import Static
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_function, cite

FILE = "flux:loading.jl"


def _write_document(entries: dict[str, Any]) -> bytes:
    """Encode entries as BSON.jl does: bool, int, float, str, None, dict, tuple and arrays of float32."""
    body = b"".join([_write_element(key, value) for key, value in entries.items()])
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _write_element(key: str, value: Any) -> bytes:
    match value:
        case np.ndarray():
            kind, data = (
                3,
                _write_document(
                    {
                        "tag": "array",
                        "type": {"tag": "datatype", "params": [], "name": ["Core", "Float32"]},
                        "size": list(value.shape[::-1]),
                        "data": value.astype("<f4").tobytes(),
                    }
                ),
            )
        case tuple():
            kind, data = 3, _write_document({"tag": "tuple", "data": list(value)})
        case dict():
            kind, data = 3, _write_document(value)
        case list():
            kind, data = 4, _write_document({str(i): entry for i, entry in enumerate(value)})
        case None:
            kind, data = 10, b""
        case bool():
            kind, data = 8, bytes([value])
        case int():
            kind, data = 18, struct.pack("<q", value)
        case float():
            kind, data = 1, struct.pack("<d", value)
        case str():
            kind, data = 2, struct.pack("<i", len(value.encode()) + 1) + value.encode() + b"\0"
        case _:
            kind, data = 5, struct.pack("<iB", len(value), 0) + value
    return bytes([kind]) + key.encode() + b"\0" + data


def _load_state(model: Layer, state: Any, **options: Any) -> Any:
    """Save a state to a file and load it into a model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "saved.bson"
        path.write_bytes(_write_document({"model_state": state}))
        return load_parameters(path, model, **{"backend": "numpy", **options})


def _make_state(layer: Layer, ps: Any, st: Any) -> Any:
    """Return what `Flux.state` returns for such a model; the reader of the file reverses the axes of arrays."""
    match layer:
        case Chain() | Parallel():
            return {"layers": tuple([_make_state(inner, ps[name], st[name]) for name, inner in layer.layers.items()])}
        case Dense() | Conv():
            return {"weight": ps["weight"], "bias": ps.get("bias", False), "σ": ()}
        case BatchNorm():
            arrays = {"β": ps["bias"], "γ": ps["scale"], "μ": st["running_mean"], "σ²": st["running_var"]}
            options = {"ϵ": 1e-5, "momentum": 0.1, "affine": True, "track_stats": True}
            return {"λ": (), **arrays, **options, "active": _find_active(st), "chs": layer.channels}
        case Dropout():
            return {"p": layer.p, "dims": (), "active": _find_active(st), "rng": ()}
        case MaxPool():
            return {"k": layer.window, "pad": (0, 0, 0, 0), "stride": layer.window}
    return ()


def _find_active(st: Any) -> bool | None:
    return None if st["training"].value else False


def _set_up(model: Layer, seed: int) -> tuple[Any, Any]:
    """Return initial parameters and states; biases are zeros, as in Flux."""
    ps, st = luxport.setup(seed, model, backend="numpy")
    return tree.map_with_path(lambda path, leaf: 0 * leaf if path[-1] == "bias" else leaf, ps), st


def _add(a: Any, b: Any) -> Any:
    return a + b


def _flatten(x: Any) -> Any:
    return luxport.namespace(x).reshape(x, (x.shape[0], -1))


TWO, TWO_RELU = Chain(Dense(10, 5), Dense(5, 2)), Chain(Dense(10, 5), Dense(5, 2, relu))
WITH_CONV = Chain(Conv((3, 3), 3, 16), Dense(5, 2))
WIDER = Chain(Dense(10, 6), Dense(6, 2))
WITHOUT_BIAS = Chain(Dense(10, 5), Parallel(_add, Dense(5, 2, use_bias=False), Dense(5, 2)))
NESTED = Chain(Dense(10, 5), Parallel(_add, Dense(5, 2), Dense(5, 2)))
X = np.random.Generator(np.random.Philox(1)).normal(size=(4, 10)).astype(np.float32)


def _is_same(got: Any, want: Any) -> bool:
    """Return whether two trees have the same names, in any order, and the same numbers."""
    if isinstance(want, dict):
        return got.keys() == want.keys() and all(_is_same(got[name], want[name]) for name in want)
    return got == want if isinstance(want, Static) else np.array_equal(got, want)


def _load_from(dst: Layer, src: Layer, seed: int = 1) -> tuple[Any, Any]:
    """Load the parameters of `src` into `dst`; return those of `src` and the loaded ones."""
    ps, st = _set_up(src, seed)
    return (ps, st), _load_state(dst, _make_state(src, ps, st))


def _load_two() -> dict[str, bool]:
    (ps, st), (got, _) = _load_from(TWO_RELU, TWO)
    y, _ = TWO(X, ps, st)
    return {"parameters": _is_same(got, ps), "activation stays": _is_same(TWO_RELU(X, got, st)[0], np.maximum(y, 0))}


def _load_nested() -> dict[str, bool]:
    (ps, _), (got, _) = _load_from(WITHOUT_BIAS, NESTED)
    inner = got["layer_2"]["layer_1"]
    return {
        "first": _is_same(got["layer_1"], ps["layer_1"]),
        "inner": _is_same(inner["weight"], ps["layer_2"]["layer_1"]["weight"]),
        "no bias": list(inner) == ["weight"],
    }


IMAGE = np.random.Generator(np.random.Philox(2)).normal(size=(2, 3, 8, 8)).astype(np.float32)


def _load_statistics() -> dict[str, bool]:
    dst = Chain(Conv((3, 3), 3, 16), BatchNorm(16), luxport.FlattenLayer(), Dropout(0.2))
    src = Chain(Conv((3, 3), 3, 16), BatchNorm(16), _flatten, Dropout(0.1))
    ps, st = _set_up(src, 1)
    st["layer_2"]["running_mean"] = np.linspace(0.0, 1.0, 16, dtype=np.float32)
    got_ps, got_st = _load_state(dst, _make_state(src, ps, st))
    quiet = luxport.test_mode(got_st)
    return {
        "statistics": _is_same(got_st["layer_2"], st["layer_2"]),
        "same answers": _is_same(dst(IMAGE, got_ps, quiet)[0], src(IMAGE, ps, luxport.test_mode(st))[0]),
    }


def _make_digits_model(p: float, window: int) -> Chain:
    convs = (Conv((3, 3), 1, 32, relu), Conv((3, 3), 32, 16, relu), Conv((3, 3), 16, 10, relu))
    first = (Dropout(p), convs[0], BatchNorm(32, relu), MaxPool((window, window)), Dropout(p), convs[1])
    then = (Dropout(p), MaxPool((window, window)), Dropout(p), convs[2], Dropout(p))
    return Chain(*first, *then, _flatten, Dropout(p), Dense(90, 10), ops.softmax)


DIGITS, OTHER_DIGITS = _make_digits_model(0.2, 2), _make_digits_model(0.1, 3)


def _make_digits_state() -> tuple[Any, Any]:
    ps, st = _set_up(OTHER_DIGITS, 1)
    st["layer_3"] |= {"running_mean": np.full(32, 5.0, np.float32), "running_var": np.full(32, 2.0, np.float32)}
    return ps, luxport.test_mode(st)


def _load_all_of_digits() -> dict[str, Any]:
    ps, st = _make_digits_state()
    got, got_st = _load_state(DIGITS, _make_state(OTHER_DIGITS, ps, st))
    return {
        "parameters": _is_same(got, ps),
        "mean": np.unique(got_st["layer_3"]["running_mean"]).tolist(),
        "variance": np.unique(got_st["layer_3"]["running_var"]).tolist(),
        "mode": got_st["layer_3"]["training"],
    }


def _load_part_of_digits() -> dict[str, bool]:
    """Load two layers of a model, and leave the others as they are."""
    into_ps, into_st = _make_digits_state()
    ps, st = _set_up(DIGITS, 2)
    ps["layer_14"]["weight"] = np.ones((90, 10), np.float32)
    ps["layer_2"]["bias"] = np.full(32, 5.0, np.float32)
    st["layer_3"]["running_mean"] = np.full(32, 3.0, np.float32)
    for name in ("layer_14", "layer_3"):
        layer = DIGITS.layers[name]
        into_ps[name], into_st[name] = _load_state(OTHER_DIGITS.layers[name], _make_state(layer, ps[name], st[name]))
    return {
        "dense": _is_same(into_ps["layer_14"], ps["layer_14"]),
        "mean": _is_same(into_st["layer_3"]["running_mean"], st["layer_3"]["running_mean"]),
        "the others": not _is_same(into_ps["layer_2"]["bias"], ps["layer_2"]["bias"]),
    }


TIED = Tied(Chain(Dense(10, 10), Dense(10, 10)), ((("layer_1", "weight"), ("layer_2", "weight")),))
TIED_BIAS = Tied(Chain(Dense(10, 5), Dense(5, 5)), ((("layer_1", "bias"), ("layer_2", "bias")),))
ONE_BIAS = Chain(Dense(10, 5), Dense(5, 5, use_bias=False))


def _load_tied() -> dict[str, bool]:
    ps, st = _set_up(TIED.layer, 1)
    ps["layer_2"]["weight"] = ps["layer_1"]["weight"]
    got, _ = _load_state(TIED, _make_state(TIED.layer, ps, st))
    full = luxport.untie(TIED, got, st)[1]
    return {
        "once": "weight" not in got["layer_2"],
        "in both": full["layer_1"]["weight"] is full["layer_2"]["weight"],
        "loaded": _is_same(full, ps),
    }


def _load_tied_to_nothing() -> dict[str, Any]:
    got, _ = _load_from(TIED_BIAS, ONE_BIAS)[1]
    return {"once": list(got["layer_2"]) == ["weight"], "bias": np.unique(got["layer_1"]["bias"]).tolist()}


def _load_tied_to_a_bias_and_nothing() -> Any:
    ps, st = _set_up(ONE_BIAS, 1)
    ps["layer_1"]["bias"] = np.ones(5, np.float32)
    return _load_state(TIED_BIAS, _make_state(ONE_BIAS, ps, st))


def _load_passing_over_dropout() -> dict[str, bool]:
    """Load a flat tuple of arrays in order; layers without parameters are passed over."""
    with_dropout = Chain(Dense(10, 5), Dropout(0.2), Dense(5, 2))
    results = {}
    for name, dst, src in (("out", TWO_RELU, with_dropout), ("in", with_dropout, TWO_RELU)):
        ps, _ = _set_up(src, 1)
        got, _ = _load_state(dst, tuple(tree.leaves(ps)))
        results[name] = all(map(np.array_equal, tree.leaves(got), tree.leaves(ps)))
    return results


SMALL, SMALL_WITHOUT_BIAS = Chain(Dense(2, 3), Dense(3, 1)), Chain(Dense(2, 3, use_bias=False), Dense(3, 1))
KNOWN = np.array([[1, 3, 5], [2, 4, 6]], np.float32), np.array([7, 8, 9], np.float32)


def _make_known() -> tuple[Any, Any]:
    ps, st = _set_up(SMALL, 1)
    return ps | {"layer_1": {"weight": KNOWN[0], "bias": KNOWN[1]}}, st


def _load_absent_bias() -> dict[str, Any]:
    ps, st = _make_known()
    ones = _set_up(SMALL_WITHOUT_BIAS, 1)[0] | {"layer_1": {"weight": np.ones((2, 3), np.float32)}}
    whole, _ = _load_state(SMALL, _make_state(SMALL, ps, st))
    absent, _ = _load_state(SMALL, _make_state(SMALL_WITHOUT_BIAS, ones, st))
    # Flux drops a bias that the model lacks; here it is reported, because the model's outputs would differ.
    left, _, told = fit(SMALL_WITHOUT_BIAS, _make_state(SMALL, ps, st))
    return {
        "whole": (whole["layer_1"]["bias"].tolist(), float(whole["layer_1"]["weight"].sum())),
        "absent": (absent["layer_1"]["bias"].tolist(), float(absent["layer_1"]["weight"].sum())),
        "no place": (list(left["layer_1"]), float(left["layer_1"]["weight"].sum()), told),
    }


def _compare_answers(x: Any) -> Any:
    """Load two saved states into a model on the backend of x, and return its output for each."""
    ps, st = _make_known()
    options: Any = {"backend": luxport.backend_of(x).name, "dtype": luxport.backend.dtype_name(x)}
    saved, other = _make_state(SMALL, ps, st), _make_state(SMALL, tree.map(lambda leaf: 0 * leaf, ps), st)
    results = {}
    for name, state in (("saved", saved), ("zeros", other)):
        got, _ = _load_state(SMALL, state, **options)
        results[name] = SMALL.layers["layer_1"](x, got["layer_1"], {})[0]
    return results


def _load_states() -> dict[str, Any]:
    ps, st = _set_up(WITHOUT_BIAS, 1)
    # `loadmodel!(m2, state)`: a bias that is missing in the state is loaded as zeros.
    loaded, _ = _load_state(NESTED, _make_state(WITHOUT_BIAS, ps, st))
    normed = luxport.setup(1, Chain(Dense(10, 5), Dropout(0.2), Dense(5, 2), BatchNorm(2)), backend="numpy")
    return {
        "names": tree.map(lambda leaf: leaf.shape, ps),
        "weight": _is_same(loaded["layer_1"]["weight"], ps["layer_1"]["weight"]),
        "bias": loaded["layer_2"]["layer_1"]["bias"].tolist(),
        "mode": normed[1]["layer_2"]["training"],
        "norm": tree.map(lambda leaf: leaf.tolist(), {**normed[0]["layer_4"], **normed[1]["layer_4"]}),
    }


SOME_OF_ALL = {
    "num": 1,
    "cnum": 1.2 + 2j,
    "str": "hello",
    "arr": [1, 2, 3],
    "bool": True,
    "dict": {"a": 1, "b": 2},
    "tup": (1, 2, 3),
    "nth": None,
}


def _check_loading(
    id: str, lines: tuple[int, ...], load: Callable[[], Any], expected: dict[str, Any], subject: str = ""
) -> Case:
    """Check the result of `load`, compared by its repr."""
    return check_fact(
        f"load_parameters.{id}", cite(FILE, *lines), lambda: repr(load()), repr(expected), subject=subject
    )


CASES: list[Case] = [
    _check_loading("two_layers", (28, 29, 31), _load_two, {"parameters": True, "activation stays": True}),
    _check_loading("nested", (35, 36, 38), _load_nested, {"first": True, "inner": True, "no bias": True}),
    *[
        check_error(
            f"load_parameters.no_{name}",
            cite(FILE, line),
            lambda src=src: _load_from(TWO_RELU, src),
            message=message,
            raises=FileFormatError,
        )
        for name, line, src, message in (
            ("conv", 41, WITH_CONV, r"layer_1\.weight: shape \(10, 5\) expected, got \(16, 3, 3, 3\)"),
            ("parallel", 42, WITHOUT_BIAS, r"layer_2\.weight is missing"),
            ("wider", 44, WIDER, r"layer_1\.weight: shape \(10, 5\) expected, got \(10, 6\)"),
        )
    ],
    _check_loading("statistics", (52,), _load_statistics, {"statistics": True, "same answers": True}),
    _check_loading(
        "many_layers",
        (101, 102, 106, 107, 108),
        _load_all_of_digits,
        {"parameters": True, "mean": [5.0], "variance": [2.0], "mode": Static(True)},
    ),
    _check_loading(
        "some_layers", (118, 119, 120), _load_part_of_digits, {"dense": True, "mean": True, "the others": True}
    ),
    _check_loading("tied", (129, 130), _load_tied, {"once": True, "in both": True, "loaded": True}, subject="Tied"),
    check_error(
        "load_parameters.not_tied",
        cite(FILE, 133),
        lambda: _load_from(TIED, TIED.layer),
        message=r"layer_2\.weight differs from layer_1\.weight, to which it is tied",
        raises=FileFormatError,
        subject="Tied",
    ),
    _check_loading("tied_to_nothing", (139, 140), _load_tied_to_nothing, {"once": True, "bias": [0.0]}, subject="Tied"),
    check_error(
        "load_parameters.tied_to_a_bias_and_nothing",
        cite(FILE, 143),
        _load_tied_to_a_bias_and_nothing,
        message=r"layer_2\.bias differs from layer_1\.bias, to which it is tied",
        raises=FileFormatError,
        subject="Tied",
    ),
    _check_loading("passing_over_dropout", (152, 153, 157, 158), _load_passing_over_dropout, {"out": True, "in": True}),
    _check_loading(
        "absent_bias",
        (167, 168, 172, 173, 177, 178),
        _load_absent_bias,
        {
            "whole": ([7.0, 8.0, 9.0], 21.0),
            "absent": ([0.0, 0.0, 0.0], 6.0),
            "no place": (["weight"], 21.0, ["layer_1.bias is left over"]),
        },
    ),
    check_function(
        "load_parameters.answers",
        cite(FILE, 185, 189),
        _compare_answers,
        np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -3.0]]),
        expected=lambda x0: {"saved": x0 @ KNOWN[0] + KNOWN[1], "zeros": np.zeros((3, 3))},
        compiles=False,  # a compiled program cannot read files
    ),
    _check_loading(
        "states",
        (198, 200, 202, 206, 207, 223, 225, 227),
        _load_states,
        {
            "names": {
                "layer_1": {"weight": (10, 5), "bias": (5,)},
                "layer_2": {"layer_1": {"weight": (5, 2)}, "layer_2": {"weight": (5, 2), "bias": (2,)}},
            },
            "weight": True,
            "bias": [0.0, 0.0],
            "mode": Static(True),
            "norm": {
                "bias": [0.0, 0.0],
                "scale": [1.0, 1.0],
                "running_mean": [0.0, 0.0],
                "running_var": [1.0, 1.0],
                "training": Static(True),
            },
        },
    ),
    check_fact(
        "tree.leaves_and_back",
        cite(FILE, 237),
        lambda: repr(tree.unflatten(tree.structure(SOME_OF_ALL), iter(tree.leaves(SOME_OF_ALL)))),
        repr(SOME_OF_ALL),
    ),
]
