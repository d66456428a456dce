"""Cases of options of `Conv`: groups, weights of a wrong shape, padding modes, complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import Conv, ConvTranspose, initializers, ops, relu
from luxport_conformance.case import Case
from luxport_conformance.cases.conv_shapes import COMPLEX, POINT, has_same_channels
from luxport_conformance.cases.declare import (
    check_error,
    check_fact,
    check_function,
    check_output,
    check_program,
    cite,
    draw,
)
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:conv.jl"

MANY = tuple(
    layer(kernel, 3 * groups, 2 * groups, groups=groups)
    for layer in (Conv, ConvTranspose)
    for groups, kernel in ((1, (2,)), (4, (1, 3)), (7, (2, 1, 2)))
)
RELU = Conv((2, 2), 3, 3, relu, stride=2)
STILL = Conv((2, 2), 1, 3, use_bias=False)


def _compute_error_and_slope(x: Any, weight: Any) -> Any:
    def compute_error(weight: Any) -> Any:
        return luxport.namespace(x).mean((STILL(x, {"weight": weight}, {})[0] - 2.0) ** 2)

    return luxport.value_and_grad(compute_error)(weight)


def _make_padded_correlation(mode: Any) -> Callable[..., Any]:
    return lambda x, ps, st: np.stack(
        [
            sum(
                np.correlate(np.pad(x[n, c], (2, 1), mode=mode), ps["weight"][o, c, ::-1], "valid")
                for c in range(x.shape[1])
            )
            for n in range(len(x))
            for o in range(2)
        ]
    ).reshape(len(x), 2, -1)


MODES: tuple[tuple[Any, str], ...] = (("reflect", "reflect"), ("edge", "edge"), ("circular", "wrap"))
CASES: list[Case] = [
    check_fact("conv.channels_in_groups", cite(LAYER, 128, 129), lambda: has_same_channels(*MANY)),
    check_error(
        "conv.weight_of_another_shape",
        cite(LAYER, 89),
        lambda: luxport.setup(0, Conv((3, 3), 1, 1, init_weight=lambda rng, shape: initializers.ones(rng, (1, 3, 3)))),
        raises=ValueError,
        message=r"expects init_weight to return \(1, 1, 3, 3\), got \(1, 3, 3\)",
    ),
    check_program(
        "conv.no_bias_learns_nothing_from_zeros",
        cite(LAYER, 64),
        _compute_error_and_slope,
        {"x": np.zeros((1, 1, 28, 28)), "weight": draw(3, 1, 2, 2)},
        expected=(4.0, np.zeros((3, 1, 2, 2))),
        differentiates=True,
    ),
    *(
        check_output(
            f"conv.padding_mode_{mode}",
            ("numpy.pad and numpy.correlate",),
            Conv((3,), 2, 2, padding=((2, 1),), padding_mode=mode, use_bias=False),
            draw(2, 2, 4),
            ps={"weight": draw(2, 2, 3, seed=1)},
            y=_make_padded_correlation(by_numpy),
            tolerance=Tolerance(reduction=6),
        )
        for mode, by_numpy in MODES
    ),
    check_function(
        "conv.bias_then_activation",
        cite("nnlib:conv_bias_act.jl", 6),
        lambda x, weight, bias: RELU(x, {"weight": weight, "bias": bias}, {})[0],
        *(draw(3, 3, 4, 4), draw(3, 3, 2, 2, seed=1), draw(3, seed=2)),
        expected=lambda x0, x1, x2: np.maximum(
            np.einsum("nchiwj,ocij->nohw", x0.reshape(3, 3, 2, 2, 2, 2), x1[:, :, ::-1, ::-1]) + x2[:, None, None], 0
        ),
        tolerance=Tolerance(reduction=12),
    ),
    check_program(
        "conv.complex",
        cite(OP, 463),
        lambda x, weight: ops.conv(x, weight, None, **POINT),
        {"x": COMPLEX[0], "weight": COMPLEX[1]},
        subject="conv",
        expected=np.sum(COMPLEX[0] * COMPLEX[1]).reshape(1, 1, 1),
        tolerance=Tolerance(reduction=8),
    ),
]
