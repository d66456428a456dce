"""The training steps as one writes them in JAX: dicts of arrays, one jitted function, Adam over `jax.tree.map`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

import luxport
from benchmarks.models import CASES, name_by_case

__all__ = ["COMPILED", "FORWARDS", "wait_for", "make_step"]

COMPILED = True


def wait_for(values: Any) -> None:
    """Wait for the first array: those of one program are ready together."""
    jax.block_until_ready(values[0])


def dense(x: Any, p: Any) -> Any:
    return x @ p["weight"] + p["bias"]


def batch_norm(x: Any, p: Any, s: Any) -> Any:
    axes = (0, *range(2, x.ndim))
    mean, var = jnp.mean(x, axes), jnp.var(x, axes)
    n = x.size // x.shape[1]
    new = {
        "running_mean": 0.9 * s["running_mean"] + 0.1 * jax.lax.stop_gradient(mean),
        "running_var": 0.9 * s["running_var"] + 0.1 * jax.lax.stop_gradient(var) * (n / (n - 1)),
    }
    mean, var, scale, bias = (v.reshape(-1, *[1] * (x.ndim - 2)) for v in (mean, var, p["scale"], p["bias"]))
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * scale + bias, new


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


def convolve(x: Any, weight: Any, stride: int = 1, pad: int = 0) -> Any:
    names = ("NCHW", "OIHW", "NCHW")
    return jax.lax.conv_general_dilated(x, weight, (stride,) * 2, [(pad, pad)] * 2, dimension_numbers=names)


def pool(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def lenet(ps: Any, st: Any, x: Any) -> Any:
    for name in ("layer_1", "layer_3"):
        x = convolve(x, ps[name]["weight"]) + ps[name]["bias"][:, None, None]
        x = pool(jax.nn.relu(x))
    x = x.reshape(x.shape[0], -1)
    for name in ("layer_6", "layer_7"):
        x = jax.nn.relu(dense(x, ps[name]))
    return dense(x, ps["layer_8"]), st


def resnet_block(ps: Any, st: Any, x: Any) -> Any:
    ps, st, stride, shortcut = ps["layer_1"], st["layer_1"], 1, x
    if "shortcut" in ps:
        stride, shortcut = 2, convolve(x, ps["shortcut"]["weight"], 2)
        ps, st = ps["body"], st["body"]
    x, s2 = batch_norm(convolve(x, ps["layer_1"]["weight"], stride, 1), ps["layer_2"], st["layer_2"])
    x, s4 = batch_norm(convolve(jax.nn.relu(x), ps["layer_3"]["weight"], 1, 1), ps["layer_4"], st["layer_4"])
    new = {"layer_2": s2, "layer_4": s4}
    return jax.nn.relu(x + shortcut), {"layer_1": {"body": new} if stride == 2 else new}


def resnet(ps: Any, st: Any, x: Any) -> Any:
    new = {}
    x, new["layer_2"] = batch_norm(convolve(x, ps["layer_1"]["weight"], 1, 1), ps["layer_2"], st["layer_2"])
    x = jax.nn.relu(x)
    for i in range(3, 12):
        x, new[f"layer_{i}"] = resnet_block(ps[f"layer_{i}"], st[f"layer_{i}"], x)
    return dense(jnp.mean(x, (2, 3)), ps["layer_14"]), new


def lstm(ps: Any, st: Any, x: Any) -> Any:
    p = ps["layer_1"]
    inputs = x.swapaxes(0, 1) @ p["weight_ih"] + p["bias_ih"]
    zeros = jnp.zeros((x.shape[0], p["weight_hh"].shape[0]))

    def step(carry: Any, projected: Any) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(projected + h @ p["weight_hh"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    (h, _), _ = jax.lax.scan(step, (zeros, zeros), inputs)
    return dense(h, ps["layer_2"]), st


def layer_norm(x: Any, p: Any) -> Any:
    mean, var = jnp.mean(x, -1, keepdims=True), jnp.var(x, -1, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(var + 1e-5) * p["scale"] + p["bias"]


def transformer(ps: Any, st: Any, x: Any) -> Any:
    for i in range(1, len(ps) + 1):
        first, second = ps[f"layer_{i}"]["layer_1"], ps[f"layer_{i}"]["layer_2"]
        y, attention = layer_norm(x, first["layer_1"]), first["layer_2"]
        q, k, v = ((y @ attention[f"{n}_proj"]["weight"]).reshape(*y.shape[:2], 4, 16) for n in "qkv")
        weights = jax.nn.softmax(jnp.einsum("nqhd,nkhd->nhqk", q, k) / 4.0)
        y = jnp.einsum("nhqk,nkhd->nqhd", weights, v).reshape(y.shape)
        x = x + y @ attention["out_proj"]["weight"]
        y = jax.nn.gelu(dense(layer_norm(x, second["layer_1"]), second["layer_2"]))
        x = x + dense(y, second["layer_3"])
    return x, st


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


FORWARDS = name_by_case(mlp, quick_start, lenet, resnet, lstm, transformer, deep)


def keep_arrays(st: Any) -> Any:
    """Keep the arrays of a state, and drop dicts without any."""
    inner = {name: keep_arrays(s) if isinstance(s, dict) else s for name, s in st.items() if name != "training"}
    return {name: s for name, s in inner.items() if not isinstance(s, dict) or s}


def flip_kernel(leaf: Any) -> Any:
    """Flip a kernel: luxport's convolutions flip theirs, correlations by hand do not."""
    return jnp.flip(leaf, tuple(range(2, leaf.ndim)))


_DONATING = partial(jax.jit, donate_argnums=(0, 1, 2))


def make_step(
    case: str,
    mean: Callable[[Any], Any] = lambda values: values,
    compiled: Callable[[Any], Any] = _DONATING,
) -> Callable[[], Any]:
    """Return a function that takes one step and waits for it; several processes take a mean, and compile otherwise."""
    model, objective, x, target = CASES[case]
    forward = FORWARDS[case[:2]]
    loss = mean_squared_error if isinstance(objective, luxport.losses.MSELoss) else cross_entropy
    ps, st = luxport.setup(0, model, backend="jax")
    ps = jax.tree.map(flip_kernel, ps)
    st = keep_arrays(st)
    zeros, more = jax.tree.map(jnp.zeros_like, (ps, ps))
    opt = {"t": jnp.zeros((), jnp.float32), "m": zeros, "v": more}
    x, target = jnp.asarray(x), jnp.asarray(target)

    @compiled
    def program(opt: Any, ps: Any, st: Any, x: Any, target: Any) -> Any:
        def objective(ps: Any) -> Any:
            y, new_st = forward(ps, st, x)
            return loss(y, target), new_st

        (value, new_st), grads = mean(jax.value_and_grad(objective, has_aux=True)(ps))
        ps, new_opt = adam(ps, grads, opt)
        return value, new_opt, ps, new_st

    carried = [opt, ps, st]

    def take_step() -> Any:
        value, *carried[:] = program(*carried, x, target)
        wait_for((value, carried))
        return value

    return take_step
