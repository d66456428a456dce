"""Cases of `Chain`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Chain, Conv, Dense, identity, relu, sigmoid, tanh
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import (
    check_error,
    check_fact,
    check_gradient,
    check_output,
    check_program,
    cite,
    draw,
    set_up,
)
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"
TEN_THEN_FIVE = Tolerance(reduction=10 + 5)


def _expect_two_dense(x: Any, ps: Any, st: Any) -> Any:
    first, second = ps.values()
    hidden = 1.0 / (1.0 + np.exp(-(x @ first["weight"] + first["bias"])))
    return hidden @ second["weight"] + second["bias"]


def _square(x: Any) -> Any:
    return x * x


def _subtract_three(x: Any) -> Any:
    return x - 3.0


def _tan(x: Any) -> Any:
    return luxport.namespace(x).tan(x)


def _make_intermediates(model: Chain, *, last: bool = False) -> Any:
    """Return a function of x and the parameters: all intermediate outputs, or the sum of the last one."""

    def compute_outputs(x: Any, ps: Any) -> Any:
        outputs, _ = luxport.intermediate_outputs(model, x, ps, {name: {} for name in ps})
        return luxport.namespace(outputs[-1]).sum(outputs[-1]) if last else outputs

    return compute_outputs


def _make_layers() -> tuple[Dense, Dense]:
    return Dense(10, 5, sigmoid), Dense(5, 2)


NAMED = Chain(first=_make_layers()[0], second=_make_layers()[1])
THREE = Chain(*_make_layers(), Dense(2, 1, relu))

ENCODER = Chain(enc=Dense(3, 5, relu), dec=Dense(5, 1, relu))
ENCODER_PS = {
    "enc": {"weight": np.abs(draw(3, 5)), "bias": np.ones(5)},
    "dec": {"weight": np.abs(draw(5, 1)), "bias": np.ones(1)},
}
"""Positive parameters, so that every `relu` is active."""


def _expect_intermediates(x: Any, ps: Any) -> Any:
    for part in ps.values():
        x = x @ part["weight"] + part["bias"]
        yield x


def _expect_last_slopes(x: Any, ps: Any) -> Any:
    first, second = ps
    hidden, _ = _expect_intermediates(x, ps)
    back = ps[second]["weight"][:, 0]
    return {first: {"weight": np.outer(x, back), "bias": back}, second: {"weight": hidden[:, None], "bias": np.ones(1)}}


def _make_curvature(model: Chain) -> Any:
    """Return a function that computes the Hessian of the sum of the outputs."""

    def sum_outputs(x: Any, ps: Any) -> Any:
        y, _ = model(x, ps, {name: {} for name in ps})
        return luxport.namespace(y).sum(y)

    return lambda x, ps: luxport.jacobian(luxport.grad(sum_outputs))(x, ps)


def _expect_curvature(x: Any, ps: Any) -> Any:
    """Compute with NumPy the Hessian of the sum of the outputs of two Dense layers with a tanh between them."""
    first, second = (part["weight"] for part in list(ps.values())[:2])
    t = np.tanh(x @ first)
    return first @ np.diag(-2 * t * (1 - t * t) * second.sum(axis=1)) @ first.T


def _check_second_derivatives(id: str, source: Any, model: Chain, x: Any, expected: Any) -> Case:
    return check_program(
        f"chain.{id}",
        source,
        _make_curvature(model),
        {"x": x, "ps": set_up(model)[0]},
        expected=expected,
        differentiates=True,
        compiles=False,
        dtypes=("float64",),
        tolerance=Tolerance(reduction=32, magnitude=1.0),
    )


def _make_gradient(model: Chain) -> Any:
    """Return a function that computes the gradient of a loss with respect to the parameters."""

    def loss(ps: Any, x: Any, y: Any) -> Any:
        return luxport.losses.logitcrossentropy(model(x, ps, {name: {} for name in ps})[0], y)

    return luxport.grad(loss)


def _expect_slopes(ps: Any, x: Any, y: Any) -> Any:
    (first, w1), (second, w2) = ps.items()
    t = np.tanh(x @ w1["weight"])
    z = t @ w2["weight"] + w2["bias"]
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    back = (p * y.sum(axis=1, keepdims=True) - y) / len(x)
    inner = back @ w2["weight"].T * (1 - t * t)
    return {first: {"weight": x.T @ inner}, second: {"weight": t.T @ back, "bias": back.sum(axis=0)}}


BENT = (Dense(3, 4, tanh, use_bias=False), Dense(4, 2))
ONE_TO_THREE = np.asarray([1.0, 2.0, 3.0])

CASES: list[Case] = [
    check_output(
        "chain.two_dense",
        cite(BASIC, 16),
        Chain(*_make_layers()),
        draw(10),
        y=_expect_two_dense,
        tolerance=TEN_THEN_FIVE,
    ),
    check_error(
        "chain.misfit",
        cite(BASIC, 17),
        Chain(Dense(10, 5, sigmoid), Dense(2, 1)),
        draw(10),
        message=r"Dense at layer_2 expects \(..., 2\), got \(5,\)",
    ),
    check_output("chain.named", cite(BASIC, 20), NAMED, draw(10), y=_expect_two_dense, tolerance=TEN_THEN_FIVE),
    check_fact("chain.index_by_name", cite(BASIC, 22), lambda: NAMED["first"] == NAMED[0]),
    check_fact("chain.slice_of_all", cite(BASIC, 23), lambda: NAMED[0:2] == NAMED),
    check_fact(
        "chain.equal_to_itself",
        cite(BASIC, 25),
        lambda: Chain(first=_make_layers()[0], second=_make_layers()[1]) == NAMED and Chain(*_make_layers()) != NAMED,
    ),
    check_output(
        "chain.list_of_layers",
        cite(BASIC, 30),
        Chain(list(_make_layers())),
        draw(10),
        y=_expect_two_dense,
        tolerance=TEN_THEN_FIVE,
    ),
    check_fact("chain.first", cite(BASIC, 33), lambda: THREE[0] == THREE[-3] == _make_layers()[0]),
    check_fact("chain.last", cite(BASIC, 34), lambda: THREE[2] == THREE[-1] == Dense(2, 1, relu)),
    check_error(
        "chain.called_layers",
        cite(BASIC, 28),
        lambda: Chain(layers=Dense(10, 10), two=identity),
        raises=ValueError,
        message="Chain expects strings other than 'name', 'layers', 'scan' as names of layers, got 'layers'",
    ),
    check_output(
        "chain.functions",
        ("lux: Chain wraps functions",),
        Chain(lambda x: x * 2.0, identity, lambda x: x + 1.0),
        [[1.0, -2.0]],
        y=[[3.0, -3.0]],
    ),
    check_output("chain.empty", ("lux: an empty Chain is a NoOpLayer",), Chain(), [[1.0, -2.0]], y=[[1.0, -2.0]]),
    check_output(
        "chain.scan_of_shrinking_layers",
        ("luxport: layers that cannot be a loop are called one by one",),
        Chain(*[luxport.MaxPool((2,))] * 2, scan=True),
        [[[1.0, 4.0, 3.0, 2.0, 0.0, -1.0, -3.0, -2.0]]],
        y=[[[4.0, 0.0]]],
    ),
    check_fact(
        "chain.names", ("lux: layer_1, layer_2, …",), lambda: list(THREE.layers) == ["layer_1", "layer_2", "layer_3"]
    ),
    check_program(
        "chain.intermediate_outputs",
        cite(BASIC, 6, 7, 8),
        _make_intermediates(Chain(_square, _subtract_three, _tan)),
        {"x": np.linspace(1.0, 2.0, 10), "ps": {f"layer_{i}": {} for i in (1, 2, 3)}},
        expected=lambda x, ps: (x * x, x * x - 3, np.tan(x * x - 3)),
        tolerance=Tolerance(magnitude=4.0, reduction=20),  # the slope of tan is up to 20 here
    ),
    check_program(
        "chain.intermediate_outputs_named",
        cite(BASIC, 45),
        _make_intermediates(ENCODER),
        {"x": np.ones(3), "ps": ENCODER_PS},
        expected=lambda x, ps: tuple(_expect_intermediates(x, ps)),
        tolerance=Tolerance(reduction=3 + 5),
    ),
    *(
        check_gradient(
            f"chain.gradient_of_intermediate_{name}",
            cite(BASIC, line),
            _make_intermediates(model, last=True),
            {"x": np.ones(3), "ps": dict(zip(model.layers, ENCODER_PS.values(), strict=True))},
            expected=lambda x, ps: _expect_last_slopes(x, ps),
            wrt=1,
            tolerance=Tolerance(reduction=3 + 5),
        )
        for line, name, model in ((42, "numbered", Chain(*ENCODER)), (46, "named", ENCODER))
    ),
    _check_second_derivatives("second_derivatives", cite(BASIC, 468), Chain(*BENT), ONE_TO_THREE, _expect_curvature),
    _check_second_derivatives(
        "second_derivatives_of_list", cite(BASIC, 471, 472), Chain([*BENT]), ONE_TO_THREE, _expect_curvature
    ),
    _check_second_derivatives(
        "second_derivatives_of_softmax",
        cite(BASIC, 476),  # the probabilities always sum to 1, so the derivatives are 0
        Chain(Dense(3, 4, tanh), Dense(4, 2), luxport.ops.softmax),
        ONE_TO_THREE,
        np.zeros((3, 3)),
    ),
    _check_second_derivatives(
        "second_derivatives_of_relu",
        cite(BASIC, 481),  # the model is piecewise linear, so the derivatives are 0
        Chain(Conv((3,), 2, 3, relu), Dense(2, 2)),
        np.asarray([[[1.0, 3.0, 5.0, 7.0], [2.0, 4.0, 6.0, 8.0]]]),
        np.zeros((1, 2, 4, 1, 2, 4)),
    ),
    check_fact(
        "chain.parameters_of_list",
        cite(BASIC, 487, 499),
        lambda: (
            Chain([*BENT]) == Chain(*BENT)
            and luxport.parameter_length(Chain([*BENT])) == 3 * 4 + 4 * 2 + 2
            and list(luxport.setup(0, Chain([*BENT]))[0]) == ["layer_1", "layer_2"]
        ),
    ),
    check_output(
        "chain.value_of_list",
        cite(BASIC, 490),
        Chain([*BENT]),
        draw(5, 3),
        y=lambda x, ps, st: np.tanh(x @ ps["layer_1"]["weight"]) @ ps["layer_2"]["weight"] + ps["layer_2"]["bias"],
        tolerance=Tolerance(reduction=3 + 4),
    ),
    check_program(
        "chain.gradient_of_list",
        cite(BASIC, 497),
        _make_gradient(Chain([*BENT])),
        {
            "ps": set_up(Chain(*BENT))[0],
            "x": draw(5, 3),
            "y": np.asarray([[1, 0], [0, 0], [1, 1], [0, 1], [1, 0]], bool),
        },
        expected=_expect_slopes,
        differentiates=True,
        tolerance=Tolerance(reduction=5 + 3 + 4),
    ),
]
