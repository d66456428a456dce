"""Cases of `training.train_step` and `training.train`: Flux's, of what a step returns and of losses that are none."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Dense, losses, optimizers, tanh
from luxport.optimizers import Adam, AdamW, Descent, Momentum
from luxport.training import train, train_step
from luxport_conformance.backends import prepared
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import at, draw, fails
from luxport_conformance.compare import Tolerance

__all__ = ["CASES"]

FILE = "flux:train.jl"
MODEL, LINE, DEEPER = Dense(3, 2, tanh), Dense(1, 1), luxport.Chain(Dense(2, 3, tanh), Dense(3, 1))
WEIGHT, BIAS, RATE = draw(3, 2, seed=1), np.zeros(2), 0.1
X, Y = draw(5, 3, seed=2), draw(5, 2, seed=3)
ZERO = {"weight": np.zeros((1, 1)), "bias": np.zeros(1)}
BETAS = np.array([0.9, 0.999])  # their powers, before the first step
BATCHES = 20


def _error(ps: Any, x: Any, y: Any) -> Any:
    return losses.mse(MODEL(x, ps, {})[0], y)


def _with_prediction(ps: Any, x: Any, y: Any) -> Any:
    y_hat = MODEL(x, ps, {})[0]
    return losses.mse(y_hat, y), y_hat


def _with_names(ps: Any, x: Any, y: Any) -> Any:
    value, y_hat = _with_prediction(ps, x, y)
    return value, {"prediction": y_hat}


def _steps(weight: Any, bias: Any, x: Any, y: Any) -> Any:
    """A step, the same written out, and with more than a loss."""
    ps = {"weight": weight, "bias": bias}
    state = optimizers.setup(Momentum(RATE), ps)
    value, grads = luxport.value_and_grad(_error)(ps, x, y)
    (named, names), named_grads = luxport.value_and_grad(_with_names, has_aux=True)(ps, x, y)
    return {
        "step": train_step(_error, state, ps, x, y)[::2],
        "written out": (value, optimizers.update(state, ps, grads)[1]),
        "gradient": grads,
        "pair": train_step(_with_prediction, state, ps, x, y, has_aux=True)[::2],
        "names": train_step(_with_names, state, ps, x, y, has_aux=True)[::2],
        "names and gradient": (named, names, named_grads),
    }


def _one_step(weight: Any, bias: Any, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """The loss, the gradient, the parameters after it and the prediction before, by hand."""
    y_hat = np.tanh(x @ weight + bias)
    pulled = 2 * (y_hat - y) / y.size * (1 - y_hat**2)
    grads = {"weight": x.T @ pulled, "bias": pulled.sum(0)}
    # The first step of momentum is one of descent.
    after = {"weight": weight - RATE * grads["weight"], "bias": bias - RATE * grads["bias"]}
    return np.mean((y_hat - y) ** 2), grads, after, y_hat


def _by_hand(weight: Any, bias: Any, x: Any, y: Any) -> Any:
    value, grads, after, y_hat = _one_step(weight, bias, x, y)
    return {
        "step": (value, after),
        "written out": (value, after),
        "gradient": grads,
        "pair": ((value, y_hat), after),
        "names": ((value, {"prediction": y_hat}), after),
        "names and gradient": (value, {"prediction": y_hat}, grads),
    }


def _skipped(ps: Any, x: Any) -> Any:
    """A step with a loss, and so a gradient, that is no number."""
    state = optimizers.setup(Adam(RATE), ps)

    def loss(ps: Any, x: Any) -> Any:
        return luxport.namespace(x).sum(LINE(x, ps, {})[0]) * float("nan")

    value, state, ps = train_step(loss, state, ps, x)
    return {"loss": value, "ps": ps, "state": state["weight"]["state"]}


def _until_nan(ps: Any, x: Any) -> Any:
    """A hundred batches of which the 51st has no loss."""
    xp = luxport.namespace(x)
    seen, told, last = [], "", ps

    def loss(ps: Any, i: int) -> Any:
        seen.append(i)
        return xp.sum(LINE(x, ps, {})[0]) * (float("nan") if i == 51 else 1.0)

    try:
        for _, _, last in train(loss, optimizers.setup(Descent(RATE), ps), ps, [(i,) for i in range(1, 101)]):  # noqa: B007
            pass
    except FloatingPointError as error:
        told = str(error)
    return {"calls": max(seen), "told": told, "ps": last}


def _loop(weight: Any, bias: Any, xs: Any, ys: Any) -> Any:
    """Train on all batches, and take the same steps one by one."""
    data = [(xs[i, ...], ys[i, ...]) for i in range(BATCHES)]
    stepped = {"weight": weight, "bias": bias}
    state = optimizers.setup(Adam(0.05), stepped)
    quick = prepared(luxport.backend_of(weight), train_step)
    *_, (_, _, looped) = train(_error, state, stepped, data, step=quick)
    for x, y in data:
        _, state, stepped = quick(_error, state, stepped, x, y)
    return {"weight": looped["weight"] - stepped["weight"], "bias": looped["bias"] - stepped["bias"]}


def _downhill(ps: Any, x: Any) -> Any:
    """What a model says before and after each of three updates by one gradient."""
    st = {"layer_1": {}, "layer_2": {}}

    def answer(ps: Any) -> Any:
        return luxport.namespace(x).sum(DEEPER(x, ps, st)[0])

    grads, state, answers = luxport.grad(answer)(ps), optimizers.setup(Adam(), ps), [answer(ps)]
    for _ in range(3):
        state, ps = optimizers.update(state, ps, grads)
        answers.append(answer(ps))
    return luxport.namespace(x).stack(answers)


def _converged(weight: Any, start: Any, xs: Any, held_out: Any) -> Any:
    """The loss before and after a step for each batch, which is an array and not a tuple."""

    def error(ps: Any, x: Any) -> Any:
        xp = luxport.namespace(x)
        return losses.mse(xp.matmul(x, ps["weight"]) + ps["bias"], xp.matmul(x, weight))

    def step(carry: Any, x: Any) -> Any:
        value, state, ps = train_step(error, *carry, x)
        return (state, ps), value

    ps = {"weight": start, "bias": luxport.namespace(weight).zeros_like(weight[0, ...]), "ignored": None}
    state = optimizers.setup(Adam(0.05), ps)
    (_, scanned), _ = luxport.scan(step, (state, ps), xs)
    quick = prepared(luxport.backend_of(weight), train_step)
    *_, (_, _, looped) = train(error, optimizers.setup(AdamW(0.05), ps), ps, luxport.training.unbatch(xs), step=quick)
    return {"before": error(ps, held_out), "after": (error(scanned, held_out), error(looped, held_out))}


UNIFORM = np.random.Generator(np.random.Philox(5))

CASES: list[Case] = [
    Case(
        id="train_step.returns",
        subject="train_step",
        source=at(FILE, 91, 92, 109, 110, 111, 162, 163, 164, 165, 172, 173, 174),
        program=_steps,
        inputs={"weight": WEIGHT, "bias": BIAS, "x": X, "y": Y},
        expected=_by_hand,
        differentiates=True,
        tolerance=Tolerance(reduction=5),
        dtypes=("float32",),
        compiles=False,  # `train_step.not_finite` is; six gradients in one program take PyTorch nine seconds
    ),
    Case(
        id="train_step.not_finite",
        subject="train_step",
        source=at(FILE, 138, 139, 140),
        program=_skipped,
        inputs={"ps": ZERO | {"ignored": None}, "x": np.ones((1, 1))},
        expected={"loss": np.array(np.nan), "ps": ZERO, "state": (ZERO["weight"], ZERO["weight"], BETAS)},
        differentiates=True,
    ),
    Case(
        id="train.stops_on_nan",
        subject="train",
        source=at(FILE, 41, 45, 46),
        program=_until_nan,
        inputs={"ps": ZERO, "x": np.ones((1, 1))},
        expected={
            "calls": Property("51 calls", lambda calls: calls == 51),
            "told": Property("the batch named", lambda text: "finite loss, got nan at batch 51" in text),
            "ps": {"weight": np.full((1, 1), -5.0), "bias": np.full(1, -5.0)},
        },
        differentiates=True,
        dtypes=("float32",),
        tolerance=Tolerance(reduction=50),
        traces=False,  # it looks at every loss
    ),
    fails(
        "train.no_callbacks",
        at(FILE, 62),
        lambda: train(_error, None, None, [], cb=print),  # type: ignore[call-arg]
        message="cb",
        raises=TypeError,
        subject="train",
    ),
    Case(
        id="train.loop_of_steps",
        subject="train",
        source=at(FILE, 194, 195),
        program=_loop,
        inputs={
            "weight": WEIGHT,
            "bias": BIAS,
            "xs": draw(BATCHES, 5, 3, seed=4),
            "ys": draw(BATCHES, 5, 2, seed=5),
        },
        expected={"weight": np.zeros((3, 2)), "bias": BIAS},
        differentiates=True,
        dtypes=("float32",),
        traces=False,
    ),
    Case(
        id="train_step.converges",
        subject="train_step",
        source=at(FILE, 56, 120, 127),
        program=_converged,
        inputs={
            "weight": draw(10, 10, seed=6),
            # Not as far away as upstream starts: these are sixty steps, and not two thousand.
            "start": draw(10, 10, seed=6) + 0.35 + 0.1 * draw(10, 10, seed=7),
            "xs": UNIFORM.random((60, 32, 10)),
            "held_out": UNIFORM.random((10, 10)),
        },
        expected={
            "before": Property("a loss above 1", lambda value: value > 1),
            "after": (Property("a loss below 0.01", lambda value: value < 0.01),) * 2,
        },
        differentiates=True,
        dtypes=("float32",),
        traces=False,
    ),
    Case(
        id="update.downhill",
        subject="update",
        source=at(FILE, 212, 215, 221),
        program=_downhill,
        inputs={
            "ps": {
                "layer_1": {"weight": draw(2, 3, seed=8), "bias": np.zeros(3)},
                "layer_2": {"weight": draw(3, 1, seed=9), "bias": np.zeros(1)},
            },
            "x": UNIFORM.random((1, 2)),
        },
        expected=Property("each below the one before", lambda answers: all(np.diff(answers) < 0)),
        differentiates=True,
    ),
]
