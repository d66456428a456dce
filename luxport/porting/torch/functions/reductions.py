"""PyTorch's functions that reduce along axes (sums, norms, softmax, normalization), and products of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.backend import Array, dtype_name, namespace
from luxport.ops.scaling import add_after
from luxport.porting.torch.functions.einsum import einsum
from luxport.porting.torch.functions.elementwise import cast

__all__ = ["FUNCTIONS"]


def _make_reduction(name: str) -> Callable[..., Array]:
    def reduce(x: Array, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Array:
        xp = namespace(x)
        x = x if dtype is None else cast(x, dtype)
        axes = dim if dim is None or isinstance(dim, tuple) else (dim,)
        return getattr(xp, name)(x, axis=axes or None, keepdims=keepdim)

    return reduce


def _make_extreme(name: str) -> Callable[..., Any]:
    """Return PyTorch's max or min: of all entries, along an axis together with the indices, or of two arrays."""

    def reduce(x: Array, dim: Any = None, keepdim: bool = False) -> Any:
        xp = namespace(x)
        if dim is None:
            return getattr(xp, name)(x)
        if not isinstance(dim, int):
            return getattr(xp, f"{name}imum")(x, dim)
        found = getattr(xp, name)(x, axis=dim, keepdims=keepdim)
        return found, getattr(xp, f"arg{name}")(x, axis=dim, keepdims=keepdim)

    return reduce


def _make_arg_extreme(name: str) -> Callable[..., Array]:
    def find(x: Array, dim: int | None = None, keepdim: bool = False) -> Array:
        return getattr(namespace(x), name)(x, axis=dim, keepdims=keepdim)

    return find


def _make_deviation(name: str) -> Callable[..., Array]:
    def measure(
        x: Array, dim: Any = None, unbiased: bool = True, keepdim: bool = False, *, correction: Any = None
    ) -> Array:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        xp = namespace(x)
        ddof = int(unbiased) if correction is None else correction
        return getattr(xp, name)(x, axis=dim, correction=ddof, keepdims=keepdim)

    return measure


