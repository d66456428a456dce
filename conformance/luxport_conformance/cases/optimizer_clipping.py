"""Cases of `ClipGrad`, `ClipNorm`, `ClipGlobalNorm` and the norms by which they clip."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import optimizers
from luxport.backend import dtype_name, namespace
from luxport.optimizers import AccumGrad, ClipGlobalNorm, ClipGrad, ClipNorm, Descent, MixedPrecision, OptimizerChain
from luxport.optimizers._clip import norm
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_function, check_program, cite, draw
from luxport_conformance.cases.optimizer_parts import BRANCHES, HUNDRED, MAIN, check_step
from luxport_conformance.compare import Tolerance


def _make_clipped_step(rule: Any, dx: Any, alpha: Any = None) -> Callable[..., Any]:
    def program(ps: Any, dx: Any, alpha: Any) -> Any:
        grads = {"a": None if alpha is None else (alpha,), "c": dx}
        _, new = optimizers.update(optimizers.setup(rule, ps), ps, grads)
        return {"a": ps["a"][0] - new["a"][0], "c": ps["c"] - new["c"]}

    return program


def _check_clipping(
    id: str, lines: tuple[int, ...] | tuple[str, ...], rule: Any, dx: Any, alpha: Any = None, **options: Any
) -> Case:
    return Case(
        id=f"optimizers.{id}",
        subject=type(rule).__name__,
        source=tuple([line if isinstance(line, str) else cite(MAIN, line)[0] for line in lines]),
        program=_make_clipped_step(rule, dx, alpha),
        inputs={"ps": BRANCHES, "dx": np.asarray(dx), "alpha": alpha},
        **options,
    )


NORMS = (-math.inf, -3, -1, 0, 0.5, 1, 1.5, 2, 3.0, math.inf)


def _compute_norms(*arrays: Any) -> Any:
    return tuple([tuple([norm(x, p) for p in NORMS]) for x in arrays])


def _expect_norms(*arrays: Any) -> Any:
    return tuple([tuple([np.linalg.norm(np.ravel(x), p) for p in NORMS]) for x in arrays])


def _compute_norms_of_extremes(x: Any) -> Any:
    largest = 2.0**1000 if dtype_name(x) == "float64" else 2.0**120
    xp = namespace(x)
    return tuple(
        [xp.stack([norm(x * s, p) / s for p in (2, 3)]) for s in (largest, 1 / largest, largest**0.25, largest**-0.25)]
    )


def _make_joint_steps(rule: Any) -> Callable[..., Any]:
    """Return two update steps; in the first, `a` has no gradient, so that afterward it is in a group of its own."""

    def program(ps: Any, grads: Any) -> Any:
        state, once = optimizers.update(optimizers.setup(rule, ps), ps, {**grads, "a": None})
        _, twice = optimizers.update(state, once, grads)
        return {name: (ps[name] - once[name], once[name] - twice[name]) for name in ps}

    return program


def _expect_joint_steps(ps: Any, grads: Any) -> Any:
    """Return the expected steps: the global norm of the gradients is 13 without `a`, and 14 with it."""
    return {name: (0.5 * dx if name != "a" else 0.0 * dx, dx * 6.5 / 14.0) for name, dx in grads.items()}


# Gradients with a global norm of 13 without `a`, and of 14 with it.
_GRADS = {"a": np.array([np.sqrt(27.0)]), "b": np.array([3.0, 0.0]), "c": np.array([[4.0], [12.0]])}
_ZEROS = {name: np.zeros_like(value) for name, value in _GRADS.items()}


def _check_joint_clipping(id: str, rule: Any, **options: Any) -> Case:
    return check_program(
        f"optimizers.{id}",
        ("the gradients times omega over the norm of all of them",),
        _make_joint_steps(rule),
        {"ps": _ZEROS, "grads": _GRADS},
        subject="ClipGlobalNorm",
        expected=_expect_joint_steps,
        **options,
    )


CASES: list[Case] = [
    _check_joint_clipping("clip_global_norm", OptimizerChain(ClipGlobalNorm(6.5), Descent(1.0))),
    _check_joint_clipping(
        "clip_global_norm_behind_rules",
        OptimizerChain(ClipGrad(100.0), AccumGrad(1), ClipGlobalNorm(6.5), Descent(1.0)),
    ),
    _check_joint_clipping(
        "clip_global_norm_of_copies",
        MixedPrecision(OptimizerChain(OptimizerChain(ClipGlobalNorm(6.5)), Descent(1.0))),
        dtypes=("float32",),
    ),
    _check_clipping(
        "clip_global_norm_within",
        ("a norm that is not larger leaves the gradients as they are",),
        ClipGlobalNorm(500.0),
        HUNDRED,
        np.array([0.1]),
        expected={"a": np.array([0.1]), "c": HUNDRED},
    ),
    _check_clipping(
        "clip_global_norm_of_inf",
        ("a norm that is not finite makes every gradient NaN",),
        ClipGlobalNorm(5.0),
        [1.0, 10.0, np.inf],
        np.array([0.1]),
        expected={"a": np.array([np.nan]), "c": np.full(3, np.nan)},
    ),
    _check_clipping("clip_grad_branches", (81,), ClipGrad(13.0), HUNDRED, expected={"c": np.array([1.0, 10.0, 13.0])}),
    _check_clipping(
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
    _check_clipping(
        "clip_norm_of_nan",
        (88,),
        ClipNorm(10.0),
        [1.0, 10.0, np.nan],
        np.array([0.1]),
        raises=ValueError,
        message=r"a gradient with a finite 2-norm, got nan for one of shape \(3,\)",
        dtypes=("float32",),
    ),
    _check_clipping(
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
    _check_clipping(
        "clip_norm_of_inf",
        (95,),
        ClipNorm(5.0, 1, throw=False),
        [1.0, 10.0, np.inf],
        expected={"c": np.array([0.0, 0.0, np.nan])},
    ),
    check_function(
        "optimizers.norms",
        cite(MAIN, 550, 552),
        _compute_norms,
        draw(10, 10),
        np.array([1.0, 0.0, -3.0, 4.0]),
        subject="ClipNorm",
        expected=_expect_norms,
        tolerance=Tolerance(reduction=100),
    ),
    check_function(
        "optimizers.dtypes_of_norms",
        cite(MAIN, 551, 553),
        lambda x: all(dtype_name(norm(x, p)) == dtype_name(x) for p in NORMS),
        draw(10, 10),
        subject="ClipNorm",
        expected=True,
        compiles=False,
    ),
    check_function(
        "optimizers.norms_of_extremes",
        ("scaling: the norm of s x is s times the norm of x, also where the squares of s x overflow or vanish",),
        _compute_norms_of_extremes,
        np.array([3.0, 4.0, 0.0]),
        subject="ClipNorm",
        expected=lambda x: tuple([np.array([5.0, 91.0 ** (1 / 3)])] * 4),
        tolerance=Tolerance(factor=30.0, reason="a third is rounded, times the logarithm of up to 2^750"),
    ),
    check_step(
        "clip_norm_of_large",
        ("the gradient, scaled to the norm",),
        ClipNorm(5.0),
        np.zeros(2),
        np.array([3e30, 4e30]),
        expected={"ps": np.array([-3.0, -4.0])},
    ),
]
