"""The training steps as one writes them in JAX: dicts of arrays, one jitted function, Adam over `jax.tree.map`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import luxport
from benchmarks.models import CASES

__all__ = ["COMPILED", "FORWARDS", "ready", "step"]

COMPILED = True


def ready(values: Any) -> None:
    """Wait for the first array: those of one program are ready together."""
    jax.block_until_ready(values[0])


def dense(x: Any, p: Any) -> Any:
    return x @ p["weight"] + p["bias"]


def batch_norm(x: Any, p: Any, s: Any) -> Any:
    mean, var = jnp.mean(x, axis=0), jnp.var(x, axis=0)
    n = x.shape[0]
    new = {
        "running_mean": 0.9 * s["running_mean"] + 0.1 * jax.lax.stop_gradient(mean),
        "running_var": 0.9 * s["running_var"] + 0.1 * jax.lax.stop_gradient(var) * (n / (n - 1)),
    }
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"], new


def quick_start(ps: Any, st: Any, x: Any) -> Any:
    x, s1 = batch_norm(x, ps["layer_1"], st["layer_1"])
    x = jnp.tanh(dense(x, ps["layer_2"]))
    x, s3 = batch_norm(x, ps["layer_3"], st["layer_3"])
    x = jnp.tanh(dense(x, ps["layer_4"]["layer_1"]))
    return dense(x, ps["layer_4"]["layer_2"]), {"layer_1": s1, "layer_3": s3}


def mlp(ps: Any, st: Any, x: Any) -> Any:
    *hidden, last = ps.values()
    for p in hidden:
        x = jax.nn.relu(dense(x, p))
    return dense(x, last), st


def deep(ps: Any, st: Any, x: Any) -> Any:
    for i in range(1, len(ps) + 1):  # JAX sorts the keys of dicts as words
        x = jax.nn.relu(dense(x, ps[f"layer_{i}"]))
    return x, st


def convolved(x: Any, p: Any) -> Any:
    y = jax.lax.conv_general_dilated(x, p["weight"], (1, 1), "VALID", dimension_numbers=("NCHW", "OIHW", "NCHW"))
    return y + p["bias"][:, None, None]


def pooled(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def lenet(ps: Any, st: Any, x: Any) -> Any:
    for name in ("layer_1", "layer_3"):
        x = pooled(jax.nn.relu(convolved(x, ps[name])))
    x = x.reshape(x.shape[0], -1)
    for name in ("layer_6", "layer_7"):
        x = jax.nn.relu(dense(x, ps[name]))
    return dense(x, ps["layer_8"]), st


def mean_squared_error(y: Any, target: Any) -> Any:
    return jnp.mean((y - target) ** 2)


def cross_entropy(y: Any, target: Any) -> Any:
    return -jnp.mean(jnp.sum(target * jax.nn.log_softmax(y), axis=-1))


def adam(ps: Any, grads: Any, opt: Any) -> Any:
    t = opt["t"] + 1
    m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, opt["m"], grads)
    v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, opt["v"], grads)
    c1, c2 = 1 - 0.9**t, 1 - 0.999**t
    ps = jax.tree.map(lambda p, m, v: p - 0.0001 * (m / c1) / (jnp.sqrt(v / c2) + 1e-8), ps, m, v)
    return ps, {"t": t, "m": m, "v": v}


FORWARDS = {"W1": mlp, "W2": mlp, "W3": quick_start, "W4": lenet, "W8": deep}


def flipped(leaf: Any) -> Any:
    """Our convolutions flip their kernels, a correlation by hand has them flipped already."""
    return jnp.flip(leaf, tuple(range(2, leaf.ndim)))


def step(case: str) -> Callable[[], Any]:
    """Return a function that takes one step and waits for it."""
    model, objective, x, target = CASES[case]
    forward = FORWARDS[case[:2]]
    loss = mean_squared_error if isinstance(objective, luxport.losses.MSELoss) else cross_entropy
    ps, st = luxport.setup(0, model, backend="jax")
    ps = jax.tree.map(flipped, ps)
    st = {name: {k: v for k, v in s.items() if k != "training"} for name, s in st.items() if "running_mean" in s}
    zeros, more = jax.tree.map(jnp.zeros_like, (ps, ps))
    opt = {"t": jnp.zeros((), jnp.float32), "m": zeros, "v": more}
    x, target = jnp.asarray(x), jnp.asarray(target)

    @partial(jax.jit, donate_argnums=(0, 1, 2))
    def program(opt: Any, ps: Any, st: Any, x: Any, target: Any) -> Any:
        def objective(ps: Any) -> Any:
            y, new_st = forward(ps, st, x)
            return loss(y, target), new_st

        (value, new_st), grads = jax.value_and_grad(objective, has_aux=True)(ps)
        ps, new_opt = adam(ps, grads, opt)
        return value, new_opt, ps, new_st

    carried = [opt, ps, st]

    def once() -> Any:
        value, *carried[:] = program(*carried, x, target)
        ready((value, carried))
        return value

    return once
