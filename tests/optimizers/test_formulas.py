"""Every rule against a transcription of its formula in double precision, on every backend, eager and compiled."""

from __future__ import annotations

import jax
import numpy as np
import optax
import pytest
import tensorflow as tf
import torch

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
# Signs that change and signs that stay; the last two are so alike that the centered variance nearly vanishes.
GRADIENTS = RNG.standard_normal((6, 3, 4)) * np.array([1, 1, 1, -1])
START = RNG.standard_normal((3, 4))


# The formulas as FEATURES of Optimisers.jl state them (rules.jl, by line), in NumPy's doubles.


def descent(x, eta=0.1):
    """rules.jl:36-47."""
    while True:
        dx = yield x
        x = x - eta * dx


def momentum(x, eta=0.1, rho=0.8):
    """rules.jl:72-77."""
    velocity = 0 * x
    while True:
        dx = yield x
        velocity = rho * velocity + eta * dx
        x = x - velocity


def nesterov(x, eta=0.01, rho=0.9):
    """rules.jl:105-112."""
    v = 0 * x
    while True:
        dx = yield x
        x, v = x - (-(rho**2) * v + (1 + rho) * eta * dx), rho * v - eta * dx


def rprop(x, eta=0.01, ell=(0.5, 1.2), gamma=(1e-6, 50.0)):
    """rules.jl:191-205."""
    last, size = 0 * x, eta + 0 * x
    while True:
        dx = yield x
        agree = last * dx
        size = np.where(agree > 0, np.minimum(size * ell[1], gamma[1]), size)
        size = np.where(agree < 0, np.maximum(size * ell[0], gamma[0]), size)
        last = np.where(agree < 0, 0, dx)
        x = x - size * np.sign(last)


def rmsprop(x, eta=0.01, rho=0.9, epsilon=1e-8, centered=False):
    """rules.jl:148-158."""
    q, l = 0 * x, 0 * x  # noqa: E741
    while True:
        dx = yield x
        q = rho * q + (1 - rho) * abs(dx) ** 2
        if centered:
            l = rho * l + (1 - rho) * dx  # noqa: E741
        x = x - eta * dx / (np.sqrt(q - abs(l) ** 2) + epsilon)


def adagrad(x, eta=0.1, epsilon=1e-8):
    """rules.jl:415-423."""
    total = epsilon + 0 * x
    while True:
        dx = yield x
        total = total + abs(dx) ** 2
        x = x - eta * dx / (np.sqrt(total) + epsilon)


def adadelta(x, rho=0.9, epsilon=1e-8):
    """rules.jl:446-456."""
    q = u = 0 * x
    while True:
        dx = yield x
        q = rho * q + (1 - rho) * abs(dx) ** 2
        step = dx * np.sqrt(u + epsilon) / np.sqrt(q + epsilon)
        u = rho * u + (1 - rho) * abs(step) ** 2
        x = x - step


def adam_family(direction, x, eta, beta, epsilon):
    """The moments that most variants share; `direction` makes a step of them."""
    m = v = 0 * x
    t = 0
    memory = {}
    while True:
        dx = yield x
        t += 1
        m = beta[0] * m + (1 - beta[0]) * dx
        v = beta[1] * v + (1 - beta[1]) * abs(dx) ** 2
        x = x - direction(x, dx, m, v, t, eta, beta, epsilon, memory)


