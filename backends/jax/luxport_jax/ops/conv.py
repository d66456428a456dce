"""JAX's overrides of convolutions."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
from jax import lax

from luxport import ops
from luxport.backend.dtypes import add_parameter
from luxport.ops.windows import Pairs, Sizes, find_transposed_padding
from luxport_jax.ops.grouped_conv import correlate

__all__ = ["conv_nd", "conv_transpose_nd"]

_definition = ops.definition_of(ops.conv_nd)
_transpose_definition = ops.definition_of(ops.conv_transpose_nd)


def conv_nd(
    x: Any, weight: Any, bias: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int, flip: bool
) -> Any:
    """Call XLA's correlation, with the kernel flipped if need be, or compute one matrix product."""
    if x.dtype != weight.dtype:
        return _definition(
            *(x, weight, bias), stride=stride, padding=padding, dilation=dilation, groups=groups, flip=flip
        )
    if flip:
        weight = lax.rev(weight, tuple(range(2, weight.ndim)))
    if groups == 1 and stride == dilation == (1, 1) and _is_product(x, weight, padding):
        y = _convolve_by_product(x, weight, padding)
    else:
        windows = {"stride": stride, "around": padding, "between": (1,) * len(stride), "dilation": dilation}
        y = correlate(x, weight, **windows, groups=groups)
    return y if bias is None else add_parameter(jnp, y, bias.reshape(-1, *[1] * len(stride)))


def _is_product(x: Any, weight: Any, padding: Pairs) -> bool:
    """Return whether a matrix product is faster: with one input channel, in a program on a CPU.

    Measured with gradients, for 6 to 32 kernels of 9 to 49 weights, XLA's convolution takes twice as long. The copies
    of windows must fit into the cache. A training step of LeNet takes 0.78 of its time by this; if its second
    convolution, of 6 channels, is a product, too, it takes 1.3.
    """
    out, channels, *kernel = weight.shape
    if not isinstance(x, jax.core.Tracer) and not isinstance(weight, jax.core.Tracer):
        return False
    if not all([isinstance(n, int) for n in x.shape]):  # symbolic sizes of `jax.export`
        return False
    if jax.default_backend() != "cpu" or channels > 1 or out > 32 or x.dtype not in (jnp.float32, jnp.float64):
        return False
    weights = math.prod(kernel)
    sizes = [n + sum(pair) - k + 1 for n, k, pair in zip(x.shape[2:], kernel, padding, strict=True)]
    return weights <= 49 and min(x.shape[0], *sizes) > 0 and weights * x.shape[0] * math.prod(sizes) <= 1 << 20


@partial(jax.jit, static_argnums=2)
def _convolve_by_product(x: Any, weight: Any, padding: Pairs) -> Any:
    """Copy all windows side by side, and multiply them by the kernels."""
    out, channels, rows, columns = weight.shape
    x = lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *[(low, high, 0) for low, high in padding]])
    # Without the barrier, XLA would compute x again for each window.
    x = lax.optimization_barrier(x.swapaxes(0, 1))
    height, width = x.shape[2] - rows + 1, x.shape[3] - columns + 1
    windows = [x[:, :, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
    weight = weight.reshape(out, channels, rows * columns)
    return jnp.tensordot(weight, jnp.stack(windows, 1), 2).swapaxes(0, 1)


def conv_transpose_nd(x: Any, weight: Any, bias: Any, *, groups: int, flip: bool, **windows: Any) -> Any:
    """Call XLA's correlation on x with zeros between its entries."""
    if x.dtype != weight.dtype:
        return _transpose_definition(x, weight, bias, groups=groups, flip=flip, **windows)
    dilation = windows["dilation"]
    channels, part, *kernel = weight.shape
    weight = weight.reshape(groups, channels // groups, part, *kernel).swapaxes(1, 2)
    weight = weight.reshape(groups * part, channels // groups, *kernel)
    if not flip:
        weight = lax.rev(weight, tuple(range(2, weight.ndim)))
    cut = find_transposed_padding(windows["padding"], windows["output_padding"])
    edges = zip(kernel, dilation, cut, strict=True)
    around = tuple([(d * (k - 1) + low, d * (k - 1) + high) for k, d, (low, high) in edges])
    between, stride = windows["stride"], (1,) * len(kernel)
    y = correlate(x, weight, stride=stride, around=around, between=between, dilation=dilation, groups=groups)
    return y if bias is None else add_parameter(jnp, y, bias.reshape(-1, *[1] * len(kernel)))
