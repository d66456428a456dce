"""Differences of optimizers, demonstrated by a few steps."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from luxport import optimizers
from luxport_conformance.peers.differences.difference import Difference, Shown
from luxport_conformance.peers.differences.layers import X

__all__ = ["OPTIMIZERS"]

_GRADIENTS = (X[::-1].copy(), 0.5 * X, -X[:, ::-1].copy())


def _take_steps(rule: Any, gradients: Any = _GRADIENTS) -> Any:
    state, ps = optimizers.setup(rule, {"x": X}), {"x": X}
    for gradient in gradients:
        state, ps = optimizers.update(state, ps, {"x": gradient})
    return ps["x"]


def _take_torch_steps(torch: Any, name: str, gradients: Any = _GRADIENTS, **options: Any) -> Any:
    parameter = torch.nn.Parameter(torch.tensor(X))
    optimizer = getattr(torch.optim, name)([parameter], **options)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach()


def _take_optax_steps(optimizer: Any) -> Any:
    x, state = X, optimizer.init(X)
    for gradient in _GRADIENTS:
        updates, state = optimizer.update(gradient, state, x)
        x = np.asarray(x + updates)
    return x


def _show_velocity(torch: Any) -> Shown:
    """Return both results of two steps with momentum, the second at a tenth of the first learning rate."""
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
        """Return the parameters after luxport's second step from this velocity, computed by the formula."""
        return ps["x"] - (0.9 * velocity + 0.01 * then)

    velocity = 0.1 * first
    here = optimizers.update(state, ps, {"x": then})[1]["x"]
    np.testing.assert_allclose(here, step(velocity), rtol=1e-6)
    given = {"step": step, "velocity": velocity, "new_eta": 0.01, "old_eta": 0.1}
    return Shown(here, parameter.detach(), given)


def _show_amsgrad(torch: Any) -> Shown:
    return Shown(_take_steps(optimizers.AMSGrad(0.1)), _take_torch_steps(torch, "Adam", lr=0.1, amsgrad=True))


def _show_nadam(torch: Any) -> Shown:
    return Shown(_take_steps(optimizers.NAdam(0.1)), _take_torch_steps(torch, "NAdam", lr=0.1))


def _show_radam(torch: Any) -> Shown:
    # With beta2 = 0.999 RAdam's rho is between 4 and 5 in the fifth step, where the libraries' thresholds differ.
    five = (*_GRADIENTS, *_GRADIENTS[:2])
    return Shown(_take_steps(optimizers.RAdam(0.1), five), _take_torch_steps(torch, "RAdam", five, lr=0.1))


def _show_accumulator(optax: Any) -> Shown:
    # Optax adds epsilon inside the root; 1e-12 is too small for this other difference to matter.
    given = {"steps": _take_optax_steps, "optax": optax}
    return Shown(_take_steps(optimizers.AdaGrad(0.1, 1e-12)), _take_optax_steps(optax.adagrad(0.1, eps=1e-12)), given)


def _show_inside(optax: Any) -> Shown:
    here, there = _take_steps(optimizers.RMSProp(0.1, 0.9, 1e-2)), _take_optax_steps(optax.rmsprop(0.1, 0.9, 1e-2))
    return Shown(here, there, {"steps": _take_optax_steps, "optax": optax})


def _show_decay(optax: Any) -> Shown:
    here, there = (
        _take_steps(optimizers.AdamW(0.1, lambda_=0.1, couple=False)),
        _take_optax_steps(optax.adamw(0.1, weight_decay=0.1)),
    )
    return Shown(here, there, {"steps": _take_steps})


def _show_hat(keras: Any) -> Shown:
    optimizer, variable = keras.optimizers.Adam(0.1, epsilon=0.1), keras.Variable(X)
    for gradient in _GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
    return Shown(_take_steps(optimizers.Adam(0.1, epsilon=0.1)), keras.ops.convert_to_numpy(variable.value))


def _show_uncorrected(mlx: Any) -> Shown:
    core = import_module("mlx.core")
    optimizer, x = mlx.Adamax(0.1), core.array(X)
    for gradient in _GRADIENTS:
        x = optimizer.apply_gradients({"x": core.array(gradient)}, {"x": x})["x"]
    return Shown(_take_steps(optimizers.AdaMax(0.1)), x)


OPTIMIZERS: tuple[Difference, ...] = (
    Difference(
        "learning rate outside the velocity", "torch", "Momentum", _show_velocity, "step(velocity * new_eta / old_eta)"
    ),
    Difference("corrected AMSGrad", "torch", "AMSGrad", _show_amsgrad),
    Difference("momentum on a schedule", "torch", "NAdam", _show_nadam),
    Difference("rectified above 5", "torch", "RAdam", _show_radam),
    Difference(
        "initial accumulator",
        "optax",
        "AdaGrad",
        _show_accumulator,
        "steps(optax.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-12))",
        gives="here",
    ),
    Difference(
        "epsilon inside the root",
        "optax",
        "RMSProp",
        _show_inside,
        "steps(optax.rmsprop(0.1, 0.9, 1e-2, eps_in_sqrt=False))",
        gives="here",
    ),
    Difference(
        "decoupled decay times eta",
        "optax",
        "AdamW",
        _show_decay,
        "steps(optimizers.AdamW(0.1, lambda_=0.1, couple=True))",
    ),
    Difference("epsilon hat", "keras", "Adam", _show_hat),
    Difference("moments not corrected", "mlx.optimizers", "AdaMax", _show_uncorrected),
)
