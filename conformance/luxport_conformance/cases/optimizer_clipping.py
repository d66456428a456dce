"""Cases of `ClipGrad`, `ClipNorm` and the norms that they take."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import optimizers
from luxport.backend import dtype_name, namespace
from luxport.optimizers import ClipGrad, ClipNorm
from luxport.optimizers._clip import norm
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import at, draw, function
from luxport_conformance.cases.optimizer_parts import BRANCHES, HUNDRED, MAIN, step
from luxport_conformance.compare import Tolerance

__all__ = ["CASES"]


def _clipped(rule: Any, dx: Any, alpha: Any = None) -> Callable[..., Any]:
    def program(ps: Any, dx: Any, alpha: Any) -> Any:
        grads = {"a": None if alpha is None else (alpha,), "c": dx}
        _, new = optimizers.update(optimizers.setup(rule, ps), ps, grads)
        return {"a": ps["a"][0] - new["a"][0], "c": ps["c"] - new["c"]}

    return program


def _clips(id: str, lines: tuple[int, ...], rule: Any, dx: Any, alpha: Any = None, **options: Any) -> Case:  # noqa: A002
    return Case(
        id=f"optimizers.{id}",
        subject=type(rule).__name__,
        source=at(MAIN, *lines),
        program=_clipped(rule, dx, alpha),
        inputs={"ps": BRANCHES, "dx": np.asarray(dx), "alpha": alpha},
        **options,
    )


NORMS = (-math.inf, -3, -1, 0, 0.5, 1, 1.5, 2, 3.0, math.inf)


def _norms(*arrays: Any) -> Any:
    return tuple([tuple([norm(x, p) for p in NORMS]) for x in arrays])


def _numpy_norms(*arrays: Any) -> Any:
    return tuple([tuple([np.linalg.norm(np.ravel(x), p) for p in NORMS]) for x in arrays])


def _norms_of_extremes(x: Any) -> Any:
    largest = 2.0**1000 if dtype_name(x) == "float64" else 2.0**120
    xp = namespace(x)
    return tuple(
        [xp.stack([norm(x * s, p) / s for p in (2, 3)]) for s in (largest, 1 / largest, largest**0.25, largest**-0.25)]
    )


CASES: list[Case] = [
    _clips("clip_grad_branches", (81,), ClipGrad(13.0), HUNDRED, expected={"c": np.array([1.0, 10.0, 13.0])}),
    _clips(
        "clip_norm",
        (85, 86),
        ClipNorm(10.0),
        HUNDRED,
        np.array([0.1]),
        expected={
            "a": np.array([0.1]),
            "c": Property("a norm of 10", lambda c: np.isclose(np.linalg.norm(c), 10, rtol=1e-5)),
        },
    ),
    _clips(
        "clip_norm_of_nan",
        (88,),
        ClipNorm(10.0),
        [1.0, 10.0, np.nan],
        np.array([0.1]),
        raises=ValueError,
        message=r"a gradient with a finite 2-norm, got nan for one of shape \(3,\)",
        dtypes=("float32",),
    ),
    _clips(
        "clip_other_norm",
        (92, 93),
        ClipNorm(5.0, 1, throw=False),
        HUNDRED,
        np.array([0.1]),
        expected={
            "a": np.array([0.1]),
            "c": Property("a 1-norm of 5", lambda c: np.isclose(np.abs(c).sum(), 5, rtol=1e-5)),
        },
    ),
    _clips(
        "clip_norm_of_inf",
        (95,),
        ClipNorm(5.0, 1, throw=False),
        [1.0, 10.0, np.inf],
        expected={"c": np.array([0.0, 0.0, np.nan])},
    ),
    function(
        "optimizers.norms",
        at(MAIN, 550, 552),
        "ClipNorm",
        _norms,
        draw(10, 10),
        np.array([1.0, 0.0, -3.0, 4.0]),
        expected=_numpy_norms,
        tolerance=Tolerance(reduction=100),
    ),
    function(
        "optimizers.dtypes_of_norms",
        at(MAIN, 551, 553),
        "ClipNorm",
        lambda x: all(dtype_name(norm(x, p)) == dtype_name(x) for p in NORMS),
        draw(10, 10),
        expected=True,
        compiles=False,
    ),
    function(
        "optimizers.norms_of_extremes",
        ("scaling: the norm of s x is s times the norm of x, also where the squares of s x overflow or vanish",),
        "ClipNorm",
        _norms_of_extremes,
        np.array([3.0, 4.0, 0.0]),
        expected=lambda x: tuple([np.array([5.0, 91.0 ** (1 / 3)])] * 4),
        tolerance=Tolerance(factor=30.0, reason="a third is rounded, times the logarithm of up to 2^750"),
    ),
    step(
        "clip_norm_of_large",
        ("the gradient, scaled to the norm",),
        ClipNorm(5.0),
        np.zeros(2),
        np.array([3e30, 4e30]),
        expected={"ps": np.array([-3.0, -4.0])},
    ),
]
