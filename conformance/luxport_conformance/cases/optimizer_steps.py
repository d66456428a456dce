"""Cases of three steps of each optimizer by its paper's formulas, with an epsilon large enough to have an effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport import optimizers
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, draw
from luxport_conformance.compare import Tolerance

ETA, EPSILON, BETA1, BETA2, RHO, DECAY = 0.25, 0.125, 0.75, 0.875, 0.75, 0.5
BETAS = (BETA1, BETA2)
X = draw(2, 3)
GRADIENTS = tuple([draw(2, 3, seed=seed) for seed in (1, 2, 3)])


def _make_three_steps(rule: Any) -> Callable[..., Any]:
    def program(x: Any, gradients: Any) -> Any:
        state, path = optimizers.setup(rule, {"w": x}), []
        ps = {"w": x}
        for dx in gradients:
            state, ps = optimizers.update(state, ps, {"w": dx})
            path.append(ps["w"])
        return tuple(path)

    return program


def _step_adam(x: Any, gradients: Any, *, coupled: float = 0.0, decoupled: float = 0.0) -> Any:
    """Yield Adam's steps: D. P. Kingma, J. Ba (2015), algorithm 1; weight decay as in Loshchilov and Hutter."""
    m = v = np.zeros_like(x)
    for t, dx in enumerate(gradients, start=1):
        m, v = BETA1 * m + (1 - BETA1) * dx, BETA2 * v + (1 - BETA2) * dx**2
        step = ETA * (m / (1 - BETA1**t)) / (np.sqrt(v / (1 - BETA2**t)) + EPSILON)
        x = x - step - (ETA * coupled + decoupled) * x
        yield x


def _step_nesterov(x: Any, gradients: Any) -> Any:
    """Yield the steps of Nesterov momentum, where the gradient is taken at the look-ahead point x."""
    velocity = np.zeros_like(x)
    for dx in gradients:
        following = RHO * velocity - ETA * dx
        x = x - RHO * velocity + (1 + RHO) * following
        velocity = following
        yield x


def _step_momentum(x: Any, gradients: Any) -> Any:
    velocity = np.zeros_like(x)
    for dx in gradients:
        velocity = RHO * velocity + ETA * dx
        x = x - velocity
        yield x


def _step_rms_prop(x: Any, gradients: Any, *, centered: bool = False) -> Any:
    """Yield steps: T. Tieleman, G. Hinton (2012); centered: A. Graves (2013), 38 to 41, epsilon outside the root."""
    square = mean = np.zeros_like(x)
    for dx in gradients:
        square, mean = RHO * square + (1 - RHO) * dx**2, RHO * mean + (1 - RHO) * dx
        x = x - ETA * dx / (np.sqrt(square - (mean**2 if centered else 0)) + EPSILON)
        yield x


def _step_ada_grad(x: Any, gradients: Any) -> Any:
    """Yield AdaGrad's steps: J. Duchi, E. Hazan, Y. Singer (2011); the sum starts at epsilon as in Optimisers.jl."""
    total = np.full_like(x, EPSILON)
    for dx in gradients:
        total = total + dx**2
        x = x - ETA * dx / (np.sqrt(total) + EPSILON)
        yield x


def _step_ada_delta(x: Any, gradients: Any) -> Any:
    """Yield AdaDelta's steps: M. D. Zeiler (2012), algorithm 1."""
    square = steps = np.zeros_like(x)
    for dx in gradients:
        square = RHO * square + (1 - RHO) * dx**2
        step = np.sqrt(steps + EPSILON) / np.sqrt(square + EPSILON) * dx
        steps = RHO * steps + (1 - RHO) * step**2
        x = x - step
        yield x


def _step_lion(x: Any, gradients: Any) -> Any:
    """Yield Lion's steps: X. Chen et al. (2023), algorithm 2."""
    m = np.zeros_like(x)
    for dx in gradients:
        x = x - ETA * np.sign(BETA1 * m + (1 - BETA1) * dx)
        m = BETA2 * m + (1 - BETA2) * dx
        yield x


