"""Cases of training steps with losses, gradients or states that are not finite, and of complex gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import optimizers
from luxport.backend import dtype_name, namespace
from luxport.optimizers import Descent, Momentum
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, set_up
from luxport_conformance.cases.training_parts import Of, prefers_jit, start_training

DEEP = luxport.Chain(*[luxport.Dense(2, 2) for _ in range(11)])
DEEP_PS, _ = set_up(DEEP)
NORM = luxport.BatchNorm(2)
_, STATE = set_up(NORM)


def _train_at_infinite_slope(a: Any, x: Any) -> Any:
    """Take a step on sqrt(a x) at 0, where the loss is finite and the gradient is not."""
    xp = namespace(a)
    value, _, state = luxport.training.train_step(
        Of(lambda ps, x: xp.sum(xp.sqrt(ps["a"] * x))),
        x,
        start_training(Momentum(0.5), {"a": a}),
        jit=False,
        nonfinite="skip",
    )
    return {"value": value, "ps": state.ps["a"], "state": state.opt_state.leaves["a"].state}


def _train_states(x: Any, good: Any) -> Any:
    """Take two steps of a model with running statistics; the first loss is NaN."""
    xp = namespace(x)
    ps = {"scale": xp.ones_like(x[0, ...]), "bias": xp.zeros_like(x[0, ...])}
    st = {**STATE, "running_mean": xp.zeros_like(x[0, ...]), "running_var": xp.ones_like(x[0, ...])}
    state = start_training(Descent(0.5), ps, st)

    def objective(model: Any, ps: Any, st: Any, x: Any) -> Any:
        y, st = NORM(x, ps, st)
        return xp.sum(y * y), st, {}

    means = []
    for batch in (x, good):
        _, _, state = luxport.training.train_step(
            objective, batch, state, nonfinite="skip", jit=prefers_jit(x), donate=False
        )
        means.append(state.st["running_mean"])
    return tuple(means)


def _differentiate_complex(re: Any, im: Any) -> Any:
    """Return the gradient of ``sum |w|²``, a pullback of w², a nested gradient, and w after a step of descent."""
    xp = namespace(re)
    kind = xp.complex128 if dtype_name(re) == "float64" else xp.complex64
    w = xp.astype(re, kind) + 1j * xp.astype(im, kind)

    def compute_size(w: Any) -> Any:
        return xp.sum(xp.real(w * xp.conj(w)))

    slope = luxport.grad(compute_size)(w)
    pulled = luxport.vjp(lambda w: w * w, w)[1](1j * w)[0]
    nested = luxport.grad(lambda w: compute_size(luxport.grad(lambda w: xp.sum(xp.real(w * w * w)))(w)))(w)
    grads = luxport.grad(lambda ps: compute_size(ps["w"]))({"w": w})
    _, ps = optimizers.update(optimizers.setup(Descent(0.25), {"w": w}), {"w": w}, grads)
    return tuple([(xp.real(z), xp.imag(z)) for z in (slope, pulled, nested, ps["w"])])


def _expect_complex(re: Any, im: Any) -> Any:
    w = re + 1j * im
    # |grad Re w³|² is 9 |w|⁴, whose gradient is 36 |w|² w.
    found = (2 * w, 1j * w * np.conj(2 * w), 36 * np.abs(w) ** 2 * w, w / 2)
    return tuple([(z.real, z.imag) for z in found])


def _lay_out(x: Any) -> Any:
    """Return a flattened gradient, whose order must be that of the layers although JAX sorts the keys of dicts."""
    xp = namespace(x)
    ps = luxport.tree.map(lambda a: xp.zeros(a.shape, dtype=x.dtype) + x[0], DEEP_PS)

    def compute_loss(ps: Any) -> Any:
        weights = enumerate([ps[f"layer_{i}"][name] for i in range(1, 12) for name in ("weight", "bias")])
        return sum([(i + 1.0) * xp.sum(leaf) for i, leaf in weights], start=0.0 * x[0])

    return luxport.flatten(luxport.grad(compute_loss)(ps))[0]


CASES: list[Case] = [
    *[
        check_program(
            f"train.{id}",
            (source,),
            program,
            inputs,
            subject="train_step",
            expected=expected,
            differentiates=True,
            traces=False,  # a training step is compiled as a program of its own
        )
        for id, source, program, inputs, expected in (
            (
                "infinite_gradient",
                "a step by what is not finite would leave no number",
                _train_at_infinite_slope,
                {"a": np.array([0.0, 1.0]), "x": np.array([1.0, 4.0])},
                {"value": 2.0, "ps": np.array([0.0, 1.0]), "state": np.zeros(2)},
            ),
            (
                "states_of_a_skipped_batch",
                "Flux.BatchNorm: the running mean moves by a tenth of the way to that of the batch",
                _train_states,
                {"x": np.array([[1.0, 2.0], [np.nan, 3.0]]), "good": np.array([[1.0, 2.0], [3.0, 6.0]])},
                (np.zeros(2), np.array([0.2, 0.4])),
            ),
        )
    ],
    check_program(
        "gradients.of_complex_arrays",
        ("df/dre + i df/dim, by the formula of each",),
        _differentiate_complex,
        {"re": np.array([1.0, -0.5]), "im": np.array([2.0, 0.25])},
        subject="grad",
        expected=_expect_complex,
        differentiates=True,
    ),
    check_program(
        "flat.gradient_of_a_deep_chain",
        ("the coefficients of a linear loss, in the order of the model",),
        _lay_out,
        {"x": np.array([0.5])},
        subject="flatten",
        expected=np.concatenate([np.full(4 if i % 2 else 2, float(i)) for i in range(1, 23)]),
        differentiates=True,
    ),
]
