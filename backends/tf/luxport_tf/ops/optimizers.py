"""TensorFlow's overrides of optimizers' steps."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from luxport.ops import definition_of
from luxport.optimizers import _adam as adam
from luxport.optimizers import _clip as clip
from luxport.optimizers._root import take_root
from luxport.optimizers._rule_arithmetic import in_dtype_of

__all__ = ["adam_step", "adam_update", "finite_norm"]

_define_adam_step = definition_of(adam.adam_step)
_define_adam_update = definition_of(adam.adam_update)
_define_finite_norm = definition_of(clip.finite_norm)


def adam_update(*arrays: Any, decay: Any, in_place: bool, **numbers: Any) -> tuple[Any, ...]:
    """Compute Adam's step with few kernels, because each kernel in a graph has a fixed cost.

    Half types use the definition, whose order of operations keeps small gradients from underflowing.
    """
    n = len(arrays) // 4
    xs, dxs, ms, vs = arrays[:n], arrays[n : 2 * n], arrays[2 * n : 3 * n], arrays[3 * n :]
    if any([dx.dtype not in (tf.float32, tf.float64) for dx in dxs]):
        return _define_adam_update(*arrays, decay=decay, in_place=in_place, **numbers)
    by = _list_constants(dxs[0], **numbers)
    new_xs, new_ms, new_vs = [], [], []
    for x, dx, m, v in zip(xs, dxs, ms, vs, strict=True):
        m, v, step = _move_moments(dx, m, v, *by)
        new_xs.append(x - (step if decay is None else step + decay * x))
        new_ms.append(m)
        new_vs.append(v)
    return (*new_xs, *new_ms, *new_vs)


def adam_step(dx: Any, m: Any, v: Any, **numbers: Any) -> tuple[Any, Any, Any]:
    """Compute Adam's step with few kernels, as `adam_update` does."""
    if dx.dtype not in (tf.float32, tf.float64):
        return _define_adam_step(dx, m, v, **numbers)
    return _move_moments(dx, m, v, *_list_constants(dx, **numbers))


def _list_constants(dx: Any, *, powers: Any, eta: Any, beta: Any, epsilon: Any) -> tuple[Any, ...]:
    beta1, beta2 = in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])
    power1, power2 = in_dtype_of(dx, powers[0]), in_dtype_of(dx, powers[1])
    rate = in_dtype_of(dx, eta) / (1.0 - power1)
    return beta1, beta2, 1.0 - beta1, 1.0 - beta2, rate, 1.0 - power2, adam.round_epsilon(dx, epsilon)


def _move_moments(
    dx: Any, m: Any, v: Any, beta1: Any, beta2: Any, rest1: Any, rest2: Any, rate: Any, correction: Any, epsilon: Any
) -> tuple[Any, Any, Any]:
    m = beta1 * m + rest1 * dx
    v = beta2 * v + rest2 * tf.square(dx)
    return m, v, m * rate / (take_root(v / correction) + epsilon)


def finite_norm(size: Any, *, p: float, shape: tuple[Any, ...]) -> Any:
    """Raise an error if the norm is not finite; return it unchecked in graphs, where its value is unknown."""
    return _define_finite_norm(size, p=p, shape=shape) if tf.executing_eagerly() else size