def _step_rprop(x: Any, gradients: Any) -> Any:
    """Yield the steps of RProp, element by element: M. Riedmiller, H. Braun (1993)."""
    last, size = np.zeros_like(x), np.full_like(x, ETA)
    for dx in gradients:
        now = dx.copy()
        for place in np.ndindex(x.shape):
            if dx[place] * last[place] > 0:
                size[place] = min(1.5 * size[place], 0.3)
            elif dx[place] * last[place] < 0:
                size[place] = max(0.25 * size[place], 0.1)
                now[place] = 0.0
        x, last = x - size * np.sign(now), now
        yield x


def _check_three_steps(name: str, rule: Any, source: str, steps: Callable[..., Any], **options: Any) -> Case:
    return check_program(
        f"optimizers.{name}_steps",
        (source,),
        _make_three_steps(rule),
        {"x": X, "gradients": GRADIENTS},
        subject=type(rule).__name__,
        expected=lambda x, gradients: tuple(steps(x, gradients, **options)),
        tolerance=Tolerance(reduction=12, magnitude=2.0),
        compiles=False,  # other cases compile every rule
    )


ADAM = {"eta": ETA, "beta": BETAS, "epsilon": EPSILON}
CLIPPED = optimizers.OptimizerChain(optimizers.ClipNorm(1.0), optimizers.Descent(1.0))

CASES: list[Case] = [
    _check_three_steps("adam", optimizers.Adam(**ADAM), "paper: Kingma and Ba (2015), algorithm 1", _step_adam),
    _check_three_steps(
        "adam_w",
        optimizers.AdamW(**ADAM, lambda_=DECAY),
        "torch: AdamW scales its decay by the learning rate",
        _step_adam,
        coupled=DECAY,
    ),
    _check_three_steps(
        "adam_w_paper",
        optimizers.AdamW(**ADAM, lambda_=DECAY, couple=False),
        "paper: Loshchilov and Hutter (2019), algorithm 2",
        _step_adam,
        decoupled=DECAY,
    ),
    _check_three_steps("nesterov", optimizers.Nesterov(ETA, RHO), "optimizers: Nesterov", _step_nesterov),
    _check_three_steps("momentum", optimizers.Momentum(ETA, RHO), "optimizers: Momentum", _step_momentum),
    _check_three_steps("rms_prop", optimizers.RMSProp(ETA, RHO, EPSILON), "optimizers: RMSProp", _step_rms_prop),
    _check_three_steps(
        "rms_prop_centered",
        optimizers.RMSProp(ETA, RHO, EPSILON, centered=True),
        "paper: Graves (2013), equations 38 to 41",
        _step_rms_prop,
        centered=True,
    ),
    _check_three_steps("ada_grad", optimizers.AdaGrad(ETA, EPSILON), "optimizers: AdaGrad", _step_ada_grad),
    _check_three_steps(
        "ada_delta", optimizers.AdaDelta(RHO, EPSILON), "paper: Zeiler (2012), algorithm 1", _step_ada_delta
    ),
    _check_three_steps("lion", optimizers.Lion(ETA, BETAS), "paper: Chen et al. (2023), algorithm 2", _step_lion),
    _check_three_steps(
        "rprop",
        optimizers.Rprop(ETA, (0.25, 1.5), (0.1, 0.3)),
        "paper: Riedmiller and Braun (1993), section III",
        _step_rprop,
    ),
    _check_three_steps(
        "clip_norm_of_matrix",
        CLIPPED,
        "definition: one norm for the whole array",
        lambda x, gradients: [
            x - sum(dx / max(1.0, np.sqrt((dx**2).sum())) for dx in gradients[: i + 1]) for i in range(3)
        ],
    ),
    _check_three_steps(
        "clip_grad",
        optimizers.OptimizerChain(optimizers.ClipGrad(0.25), optimizers.Descent(1.0)),
        "definition: every number into [-delta, delta]",
        lambda x, gradients: [x - sum(np.clip(dx, -0.25, 0.25) for dx in gradients[: i + 1]) for i in range(3)],
    ),
]
