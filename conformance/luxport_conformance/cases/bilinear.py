"""Cases of `Bilinear`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Bilinear
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_gradient, check_output, cite, draw
from luxport_conformance.compare import Tolerance

BASIC = "flux:layers/basic.jl"

_INTERACTIONS = Bilinear(3, 2)


def _sum_interactions(x: Any, ps: Any) -> Any:
    y, _ = _INTERACTIONS(x, ps, {})
    return luxport.namespace(y).sum(y)


CASES: list[Case] = [
    check_output(
        "bilinear.two_streams",
        cite(BASIC, 190, 191),
        Bilinear((10, 2), 3),
        (np.zeros((9, 10)), np.zeros((9, 2))),
        y=np.zeros((9, 3)),
    ),
    check_output(
        "bilinear.one_stream",
        cite(BASIC, 197),
        Bilinear(11, 3),
        draw(7, 11),
        y=lambda x, ps, st: np.einsum("ni,jio,nj->no", x, ps["weight"], x, optimize=True),
        tolerance=Tolerance(reduction=121),
    ),
    check_gradient(
        "bilinear.gradient",
        cite(BASIC, 198),
        _sum_interactions,
        {"x": draw(4, 3), "ps": {"weight": draw(3, 3, 2), "bias": draw(2)}},
        expected=lambda x, ps: (
            np.einsum("jio,nj->ni", ps["weight"], x) + np.einsum("jio,ni->nj", ps["weight"], x),
            {"weight": np.repeat((x.T @ x)[..., None], 2, axis=-1), "bias": np.full(2, 4.0)},
        ),
        wrt=(0, 1),
        tolerance=Tolerance(reduction=12),
    ),
    check_output(
        "bilinear.axes",
        ("definition: z_o = sum_ij x1_i W_oij x2_j + b_o, the weight's axes reversed",),
        Bilinear((2, 3), 2),
        (np.asarray([1.0, 2.0]), np.asarray([1.0, 0.0, -1.0])),
        ps={"weight": np.arange(12.0).reshape(3, 2, 2), "bias": np.asarray([0.5, -0.5])},
        # x1 (weight[0] - weight[2]) = [1, 2] [[-8, -8], [-8, -8]]
        y=[-23.5, -24.5],
    ),
    *[
        check_error(
            f"bilinear.{id}", (source,), Bilinear((2, 3), 2), (np.ones((4, 2)), np.ones(other)), message=message
        )
        for id, source, other, message in (
            (
                "batches_differ",
                "flux: Bilinear's inputs agree on the number of columns",
                (5, 3),
                r"Bilinear expects inputs with the same leading axes, got \(4, 2\) and \(5, 3\)",
            ),
            ("wrong_size", "luxport", (4, 2), r"Bilinear expects an input \(..., 3\), got \(4, 2\)"),
        )
    ],
]
