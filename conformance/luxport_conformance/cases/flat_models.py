"""Cases of `flatten` on the parameters of layers: Flux's tests of ``destructure``."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, BranchLayer, Chain, Dense, Tied, flatten
from luxport.tree.paths import sort_like
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import check_function, check_program, cite, draw, set_up
from luxport_conformance.compare import Tolerance

FILE = "flux:utils.jl"
NORM = BatchNorm(3)
_, STATES = set_up(NORM)


def _pull_back(x: Any, scale: Any, bias: Any, st: Any) -> Any:
    vector, unflatten = flatten({"scale": scale, "bias": bias})
    xp = luxport.namespace(x)
    dx, dp = luxport.grad(lambda x, vector: xp.sum(NORM(x, unflatten(vector), st)[0]), (0, 1))(x, vector)
    return {"vector": vector, "dx": dx, "dp": dp}


def _count_up(use_bias: bool) -> tuple[Chain, Any]:
    """Return three Dense layers and their parameters: weights 1, 2, 3, … in memory order, as in Julia, biases 0."""
    sizes = ((3, 5), (5, 4), (4, 3))
    ps = {}
    for i, (n, m) in enumerate(sizes, start=1):
        weight = np.arange(1.0, n * m + 1).reshape(n, m)
        ps[f"layer_{i}"] = {"weight": weight} | ({"bias": np.zeros(m)} if use_bias else {})
    return Chain(*[Dense(n, m, use_bias=use_bias) for n, m in sizes]), ps


def _flatten_and_back(ps: Any) -> Any:
    vector, unflatten = flatten(ps)
    return unflatten(vector)


FIRST = Dense(3, 1)
COUNTED, COUNTED_PS = _count_up(use_bias=True)
SHARED = Tied(Chain(Dense(1, 1), Dense(1, 1)), ((("layer_1",), ("layer_2",)),))
SHARED_PS = {"layer_1": {"weight": np.array([[0.5]]), "bias": np.array([0.25])}}
TWO_PS = {"first": {"weight": draw(3, 1), "bias": np.zeros(1)}, "second": {"weight": draw(3, 2), "bias": np.zeros(2)}}
SPLIT = Chain(Dense(5, 11), BranchLayer(Dense(11, 3), Dense(11, 7)))
SPLIT_PS, SPLIT_ST = luxport.setup(1, SPLIT, backend="numpy")


# JAX sorts the keys of dicts that a program takes; `sort_like` restores the order, on which the vector depends.
def _compute_two_gradients(ps: Any, x: Any) -> Any:
    """Return the flattened gradient by the parameters, and the gradient by the flattened parameters."""
    xp, st = luxport.namespace(x), {name: {} for name in ps}
    vector, unflatten = flatten(sort_like(ps, COUNTED_PS))
    whole = luxport.grad(lambda ps: xp.sum(COUNTED(x, ps, st)[0]))(ps)
    return unflatten.flatten(whole), luxport.grad(lambda v: xp.sum(COUNTED(x, unflatten(v), st)[0]))(vector)


def _expect_by_layers(ps: Any, x: Any) -> Any:
    """Return the flattened gradients in NumPy: each layer's input times the product of the later weights."""
    weights = [ps[f"layer_{i}"]["weight"] for i in (1, 2, 3)]
    inputs, behind = [x], [np.ones((x.shape[0], 3))]
    for weight in weights[:2]:
        inputs.append(inputs[-1] @ weight)
    for weight in weights[:0:-1]:
        behind.insert(0, behind[0] @ weight.T)
    parts = [part for i, b in zip(inputs, behind, strict=True) for part in (i.T @ b, b.sum(0))]
    flat = np.concatenate([part.ravel() for part in parts])
    return flat, flat


def _pull_back_one_of_two(ps: Any, x: Any, dy: Any) -> Any:
    """Pull back through the first of two layers; the gradient of the second layer's parameters must be zeros."""
    vector, unflatten = flatten(sort_like(ps, TWO_PS))
    dx, dp = luxport.vjp(lambda x, vector: FIRST(x, unflatten(vector)["first"], {})[0], x, vector)[1](dy)
    return {"dx": dx, "dp": dp}


