"""Formulas of optimizers as in Optimisers.jl (lines of its rules.jl), in NumPy's float64, each next to its rule."""

from __future__ import annotations

import numpy as np

from luxport import optimizers


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
    """Keep the two moments that most variants of Adam share; `direction` computes a step from them."""
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


def make_adam(direction, beta=(0.9, 0.999), epsilon=1e-8):
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
    "Adam": (optimizers.Adam(0.01), make_adam(_adam)),
    "AdamW": (optimizers.AdamW(0.01, lambda_=0.1), make_adam(_adam_w)),
    "AdamW uncoupled": (optimizers.AdamW(0.01, lambda_=0.1, couple=False), make_adam(_uncoupled_adam_w)),
    "RAdam": (optimizers.RAdam(0.01), make_adam(_radam)),
    "AdaMax": (optimizers.AdaMax(0.01), make_adam(_adamax)),
    "OAdam": (optimizers.OAdam(0.01), make_adam(_oadam, (0.5, 0.9))),
    "AMSGrad": (optimizers.AMSGrad(0.01), amsgrad),
    "NAdam": (optimizers.NAdam(0.01), make_adam(_nadam)),
    "AdaBelief": (optimizers.AdaBelief(0.01), make_adam(_adambelief, epsilon=1e-16)),
    "Lion": (optimizers.Lion(0.01, (0.9, 0.99)), lion),
    "Lion of Optimisers.jl": (optimizers.Lion(0.01, (0.9, 0.99), julia_compat=True), julian_lion),
}
