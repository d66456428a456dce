"""Every rule compared with its formula in float64, on every backend, eager and compiled."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
import tensorflow as tf
import torch
from formulas import FORMULAS

import luxport
from luxport import optimizers, schedules
from luxport.backend import get_backend

BACKENDS = ("numpy", "strict", "jax", "torch", "tf")
COMPILERS = {
    "jax": jax.jit,
    "torch": lambda f: torch.compile(f, fullgraph=True, backend="eager"),
    "tf": lambda f: tf.function(f, autograph=False),
}
RNG = np.random.default_rng(0)
# Random gradients, whose signs change between steps.
GRADIENTS = RNG.standard_normal((6, 3, 4)) * np.array([1, 1, 1, -1])
START = RNG.standard_normal((3, 4))


NO_COMPLEX = ("Rprop", "AdaMax", "AMSGrad")
NO_ORDER = ("Lion", "Lion of Optimisers.jl")  # not every framework has the sign of a complex number


def compute_by_formula(formula, x, dxs):
    steps = formula(x)
    next(steps)
    return [steps.send(dx) for dx in dxs][-1]


def make_arrays(backend, values, dtype):
    return luxport.tree.map(lambda leaf: get_backend(backend).asarray(np.asarray(leaf, dtype)), values)


def host(values):
    return luxport.tree.map(lambda leaf: luxport.backend.backend_of(leaf).to_numpy(leaf), values)


def update_all(states, xs, dx):
    """Update all rules in one program, so that only one is compiled."""
    pairs = {name: optimizers.update(states[name], xs[name], dx) for name in xs}
    return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}


def take_steps(backend, dtype, names, start, gradients, step=update_all):
    xs = {name: make_arrays(backend, start, dtype) for name in names}
    states = {name: optimizers.setup(FORMULAS[name][0], xs[name]) for name in names}
    for dx in gradients:
        states, xs = step(states, xs, make_arrays(backend, dx, dtype))
    return states, xs


def assert_equal_to_formulas(xs, start, gradients, rtol, atol):
    for name, x in host(xs).items():
        expected = compute_by_formula(FORMULAS[name][1], start, gradients)
        np.testing.assert_allclose(x, expected, rtol=rtol, atol=atol, err_msg=name)


# Six steps in single precision; in the first one the correction 1 - 0.999 alone loses four digits.
@pytest.mark.parametrize(
    ("backend", "compiled"), [(backend, False) for backend in BACKENDS] + [(backend, True) for backend in COMPILERS]
)
def test_rules_equal_their_formulas_in_single_precision(backend, compiled):
    step = COMPILERS[backend](update_all) if compiled else update_all
    start = START.astype(np.float32).astype(np.float64)
    gradients = GRADIENTS.astype(np.float32).astype(np.float64)
    _, xs = take_steps(backend, "float32", FORMULAS, start, gradients, step)
    assert_equal_to_formulas(xs, start, gradients, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend != "jax"])
def test_rules_equal_their_formulas_in_double_precision(backend):
    _, xs = take_steps(backend, "float64", FORMULAS, START, GRADIENTS)
    assert_equal_to_formulas(xs, START, GRADIENTS, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_half_precision_keeps_single_states(backend):
    """Parameters stay in half precision, states are single, and results are close to the formula."""
    states, xs = take_steps(backend, "float16", FORMULAS, START, GRADIENTS)
    for name, state in host(states).items():
        for array in luxport.tree.leaves(state):
            assert array.dtype.name in ("float32", "int32"), name
    near = {name: x for name, x in xs.items() if name not in NO_ORDER}
    # The start, the gradients and the result are rounded.
    assert_equal_to_formulas(near, START, GRADIENTS, rtol=4 * 2.0**-11, atol=4 * 2.0**-11)
    for name, x in host(xs).items():
        assert x.dtype.name == "float16" and np.isfinite(x).all(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_rules_equal_their_formulas_for_complex_numbers(backend):
    names = [name for name in FORMULAS if name not in (*NO_COMPLEX, *NO_ORDER)]
    start, gradients = START + 1j * START[::-1], GRADIENTS + 0.5j * GRADIENTS[::-1]
    _, xs = take_steps(backend, "complex64", names, start, gradients)
    assert_equal_to_formulas(xs, start, gradients, rtol=2e-5, atol=5e-6)


@pytest.mark.parametrize("name", [*NO_COMPLEX, "ClipGrad"])
def test_rules_that_need_an_order_refuse_complex_numbers(name):
    rule = FORMULAS[name][0] if name in FORMULAS else optimizers.ClipGrad()
    with pytest.raises(ValueError, match=f"^{name} expects real parameters, got complex64$"):
        optimizers.setup(rule, np.ones(1, np.complex64))


@pytest.mark.parametrize("name", [name for name in FORMULAS if name != "AdaDelta"])
def test_negative_learning_rates_are_refused(name):
    kind = type(FORMULAS[name][0])
    with pytest.raises(ValueError, match=f"{kind.__name__} expects eta as a learning rate of at least 0, got -1"):
        kind(-1.0)


def test_radam_takes_plain_steps_up_to_its_threshold():
    """At beta2 = 0.999 the fourth r is 3.9975, so steps up to the fourth are plain, in single precision, too."""
    for dtype in (np.float32, np.float64):
        x = np.zeros(1, dtype)
        state = optimizers.setup(optimizers.RAdam(1.0), x)
        steps = []
        for _ in range(6):
            state, new = optimizers.update(state, x, np.full(1, 2.0, dtype))
            steps.append(float(x[0] - new[0]))
        # The bias-corrected mean of equal gradients is the gradient, and so is the root of the mean square.
        np.testing.assert_allclose(steps[:4], 2.0, rtol=1e-5)
        assert 0 < steps[4] < steps[5] < 0.1


def test_centered_rmsprop_of_a_constant_gradient_is_finite():
    """The variance is 0, and rounding makes it negative: upstream raises a DomainError, and PyTorch gives NaN."""
    x = np.zeros(100, np.float32)
    state = optimizers.setup(optimizers.RMSProp(centered=True), x)
    dx = np.linspace(0.1, 1.0, 100, dtype=np.float32)
    for _ in range(300):
        state, x = optimizers.update(state, x, dx)
    assert np.isfinite(x).all()


# Rules whose formulas PyTorch and Optax share. Different are PyTorch's Momentum and Nesterov, RAdam (from r > 5), NAdam
# (its momentum has a schedule) and AdaMax (epsilon inside the maximum), and Optax's RMSProp and AdaGrad (epsilon under
# the root), AMSGrad (bias corrections), NAdam and AdaBelief (epsilon under a root).
TORCH = {
    "RMSProp": lambda w: torch.optim.RMSprop([w], lr=0.01, alpha=0.9),
    "RMSProp centered": lambda w: torch.optim.RMSprop([w], lr=0.01, alpha=0.9, centered=True),
    "AdaGrad": lambda w: torch.optim.Adagrad([w], lr=0.1, initial_accumulator_value=1e-8, eps=1e-8),
    "AdaDelta": lambda w: torch.optim.Adadelta([w], lr=1.0, rho=0.9, eps=1e-8),
    "Rprop": lambda w: torch.optim.Rprop([w], lr=0.01, etas=(0.5, 1.2), step_sizes=(1e-6, 50.0)),
    "Adam": lambda w: torch.optim.Adam([w], lr=0.01),
    "AdamW": lambda w: torch.optim.AdamW([w], lr=0.01, weight_decay=0.1),
    "Descent": lambda w: torch.optim.SGD([w], lr=0.1),
}
OPTAX = {
    "RAdam": optax.radam(0.01, threshold=4.0),
    "Lion": optax.lion(0.01, 0.9, 0.99, weight_decay=0.0),
    "AdaMax": optax.adamax(0.01),
    "AdaDelta": optax.adadelta(1.0, rho=0.9, eps=1e-8),
    "Adam": optax.adam(0.01),
    "AdamW": optax.adamw(0.01, weight_decay=0.1),
    "Descent": optax.sgd(0.1),
}


@pytest.mark.parametrize("name", TORCH)
def test_rules_equal_pytorchs(name):
    _, ours = take_steps("numpy", "float64", [name], START, GRADIENTS)
    weight = torch.nn.Parameter(torch.from_numpy(START.copy()))
    theirs = TORCH[name](weight)
    for dx in GRADIENTS:
        weight.grad = torch.from_numpy(dx.copy())
        theirs.step()
    np.testing.assert_allclose(ours[name], weight.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPTAX)
def test_rules_equal_optaxs(name):
    """Optax runs in single precision here."""
    _, ours = take_steps("numpy", "float32", [name], START, GRADIENTS)
    x, transform = jax.numpy.asarray(START, "float32"), OPTAX[name]
    state = transform.init(x)
    for dx in GRADIENTS:
        updates, state = transform.update(jax.numpy.asarray(dx, "float32"), state, x)
        x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(ours[name], np.asarray(x), rtol=1e-4, atol=1e-5)


def test_a_scheduler_counts_on_every_backend():
    """Descent with etas 0.4, 0.2, 0.1, … and gradients of 1, the rule of ParameterSchedulers' runtests.jl."""
    rule = optimizers.Scheduler(optimizers.Descent(), eta=schedules.Exp(start=0.4, decay=0.5))
    for backend in BACKENDS:
        x = make_arrays(backend, np.zeros(2), "float32")
        state = optimizers.setup(rule, x)
        for _ in range(3):
            state, x = optimizers.update(state, x, make_arrays(backend, np.ones(2), "float32"))
        np.testing.assert_allclose(host(x), -0.7, rtol=1e-6)