def _differentiate_norm(x: Any, st: Any) -> Any:
    xp = luxport.namespace(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vector, unflatten = flatten({"scale": xp.ones_like(x[0, ...]), "bias": xp.zeros_like(x[0, ...])})
        y, pull = luxport.vjp(lambda x, vector: NORM(x, unflatten(vector), st)[0], x, vector)
        dx, dp = pull(y)
    return {"dx": dx, "dp": dp}


def _differentiate_shared(ps: Any, x: Any) -> Any:
    xp, st = luxport.namespace(x), {"layer_1": {}, "layer_2": {}}
    vector, unflatten = flatten(sort_like(ps, SHARED_PS))
    return luxport.grad(lambda v: xp.sum(SHARED(x, unflatten(v), st)[0]))(vector)


def _differentiate_first_output(ps: Any, x: Any) -> Any:
    xp = luxport.namespace(x)
    vector, unflatten = flatten(sort_like(ps, SPLIT_PS))
    return luxport.grad(lambda v: xp.sum(SPLIT(x, unflatten(v), SPLIT_ST)[0][0] ** 2))(vector)


def _expect_first_output(ps: Any, x: Any) -> Any:
    one, two = ps["layer_1"], ps["layer_2"]
    shared = x @ one["weight"] + one["bias"]
    dy = 2 * (shared @ two["layer_1"]["weight"] + two["layer_1"]["bias"])
    dshared = dy @ two["layer_1"]["weight"].T
    parts = [x.T @ dshared, dshared.sum(0), shared.T @ dy, dy.sum(0), np.zeros((11, 7)), np.zeros(7)]
    return np.concatenate([part.ravel() for part in parts])


CASES: list[Case] = [
    *[
        check_program(
            f"flat.three_layers_{name}_bias",
            cite(FILE, 425, 426),
            _flatten_and_back,
            {"ps": ps},
            subject="flatten",
            expected=ps,
        )
        for name, ps in (("with", COUNTED_PS), ("without", _count_up(use_bias=False)[1]))
    ],
    *[
        check_program(
            id,
            cite(FILE, line),
            program,
            {"ps": ps, "x": draw(*shape)},
            subject="flatten",
            expected=expected,
            differentiates=True,
            tolerance=Tolerance(reduction=terms),
        )
        for id, line, program, ps, shape, expected, terms in (
            ("flat.three_layers_gradient", 443, _compute_two_gradients, COUNTED_PS, (1, 3), _expect_by_layers, 15),
            ("flat.two_outputs", 685, _differentiate_first_output, SPLIT_PS, (13, 5), _expect_first_output, 13 * 11),
        )
    ],
    check_function(
        "flat.shared_matrix",
        cite(FILE, 596),
        lambda matrix: flatten((None, matrix, (3, matrix, 4)))[0],
        np.array([[1.0, 3.0], [2.0, 4.0]]),  # upstream's matrix with its axes reversed
        subject="flatten",
        expected=np.array([1.0, 3.0, 2.0, 4.0]),
    ),
    check_program(
        "flat.one_of_two_layers",
        cite(FILE, 623),
        _pull_back_one_of_two,
        {"ps": TWO_PS, "x": np.array([1.0, 2.0, 3.0]), "dy": np.array([4.0])},
        subject="flatten",
        expected=lambda ps, x, dy: {
            "dx": 4 * ps["first"]["weight"][:, 0],
            "dp": np.array([4.0, 8.0, 12.0, 4.0, *[0.0] * 8]),
        },
        differentiates=True,
    ),
    check_program(
        "flat.batch_norm_without_warning",
        cite(FILE, 634),
        _differentiate_norm,
        {"x": draw(4, 3), "st": luxport.test_mode(STATES)},
        # In test mode y is x / sqrt(1 + 1e-5), and its slope is 1 / sqrt(1 + 1e-5).
        subject="flatten",
        expected=lambda x, st: {
            "dx": x / (1 + 1e-5),
            "dp": np.concatenate([np.sum(x**2, 0) / (1 + 1e-5), np.sum(x, 0) / np.sqrt(1 + 1e-5)]),
        },
        differentiates=True,
        compiles=False,  # a compiler may emit warnings of its own
        tolerance=Tolerance(reduction=4),
    ),
    check_program(
        "flat.shared_layer",
        cite(FILE, 662),
        _differentiate_shared,
        {"ps": SHARED_PS, "x": np.array([[3.0]])},
        # y = w (w x + b) + b: its derivatives are 2 w x + b and w + 1
        subject="flatten",
        expected=np.array([3.25, 1.5]),
        differentiates=True,
    ),
    check_program(
        "flat.batch_norm",
        cite(FILE, 628, 637, 638),
        _pull_back,
        {"x": draw(4, 3), "scale": np.ones(3), "bias": np.zeros(3), "st": luxport.test_mode(STATES)},
        subject="flatten",
        expected={"vector": Shape(6), "dx": Shape(4, 3), "dp": Shape(6)},
        differentiates=True,
    ),
]
