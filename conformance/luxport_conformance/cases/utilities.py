"""Cases of utilities: precision, batches, modules, trainables, devices."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, Bilinear, Chain, Conv, Dense, LayerNorm, Parallel, SkipConnection, devices, training
from luxport.backend import dtype_name
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, check_function, check_gradient, check_program, cite, set_up

UTILS = "flux:utils.jl"


def _convert_to_single_and_double() -> dict[str, Any]:
    model = Chain(Dense(10, 5, luxport.relu, use_bias=False), Dense(5, 2))
    ps, st = set_up(model)
    wide = luxport.f64(ps)
    x = {name: np.ones(10, name) for name in ("float32", "float64", "int32", "int64")}
    return {
        "initially": {leaf.dtype.name for leaf in luxport.tree.leaves(ps)},
        "output": model(x["float32"], ps, st)[0].dtype.name,
        "wide output": model(x["float64"], wide, st)[0].dtype.name,
        "wide": wide["layer_1"]["weight"].dtype.name,
        "back": luxport.f32(wide)["layer_1"]["weight"].dtype.name,
        "array": luxport.f32(x["float64"]).dtype.name,
        "the same": all(luxport.f32(x[name]) is x[name] for name in ("float32", "int32", "int64")),
        "no bias": [list(f(ps)["layer_1"]) for f in (luxport.f64, luxport.f32)],
    }


def _convert_complex() -> dict[str, Any]:
    single, double = np.ones((2, 2), np.complex64), np.ones((2, 2), np.complex128)
    return {
        "the same": luxport.f32(single) is single,
        "narrowed": luxport.f32(double).dtype.name,
        "widened": [leaf.dtype.name for leaf in luxport.f64({"a": double, "b": single}).values()],
    }


def _convert_to_half(x: Any) -> dict[str, Any]:
    dtypes = {}
    for name, convert in (("f16", luxport.f16), ("bf16", luxport.bf16)):
        ps = luxport.setup(0, LayerNorm((3,)), backend=luxport.backend_of(x))[0]
        dtypes[name] = [dtype_name(leaf) for leaf in (convert(x), *luxport.tree.leaves(convert(ps)))]
        dtypes[name] += [dtype_name(leaf) for leaf in luxport.tree.leaves(luxport.f32(convert(ps)))]
    indices = luxport.namespace(x).asarray([1, 2])
    return {**dtypes, "integers": luxport.bf16(indices) is indices, "there and back": luxport.f32(luxport.bf16(x))}


def _make_half_gradient(convert: Any) -> Any:
    return lambda x: luxport.f32(luxport.namespace(x).sum(convert(x)))


M1, M2 = Conv((2, 3), 4, 5, padding=6, stride=7), LayerNorm((8,))
M4 = SkipConnection(M1, operator.add)
M5 = Chain(M4, M2)


def _list_trainables() -> dict[str, list[tuple[int, ...]]]:
    dense, _ = set_up(Dense(10, 5))
    twice, _ = set_up(Chain(Dense(10, 5), Dense(10, 5)))
    shared = luxport.share_parameters(twice, [("layer_1", "layer_2")])
    rnn, _ = set_up(luxport.RNN(10, 5))
    models = (("dense", dense), ("twice", shared), ("rnn", rnn))
    return {name: [leaf.shape for leaf in luxport.trainables(ps)] for name, ps in models}


def _compute_norms(ps: Any) -> Any:
    xp = luxport.namespace(*luxport.trainables(ps))
    norms = [xp.sqrt(xp.sum(leaf * leaf)) for leaf in luxport.trainables(ps)]
    return norms[0] + norms[1]


def _move_to_devices() -> list[bool]:
    x = np.random.Generator(np.random.Philox(0)).uniform(size=(10, 10)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gpu = devices.gpu_device("numpy")
    cpu = devices.cpu_device()
    return [bool((gpu(x) == x).all()), isinstance(cpu, devices.Device) and cpu.name == "cpu", bool((cpu(x) == x).all())]


STACKED = np.array([[8, 9, 9, 7], [9, 6, 1, 4], [3, 6, 7, 10], [5, 9, 2, 6]], np.float64)
HALVES = np.array([1.0, 1.5, -2.25, 96.0])
CUBE = np.random.Generator(np.random.Philox(6)).normal(size=(2, 3, 2))


def _stack_and_unstack(x: Any, one: Any) -> dict[str, Any]:
    xp = luxport.namespace(x)
    rows, columns = xp.unstack(x, axis=0), xp.unstack(x, axis=1)
    return {
        "pair": xp.stack([one, one], axis=1),
        "unstacked": rows,
        "stacked": xp.stack(rows, axis=0),
        "columns": columns,
        "there and back": xp.stack(columns, axis=1),
    }


def _list_kinds() -> dict[str, list[str]]:
    parallel = Parallel(operator.add, Bilinear((2, 2), 2, np.cbrt), Dense(2, 2, np.abs), Dense(2, 2, np.square))
    return {
        name: [type(one).__name__ for one in luxport.modules(model)]
        for name, model in (("skip", M5), ("parallel", parallel))
    }


def _check_report(
    id: str, lines: tuple[int, ...], report: Callable[[], dict[str, Any]], expected: dict[str, Any], *, subject: str
) -> Case:
    """Check a dict of results by name, compared by its repr."""
    return check_fact(f"utilities.{id}", cite(UTILS, *lines), lambda: repr(report()), repr(expected), subject=subject)


CASES: list[Case] = [
    _check_report(
        "precision",
        (283, 284, 287, 288, 289, 292, 294, 300, 301, 360, 361),
        _convert_to_single_and_double,
        {
            "initially": {"float32"},
            "output": "float32",
            "wide output": "float64",
            "wide": "float64",
            "back": "float32",
            "array": "float32",
            "the same": True,
            "no bias": [["weight"]] * 2,
        },
        subject="f32",
    ),
    _check_report(
        "precision_complex",
        (342, 343, 345),
        _convert_complex,
        {"the same": True, "narrowed": "complex64", "widened": ["complex128"] * 2},
        subject="f32",
    ),
    check_program(
        "utilities.precision_half",
        cite(UTILS, 304, 306, 307, 308, 310, 311, 326),
        lambda x: {**(found := _convert_to_half(x)), "f16": repr(found["f16"]), "bf16": repr(found["bf16"])},
        {"x": HALVES},
        subject="bf16",
        expected={
            "f16": repr(["float16"] * 3 + ["float32"] * 2),
            "bf16": repr(["bfloat16"] * 3 + ["float32"] * 2),
            "integers": True,
            "there and back": HALVES,
        },
        differentiates=True,  # selects the backends with gradients: NumPy and array-api-strict have no bfloat16
        compiles=False,
    ),
    *[
        check_gradient(
            f"utilities.precision_gradient_{name}",
            cite(UTILS, line),
            _make_half_gradient(convert),
            {"x": HALVES},
            subject=name,
            expected=np.ones(4),
            dtypes=("float32",),
        )
        for name, convert, line in (("f16", luxport.f16, 296), ("bf16", luxport.bf16, 312))
    ],
    check_function(
        "utilities.batch",
        cite(UTILS, 403, 410),
        lambda x: (training.batch([x[i, ...] for i in range(4)]), training.batch(iter([x[0, :2]] * 3))),
        STACKED,
        subject="batch",
        expected=(STACKED, np.tile(STACKED[0, :2], (3, 1))),
    ),
    check_function(
        "utilities.unbatch",
        cite(UTILS, 402, 411),
        lambda x: tuple(training.unbatch(x)),
        STACKED,
        subject="unbatch",
        expected=tuple(STACKED),
    ),
    check_fact(
        "utilities.batch_of_numbers",
        cite(UTILS, 406, 407),
        lambda: repr((training.batch([1, 2, 3]).tolist(), [int(i) for i in training.unbatch(np.array([1, 2, 3]))])),
        "([1, 2, 3], [1, 2, 3])",
        subject="batch",
    ),
    check_function(
        "utilities.unsqueeze",
        cite(UTILS, 378, 379, 380, 381),
        lambda x: [luxport.namespace(x).expand_dims(x, axis=axis) for axis in (3, 2, 1, 0)],
        CUBE,
        subject="namespace",
        expected=tuple([CUBE.reshape(shape) for shape in ((2, 3, 2, 1), (2, 3, 1, 2), (2, 1, 3, 2), (1, 2, 3, 2))]),
    ),
    check_function(
        "utilities.stacking",
        cite(UTILS, 387, 391, 392, 393),
        _stack_and_unstack,
        *(STACKED, CUBE[0]),
        subject="namespace",
        expected=lambda x0, x1: {
            "pair": np.stack([x1, x1], 1),
            "unstacked": tuple(x0),
            "stacked": x0,
            "columns": tuple(x0.T),
            "there and back": x0,
        },
    ),
    # Flux also counts the tuple of layers of a container, and the Scale inside a LayerNorm.
    _check_report(
        "module_kinds",
        (469, 477, 487),
        _list_kinds,
        {
            "skip": ["Chain", "SkipConnection", "Conv", "LayerNorm"],
            "parallel": ["Parallel", "Bilinear", "Dense", "Dense"],
        },
        subject="modules",
    ),
    check_fact(
        "utilities.modules",
        cite(UTILS, 470, 471, 472, 473),
        lambda: all(one is want for one, want in zip(luxport.modules(M5), (M5, M4, M1, M2), strict=True)),
        subject="modules",
    ),
    check_fact(
        "utilities.modules_recurrent",
        cite(UTILS, 481),
        lambda: type([*luxport.modules(Chain(Dense(2, 3), BatchNorm(3), luxport.LSTM(3, 4)))][-1]).__name__,
        "LSTMCell",
        subject="modules",
    ),
    _check_report(
        "trainables",
        (249, 251, 255, 591),
        _list_trainables,
        {"dense": [(10, 5), (5,)], "twice": [(10, 5), (5,)], "rnn": [(10, 5), (5, 5), (5,)]},
        subject="trainables",
    ),
    check_gradient(
        "utilities.trainables_gradient",
        cite(UTILS, 271, 272),
        _compute_norms,
        {"ps": {"x": np.array([1.0, 2.0]), "y": np.array([3.0])}},
        subject="trainables",
        expected={"x": np.array([0.4472135954999579, 0.8944271909999159]), "y": np.array([1.0])},
    ),
    check_fact(
        "utilities.devices",
        cite("flux:functors.jl", 3, 7, 8),
        lambda: repr(_move_to_devices()),
        "[True, True, True]",
        subject="cpu_device",
    ),
]