def _adam(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:228-238."""
    return eta * m / (1 - beta[0] ** t) / (np.sqrt(v / (1 - beta[1] ** t)) + epsilon)


def _adam_w(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:547-564."""
    return _adam(x, dx, m, v, t, eta, beta, epsilon, memory) + eta * 0.1 * x


def _uncoupled_adam_w(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:547-564."""
    return _adam(x, dx, m, v, t, eta, beta, epsilon, memory) + 0.1 * x


def _radam(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:302-318."""
    longest = 2 / (1 - beta[1]) - 1
    r = longest - 2 * t * beta[1] ** t / (1 - beta[1] ** t)
    if r <= 4:
        return eta * m / (1 - beta[0] ** t)
    factor = np.sqrt((r - 4) * (r - 2) * longest / ((longest - 4) * (longest - 2) * r))
    return factor * _adam(x, dx, m, v, t, eta, beta, epsilon, memory)


def _adamax(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:343-352."""
    u = memory["u"] = np.maximum(beta[1] * memory.get("u", 0), abs(dx))
    return eta / (1 - beta[0] ** t) * m / (u + epsilon)


def _oadam(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:379-390."""
    last, memory["last"] = memory.get("last", 0), _adam(x, dx, m, v, t, eta, beta, epsilon, memory)
    return 2 * memory["last"] - last


def _nadam(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:519-529."""
    ahead = beta[0] * m / (1 - beta[0] ** (t + 1)) + (1 - beta[0]) * dx / (1 - beta[0] ** t)
    return eta * ahead / (np.sqrt(v * beta[1] / (1 - beta[1] ** t)) + epsilon)


def _adambelief(x, dx, m, v, t, eta, beta, epsilon, memory):
    """rules.jl:631-641."""
    s = memory["s"] = beta[1] * memory.get("s", 0) + (1 - beta[1]) * abs(dx - m) ** 2 + epsilon
    return eta * m / (1 - beta[0] ** t) / (np.sqrt(s / (1 - beta[1] ** t)) + epsilon)


def amsgrad(x, eta=0.01, beta=(0.9, 0.999), epsilon=1e-8):
    """rules.jl:477-492."""
    m = v = largest = epsilon + 0 * x
    while True:
        dx = yield x
        m = beta[0] * m + (1 - beta[0]) * dx
        v = beta[1] * v + (1 - beta[1]) * dx**2
        largest = np.maximum(largest, v)
        x = x - eta * m / (np.sqrt(largest) + epsilon)


def lion(x, eta=0.01, beta=(0.9, 0.99)):
    """X. Chen et al. (2023), algorithm 2, without weight decay."""
    m = 0 * x
    while True:
        dx = yield x
        x = x - eta * np.sign(beta[0] * m + (1 - beta[0]) * dx)
        m = beta[1] * m + (1 - beta[1]) * dx


def julian_lion(x, eta=0.01, beta=(0.9, 0.99)):
    """rules.jl:262-276."""
    m = 0 * x
    while True:
        dx = yield x
        m = beta[1] * dx + (1 - beta[1]) * m
        x = x - eta * np.sign((beta[1] - beta[0]) * dx + beta[0] * m)


def family(direction, beta=(0.9, 0.999), epsilon=1e-8):
    return lambda x: adam_family(direction, x, 0.01, beta, epsilon)


FORMULAS = {
    "Descent": (optimizers.Descent(0.1), descent),
    "Momentum": (optimizers.Momentum(0.1, 0.8), momentum),
    "Nesterov": (optimizers.Nesterov(0.01), nesterov),
    "Rprop": (optimizers.Rprop(0.01), rprop),
    "RMSProp": (optimizers.RMSProp(0.01), rmsprop),
    "RMSProp centered": (optimizers.RMSProp(0.01, centered=True), lambda x: rmsprop(x, centered=True)),
    "AdaGrad": (optimizers.AdaGrad(0.1), adagrad),
    "AdaDelta": (optimizers.AdaDelta(), adadelta),
    "Adam": (optimizers.Adam(0.01), family(_adam)),
    "AdamW": (optimizers.AdamW(0.01, lambda_=0.1), family(_adam_w)),
    "AdamW uncoupled": (optimizers.AdamW(0.01, lambda_=0.1, couple=False), family(_uncoupled_adam_w)),
    "RAdam": (optimizers.RAdam(0.01), family(_radam)),
    "AdaMax": (optimizers.AdaMax(0.01), family(_adamax)),
    "OAdam": (optimizers.OAdam(0.01), family(_oadam, (0.5, 0.9))),
    "AMSGrad": (optimizers.AMSGrad(0.01), amsgrad),
    "NAdam": (optimizers.NAdam(0.01), family(_nadam)),
    "AdaBelief": (optimizers.AdaBelief(0.01), family(_adambelief, epsilon=1e-16)),
    "Lion": (optimizers.Lion(0.01, (0.9, 0.99)), lion),
    "Lion of Optimisers.jl": (optimizers.Lion(0.01, (0.9, 0.99), julia_compat=True), julian_lion),
}
NO_COMPLEX = ("Rprop", "AdaMax", "AMSGrad")
NO_ORDER = ("Lion", "Lion of Optimisers.jl")  # the sign of a complex number is not in every framework


def transcribed(formula, x, dxs):
    steps = formula(x)
    next(steps)
    return [steps.send(dx) for dx in dxs][-1]


def arrays(backend, values, dtype):
    return luxport.tree.map(lambda leaf: get_backend(backend).asarray(np.asarray(leaf, dtype)), values)


def host(values):
    return luxport.tree.map(lambda leaf: luxport.backend.backend_of(leaf).to_numpy(leaf), values)


def everything(states, xs, dx):
    """Update all rules: one program to compile."""
    pairs = {name: optimizers.update(states[name], xs[name], dx) for name in xs}
    return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}


def after_all(backend, dtype, names, start, gradients, step=everything):
    xs = {name: arrays(backend, start, dtype) for name in names}
    states = {name: optimizers.setup(FORMULAS[name][0], xs[name]) for name in names}
    for dx in gradients:
        states, xs = step(states, xs, arrays(backend, dx, dtype))
    return states, xs


def assert_as_transcribed(xs, start, gradients, rtol, atol):
    for name, x in host(xs).items():
        expected = transcribed(FORMULAS[name][1], start, gradients)
        np.testing.assert_allclose(x, expected, rtol=rtol, atol=atol, err_msg=name)


# Six steps of single precision, in which the correction 1 - 0.999 of the first alone has lost four digits.
@pytest.mark.parametrize(
    ("backend", "compiled"), [(backend, False) for backend in BACKENDS] + [(backend, True) for backend in COMPILERS]
)
def test_single_precision(backend, compiled):
    step = COMPILERS[backend](everything) if compiled else everything
    start = START.astype(np.float32).astype(np.float64)
    gradients = GRADIENTS.astype(np.float32).astype(np.float64)
    _, xs = after_all(backend, "float32", FORMULAS, start, gradients, step)
    assert_as_transcribed(xs, start, gradients, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("backend", [backend for backend in BACKENDS if backend != "jax"])
def test_double_precision(backend):
    _, xs = after_all(backend, "float64", FORMULAS, START, GRADIENTS)
    assert_as_transcribed(xs, START, GRADIENTS, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_half_precision(backend):
    """Parameters stay in half precision, the states are single, and all is near the formula."""
    states, xs = after_all(backend, "float16", FORMULAS, START, GRADIENTS)
    for name, state in host(states).items():
        for array in luxport.tree.leaves(state):
            assert array.dtype.name in ("float32", "int32"), name
    near = {name: x for name, x in xs.items() if name not in NO_ORDER}
    # Start and gradients are rounded, and the result.
    assert_as_transcribed(near, START, GRADIENTS, rtol=4 * 2.0**-11, atol=4 * 2.0**-11)
    for name, x in host(xs).items():
        assert x.dtype.name == "float16" and np.isfinite(x).all(), name


@pytest.mark.parametrize("backend", BACKENDS)
def test_complex_numbers(backend):
    names = [name for name in FORMULAS if name not in (*NO_COMPLEX, *NO_ORDER)]
    start, gradients = START + 1j * START[::-1], GRADIENTS + 0.5j * GRADIENTS[::-1]
    _, xs = after_all(backend, "complex64", names, start, gradients)
    assert_as_transcribed(xs, start, gradients, rtol=2e-5, atol=5e-6)


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


def test_radam_at_the_threshold():
    """At beta2 = 0.999 the fourth r is 3.9975: plain steps up to the fourth, in single precision, too."""
    for dtype in (np.float32, np.float64):
        x = np.zeros(1, dtype)
        state = optimizers.setup(optimizers.RAdam(1.0), x)
        steps = []
        for _ in range(6):
            state, new = optimizers.update(state, x, np.full(1, 2.0, dtype))
            steps.append(float(x[0] - new[0]))
        # The mean of equal gradients is the gradient, and the root of the mean square is, too.
        np.testing.assert_allclose(steps[:4], 2.0, rtol=1e-5)
        assert 0 < steps[4] < steps[5] < 0.1


def test_centered_rmsprop_of_a_constant_gradient_is_finite():
    """The variance is 0, and rounding takes it below: upstream raises a DomainError there, torch gives NaN."""
    x = np.zeros(100, np.float32)
    state = optimizers.setup(optimizers.RMSProp(centered=True), x)
    dx = np.linspace(0.1, 1.0, 100, dtype=np.float32)
    for _ in range(300):
        state, x = optimizers.update(state, x, dx)
    assert np.isfinite(x).all()


# Where PyTorch's and Optax's formulas are the same. PyTorch's Momentum and Nesterov, RAdam (from r > 5), NAdam (its
# momentum has a schedule) and AdaMax (epsilon in the maximum) are not; nor are Optax's RMSProp and AdaGrad (epsilon
# under the root), AMSGrad (with bias corrections), NAdam and AdaBelief (epsilon under a root).
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
def test_agrees_with_torch(name):
    _, ours = after_all("numpy", "float64", [name], START, GRADIENTS)
    weight = torch.nn.Parameter(torch.from_numpy(START.copy()))
    theirs = TORCH[name](weight)
    for dx in GRADIENTS:
        weight.grad = torch.from_numpy(dx.copy())
        theirs.step()
    np.testing.assert_allclose(ours[name], weight.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", OPTAX)
def test_agrees_with_optax(name):
    """Optax runs in single precision here."""
    _, ours = after_all("numpy", "float32", [name], START, GRADIENTS)
    x, transform = jax.numpy.asarray(START, "float32"), OPTAX[name]
    state = transform.init(x)
    for dx in GRADIENTS:
        updates, state = transform.update(jax.numpy.asarray(dx, "float32"), state, x)
        x = optax.apply_updates(x, updates)
    np.testing.assert_allclose(ours[name], np.asarray(x), rtol=1e-4, atol=1e-5)


def test_a_scheduler_counts_on_every_backend():
    """Descent with etas 0.4, 0.2, 0.1, … of gradients 1: ParameterSchedulers' runtests.jl has the same rule."""
    rule = optimizers.Scheduler(optimizers.Descent(), eta=schedules.Exp(start=0.4, decay=0.5))
    for backend in BACKENDS:
        x = arrays(backend, np.zeros(2), "float32")
        state = optimizers.setup(rule, x)
        for _ in range(3):
            state, x = optimizers.update(state, x, arrays(backend, np.ones(2), "float32"))
        np.testing.assert_allclose(host(x), -0.7, rtol=1e-6)
