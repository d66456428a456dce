"""Batch norms of images by JAX, with channels last in a program on a CPU."""

from __future__ import annotations

from typing import Any

import jax
import jax.core

from luxport import ops
from luxport.ops._normalize import expect_several_values

__all__ = ["batch_norm"]

_definition = ops.definition_of(ops.batch_norm)


def batch_norm(
    x: Any,
    scale: Any = None,
    bias: Any = None,
    running_mean: Any = None,
    running_var: Any = None,
    *,
    training: bool,
    momentum: float = 0.1,
    epsilon: float | None = None,
) -> Any:
    """Normalize by the definition; images in a program on a CPU as rows of channels.

    XLA's convolutions have channels last there: what moves them cancels, and its sums go along memory. A step of
    ResNet-20 took .94 of its time, and its compilation .85; beside one convolution .88 to .96. A norm far from any
    convolution takes longer so, 1.2 to 2.6 of a little.
    """
    options = {"training": training, "momentum": momentum, "epsilon": epsilon}
    others = scale, bias, running_mean, running_var
    if x.ndim < 3 or 0 in x.shape or not isinstance(x, jax.core.Tracer) or jax.default_backend() != "cpu":
        return _definition(x, *others, **options)
    expect_several_values(x, (0, *range(2, x.ndim)), training, running_mean)  # whose error names this shape
    last = x.transpose(0, *range(2, x.ndim), 1)
    y, running_mean, running_var = _definition(last.reshape(-1, x.shape[1]), *others, **options)
    return y.reshape(last.shape).transpose(0, x.ndim - 1, *range(1, x.ndim - 1)), running_mean, running_var
