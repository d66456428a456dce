"""Differences of optimizers, after a few steps."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from luxport import optimizers
from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.layers import X

__all__ = ["OPTIMIZERS"]

_GRADIENTS = (X[::-1].copy(), 0.5 * X, -X[:, ::-1].copy())


def _steps(rule: Any, gradients: Any = _GRADIENTS) -> Any:
    state, ps = optimizers.setup(rule, {"x": X}), {"x": X}
    for gradient in gradients:
        state, ps = optimizers.update(state, ps, {"x": gradient})
    return ps["x"]


def _torch_steps(torch: Any, name: str, gradients: Any = _GRADIENTS, **options: Any) -> Any:
    parameter = torch.nn.Parameter(torch.tensor(X))
    optimizer = getattr(torch.optim, name)([parameter], **options)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach()


def _optax_steps(optimizer: Any) -> Any:
    x, state = X, optimizer.init(X)
    for gradient in _GRADIENTS:
        updates, state = optimizer.update(gradient, state, x)
        x = np.asarray(x + updates)
    return x


def _velocity(torch: Any) -> Shown:
    """Take two steps, the second at a tenth of the first one's rate."""
    first, then = _GRADIENTS[:2]
    parameter = torch.nn.Parameter(torch.tensor(X))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    for eta, gradient in ((0.1, first), (0.01, then)):
        optimizer.param_groups[0]["lr"] = eta
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    state, ps = optimizers.setup(optimizers.Momentum(0.1, 0.9), {"x": X}), {"x": X}
    state, ps = optimizers.update(state, ps, {"x": first})
    state = optimizers.adjust(state, eta=0.01)

    def step(velocity: Any) -> Any:
        """Take luxport's second step from this velocity, by hand: it and the gradient times the rate."""
        return ps["x"] - (0.9 * velocity + 0.01 * then)

    velocity = 0.1 * first
    here = optimizers.update(state, ps, {"x": then})[1]["x"]
    np.testing.assert_allclose(here, step(velocity), rtol=1e-6)
    given = {"step": step, "velocity": velocity, "new_eta": 0.01, "old_eta": 0.1}
    return Shown(here, parameter.detach(), given)


def _amsgrad(torch: Any) -> Shown:
    return Shown(_steps(optimizers.AMSGrad(0.1)), _torch_steps(torch, "Adam", lr=0.1, amsgrad=True))


def _nadam(torch: Any) -> Shown:
    return Shown(_steps(optimizers.NAdam(0.1)), _torch_steps(torch, "NAdam", lr=0.1))


def _radam(torch: Any) -> Shown:
    # With beta2 = 0.999 rho is between 4 and 5 in the fifth step.
    five = (*_GRADIENTS, *_GRADIENTS[:2])
    return Shown(_steps(optimizers.RAdam(0.1), five), _torch_steps(torch, "RAdam", five, lr=0.1))


def _accumulator(optax: Any) -> Shown:
    # Its epsilon is inside the root: with one so small that shows nowhere.
    given = {"steps": _optax_steps, "optax": optax}
    return Shown(_steps(optimizers.AdaGrad(0.1, 1e-12)), _optax_steps(optax.adagrad(0.1, eps=1e-12)), given)


def _inside(optax: Any) -> Shown:
    here, there = _steps(optimizers.RMSProp(0.1, 0.9, 1e-2)), _optax_steps(optax.rmsprop(0.1, 0.9, 1e-2))
    return Shown(here, there, {"steps": _optax_steps, "optax": optax})


def _decay(optax: Any) -> Shown:
    here, there = (
        _steps(optimizers.AdamW(0.1, lambda_=0.1, couple=False)),
        _optax_steps(optax.adamw(0.1, weight_decay=0.1)),
    )
    return Shown(here, there, {"steps": _steps})


def _hat(keras: Any) -> Shown:
    optimizer, variable = keras.optimizers.Adam(0.1, epsilon=0.1), keras.Variable(X)
    for gradient in _GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return Shown(_steps(optimizers.Adam(0.1, epsilon=0.1)), keras.ops.convert_to_numpy(variable.value))


def _uncorrected(mlx: Any) -> Shown:
    core = import_module("mlx.core")
    optimizer, x = mlx.Adamax(0.1), core.array(X)
    for gradient in _GRADIENTS:
        x = optimizer.apply_gradients({"x": core.array(gradient)}, {"x": x})["x"]
    return Shown(_steps(optimizers.AdaMax(0.1)), x)


OPTIMIZERS: tuple[Difference, ...] = (
    Difference(
        "learning rate outside the velocity", "torch", "Momentum", _velocity, "step(velocity * new_eta / old_eta)"
    ),
    Difference("corrected AMSGrad", "torch", "AMSGrad", _amsgrad),
    Difference("momentum on a schedule", "torch", "NAdam", _nadam),
    Difference("rectified above 5", "torch", "RAdam", _radam),
    Difference(
        "initial accumulator",
        "optax",
        "AdaGrad",
        _accumulator,
        "steps(optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-12))",
        gives="here",
    ),
    Difference(
        "epsilon inside the root",
        "optax",
        "RMSProp",
        _inside,
        "steps(optax.rmsprop(0.1, 0.9, 1e-2, eps_in_sqrt=False))",
        gives="here",
    ),
    Difference(
        "decoupled decay times eta",
        "optax",
        "AdamW",
        _decay,
        "steps(optimizers.AdamW(0.1, lambda_=0.1, couple=True))",
    ),
    Difference("epsilon hat", "keras", "Adam", _hat),
    Difference("moments not corrected", "mlx.optimizers", "AdaMax", _uncorrected),
)
