"""XLA's grouped correlation, with a hand-written gradient of the weight.

XLA's own gradient is wrong on a mesh of several axes: for an array sharded over one axis and replicated along another,
it sums over the copies, too. And on a CPU, with two or more channels in a group, it takes seconds where matrix products
take hundredths of a second.
"""

from __future__ import annotations

import itertools
import math
from functools import partial
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
from jax import lax

from luxport.ops.windows import Pairs, Sizes

__all__ = ["correlate"]

_MOST_PRODUCTS = 64
"""For kernels of up to so many elements, there is a product for each; for others, a convolution for each group."""


def correlate(
    x: Any, weight: Any, *, stride: Sizes, around: Pairs, between: Sizes, dilation: Sizes, groups: int
) -> Any:
    """Correlate x, with zeros around and between its entries, with kernels (out, C / groups, *kernel)."""
    how = (stride, around, between, dilation, groups)
    if groups == 1 or not _is_traced(x, weight) or not _is_better_by_products(weight):
        return _call_native(x, weight, *how)
    if not all([isinstance(n, int) for n in x.shape[2:]]):  # symbolic sizes of `jax.export`
        return _call_native(x, weight, *how)
    return _correlate(x, weight, *how)


def _is_traced(*arrays: Any) -> bool:
    return any([isinstance(array, jax.core.Tracer) for array in arrays])


def _is_better_by_products(weight: Any) -> bool:
    """Return whether XLA's own gradient is slow, or may be wrong, as on several devices of an unknown mesh."""
    if jax.default_backend() == "cpu" and weight.shape[1] > 1:
        return True
    mesh = jax.sharding.get_abstract_mesh()
    return jax.device_count() > 1 if mesh.empty else sum(size > 1 for size in mesh.axis_sizes) > 1


@partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5, 6))
def _correlate(x: Any, weight: Any, *how: Any) -> Any:
    return _call_native(x, weight, *how)


@_correlate.defjvp
def _take_slope(*given: Any) -> tuple[Any, Any]:
    *how, (x, weight), (of_x, of_weight) = given
    return _correlate(x, weight, *how), _call_native(of_x, weight, *how) + _add_products(x, of_weight, *how)


def _call_native(
    x: Any, weight: Any, stride: Sizes, around: Pairs, between: Sizes, dilation: Sizes, groups: int
) -> Any:
    return lax.conv_general_dilated(
        *(x, weight, stride, around), lhs_dilation=between, rhs_dilation=dilation, feature_group_count=groups
    )


@partial(jax.jit, static_argnums=(2, 3, 4, 5, 6))
def _add_products(
    x: Any, weight: Any, stride: Sizes, around: Pairs, between: Sizes, dilation: Sizes, groups: int
) -> Any:
    """Correlate by a sum of products, one for each element of the kernel."""
    out, channels, *kernel = weight.shape
    if math.prod(kernel) > _MOST_PRODUCTS:
        pairs = zip(jnp.split(x, groups, 1), jnp.split(weight, groups), strict=True)
        return jnp.concatenate([_call_native(*pair, stride, around, between, dilation, 1) for pair in pairs], 1)
    wide, dtype = jnp.promote_types(x.dtype, jnp.float32), x.dtype
    edges = [(low, high, zeros - 1) for (low, high), zeros in zip(around, between, strict=True)]
    x = lax.pad(x, jnp.zeros((), dtype), [(0, 0, 0), (0, 0, 0), *edges])
    x = x.reshape(-1, groups, channels, *x.shape[2:])
    weight = weight.reshape(groups, out // groups, channels, *kernel).astype(wide)
    spans = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    lasts = [(n - span - 1) // s * s for n, span, s in zip(x.shape[3:], spans, stride, strict=True)]
    y: Any = 0
    for place in itertools.product(*map(range, kernel)):
        first = [i * d for i, d in zip(place, dilation, strict=True)]
        cut = [slice(i, i + last + 1, s) for i, last, s in zip(first, lasts, stride, strict=True)]
        seen, element = x[:, :, :, *cut].astype(wide), weight[:, :, :, *place]
        if channels == 1:
            y += seen * element.reshape(1, groups, -1, *[1] * len(kernel))
        else:
            y += jnp.einsum("ngc...,goc->ngo...", seen, element)
    return y.reshape(-1, out, *y.shape[3:]).astype(dtype)
