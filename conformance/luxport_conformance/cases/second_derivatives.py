"""Cases of second derivatives of normalization layers."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, Dropout, GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, cite, draw
from luxport_conformance.cases.sample_norms import FILE, make_trained, set_up
from luxport_conformance.compare import Tolerance

CUBES = draw(6, 3, 4)
TURN = draw(6, 3, 4, seed=1)


def _check_second(name: str, layer: Any, axes: tuple[int, ...], *, centered: bool = True) -> Case:
    """Check the product of the Hessian and a direction, for a third of the sum of the cubed outputs."""
    call = make_trained(layer)

    def program(x: Any, turn: Any) -> Any:
        xp = luxport.namespace(x)
        slope = luxport.grad(lambda x: xp.sum(call(x) ** 3) / 3.0)
        return luxport.grad(lambda x: xp.sum(slope(x) * turn))(x)

    def differentiate_along(x: Any, turn: Any) -> float:
        """Return the product of the gradient and the direction: y² for y, pulled back to x by the formula."""
        mean = x.mean(axes, keepdims=True) if centered else 0.0
        root = np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + 1e-5)
        y = (x - mean) / root
        g = y**2
        lost = y * (g * y).mean(axes, keepdims=True) + (g.mean(axes, keepdims=True) if centered else 0.0)
        return float(((g - lost) / root * turn).sum())

    def expected(x: Any, turn: Any) -> Any:
        slopes = np.empty_like(x)
        for i in np.ndindex(*x.shape):
            ends = []
            for step in (-2e-3, -1e-3, 1e-3, 2e-3):
                moved = x.copy()
                moved[i] += step
                ends.append(differentiate_along(moved, turn))
            slopes[i] = (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / 12e-3
        return slopes

    return check_program(
        f"second_derivative.{name}",
        ("definition: the slope, in float64, of the gradient in closed form",),
        program,
        {"x": CUBES, "turn": TURN},
        subject=type(layer).__name__,
        expected=expected,
        differentiates=True,
        dtypes=("float64",),
        tolerance=Tolerance(
            rounding=1e-8, reason="a slope over steps of 1e-3 is wrong by some 1e-12 of fifth derivatives"
        ),
    )


def _check_no_curvature(id: str, line: int, layer: Any, x: Any, magnitude: float) -> Case:
    ps, st = set_up(layer)

    def program(x: Any, ps: Any, st: Any) -> Any:
        xp = luxport.namespace(x)
        slope = luxport.grad(lambda x: xp.sum(layer(x, ps, st)[0]))
        return luxport.jacobian(slope)(x)

    shape = np.shape(x)
    return check_program(
        id,
        cite(FILE, line),
        program,
        {"x": np.asarray(x), "ps": ps, "st": luxport.train_mode(st)},
        subject=type(layer).__name__,
        expected=np.zeros((*shape, *shape)),
        differentiates=True,
        dtypes=("float64",),
        compiles=False,
        tolerance=Tolerance(reduction=3, magnitude=magnitude),
    )


CASES: list[Case] = [
    _check_no_curvature("second_derivative.dropout_sum", 460, Dropout(0.5), [1.0, 2.0, 3.0], 0.0),
    _check_no_curvature("second_derivative.batch_norm_sum", 463, BatchNorm(3), [[1.0, 3.0, 5.0], [2.0, 4.0, 6.0]], 4.0),
    _check_second("batch_norm", BatchNorm(3), (0, 2)),
    _check_second("group_norm", GroupNorm(3, 1), (1, 2)),
    _check_second("instance_norm", InstanceNorm(3), (2,)),
    _check_second("layer_norm", LayerNorm((3, 4), affine=False), (1, 2)),
    _check_second("rms_norm", RMSNorm(4, affine=False), (2,), centered=False),
]