def _norm(x: Array, p: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Array:
    xp = namespace(x)
    axes = dim if dim is None or isinstance(dim, tuple) else (dim,)
    if p in ("fro", 2, 2.0, None):
        return xp.sqrt(xp.sum(x * x, axis=axes, keepdims=keepdim))
    if p == math.inf:
        return xp.max(xp.abs(x), axis=axes, keepdims=keepdim)
    if p == 1:
        return xp.sum(xp.abs(x), axis=axes, keepdims=keepdim)
    return xp.sum(xp.abs(x) ** p, axis=axes, keepdims=keepdim) ** (1.0 / p)


def _vector_norm(x: Array, ord: Any = 2, dim: Any = None, keepdim: bool = False) -> Array:
    return _norm(x, ord, dim, keepdim)


def _normalize(x: Array, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Array:
    xp = namespace(x)
    size = _norm(x, p, dim, True)
    return x / xp.maximum(size, xp.full_like(size, eps))


def _make_softmax(function: Callable[..., Array], sign: int = 1) -> Callable[..., Array]:
    def along(x: Array, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Array:
        x = x if dtype is None else cast(x, dtype)
        if dim is None:  # PyTorch's default
            dim = 0 if len(x.shape) in (0, 1, 3) else 1
        return function(x if sign == 1 else -x, axis=dim)

    return along


def _softmax2d(x: Array) -> Array:
    return ops.softmax(x, axis=-3)


def _logsumexp(x: Array, dim: Any, keepdim: bool = False) -> Array:
    y = ops.logsumexp(x, axis=dim)
    xp = namespace(x)
    if not keepdim:
        return y
    axes = dim if isinstance(dim, tuple) else (dim,)
    for axis in sorted(axis % len(x.shape) for axis in axes):
        y = xp.expand_dims(y, axis=axis) if len(y.shape) < len(x.shape) else y
    return y


def _cumulative(x: Array, dim: int, **_: Any) -> Array:
    return namespace(x).cumulative_sum(x, axis=dim)


def _make_test(name: str) -> Callable[..., Array]:
    def test(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        return getattr(namespace(x), name)(cast(x, "bool"), axis=dim, keepdims=keepdim)

    return test


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``x @ weight.T + bias``."""
    xp = namespace(x, weight)
    return ops.dense(x, xp.matrix_transpose(weight), bias)


def _addmm(bias: Array, x: Array, y: Array, *, beta: float = 1, alpha: float = 1) -> Array:
    return (bias if beta == 1 else beta * bias) + (x @ y if alpha == 1 else alpha * (x @ y))


def _cosine_similarity(x: Array, y: Array, dim: int = 1, eps: float = 1e-8) -> Array:
    xp = namespace(x, y)
    sizes = [xp.maximum(size, xp.full_like(size, eps)) for size in (_norm(x, 2, dim, True), _norm(y, 2, dim, True))]
    return xp.sum((x / sizes[0]) * (y / sizes[1]), axis=dim)


def _pairwise_distance(x: Array, y: Array, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Array:
    return _norm(add_after(namespace(x, y), x - y, eps), p, -1, keepdim)


def _attention(
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Array:
    if dropout_p:
        raise ValueError("scaled_dot_product_attention with dropout_p > 0 is random: call eval() first")
    boolean = attn_mask is not None and dtype_name(attn_mask) == "bool"
    return ops.scaled_dot_product_attention(
        *(query, key, value),
        None if boolean else attn_mask,
        attn_mask if boolean else None,
        scale=None if scale is None else 1.0 / scale,
        is_causal=is_causal,
        token_axis=-2,
        return_scores=False,
    )


def layer_norm(
    x: Array, normalized_shape: Any, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    """Normalize over the last axes."""
    axes = tuple(range(-len(normalized_shape), 0))
    return ops.layer_norm(x, weight, bias, axes=axes, epsilon=eps)


def rms_norm(x: Array, normalized_shape: Any, weight: Array | None = None, eps: float | None = None) -> Array:
    """Divide by the root of the mean square over the last axes; `eps` defaults to the dtype's machine epsilon."""
    axes = tuple(range(-len(normalized_shape), 0))
    small = float(namespace(x).finfo(x.dtype).eps) if eps is None else eps
    return ops.rms_norm(x, weight, axes=axes, epsilon=small)


def _group_norm(
    x: Array, num_groups: int, weight: Array | None = None, bias: Array | None = None, eps: float = 1e-5
) -> Array:
    return ops.group_norm(x, weight, bias, groups=num_groups, epsilon=eps)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{name: _make_reduction(name) for name in ("sum", "mean", "prod")},
    "addmm": _addmm,
    "all": _make_test("all"),
    "amax": _make_reduction("max"),
    "amin": _make_reduction("min"),
    "any": _make_test("any"),
    "argmax": _make_arg_extreme("argmax"),
    "argmin": _make_arg_extreme("argmin"),
    "cosine_similarity": _cosine_similarity,
    "cumsum": _cumulative,
    "dot": lambda x, y: namespace(x, y).sum(x * y),
    "einsum": einsum,
    "glu": lambda x, dim=-1: ops.glu(x, axis=dim),
    "group_norm": _group_norm,
    "layer_norm": layer_norm,
    "linalg_norm": _vector_norm,
    "linalg_vector_norm": _vector_norm,
    "linear": linear,
    "log_softmax": _make_softmax(ops.logsoftmax),
    "logsumexp": _logsumexp,
    "max": _make_extreme("max"),
    "min": _make_extreme("min"),
    "mv": lambda x, y: x @ y,
    "norm": _norm,
    "normalize": _normalize,
    "pairwise_distance": _pairwise_distance,
    "rms_norm": rms_norm,
    "scaled_dot_product_attention": _attention,
    "softmax": _make_softmax(ops.softmax),
    "softmax2d": _softmax2d,
    "softmin": _make_softmax(ops.softmax, -1),
    "std": _make_deviation("std"),
    "var": _make_deviation("var"),
    "vdot": lambda x, y: namespace(x, y).sum(x * y),
}
