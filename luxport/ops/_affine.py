"""The affine map of a dense layer."""

from __future__ import annotations

from luxport.backend import Array, match_shapes, namespace
from luxport.backend.dtypes import add_parameter, promote
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation

__all__ = ["check_dense", "dense"]


def check_dense(x: Array, weight: Array, bias: Array | None = None) -> None:
    """Expect one weight, and a bias for each of its columns: other shapes would broadcast.

    Raises: LayerError
    """
    if len(weight.shape) != 2 or (bias is not None and not match_shapes(bias.shape, weight.shape[1:])):
        got = f"{shape_text(weight)}{'' if bias is None else f' and {shape_text(bias)}'}"
        raise LayerError(f"expects weight (in, out) and bias (out,), got {got}")


@operation(takes="x numbers (..., in), weight numbers (in, out), bias numbers (out)?", check=check_dense, early=False)
def dense(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Return ``x @ weight + bias`` on the last axis; different dtypes are promoted.

    Shapes: x (..., in), weight (in, out), bias (out,) or None -> (..., out)
    Source: LuxLib ``fused_dense_bias_activation``
    """
    xp = namespace(x, weight, bias)
    check_dense(x, weight, bias)
    x, weight = promote(xp, x, weight)
    y = xp.matmul(x, weight)
    return y if bias is None else add_parameter(xp, y, bias)
