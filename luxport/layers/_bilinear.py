"""A bilinear function of two inputs: `Bilinear`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

from luxport.backend import Array, namespace
from luxport.backend.dtypes import run_wide
from luxport.core.input_checks import check_axis, check_dtype, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, glorot_uniform, zeros
from luxport.ops import Activation, identity
from luxport.random import Rng
from luxport.text import show

__all__ = ["Bilinear"]


class Bilinear(Layer):
    """``activation(sum_ij x1[i] weight[j, i, :] x2[j] + bias)`` on the last axes of two inputs.

    The inputs are a tuple of two arrays, or one array that is both.

    Args:
        in_dims: the sizes of the last axes of x1 and x2, or one size for both
        out_dims: the size of y's last axis
        activation: a function applied to the result, such as `relu`
        use_bias: whether a bias is added
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias

    Shapes: x1 (..., in1), x2 (..., in2) -> y (..., out_dims)
    Params: weight (in2, in1, out_dims); bias (out_dims,), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built with wrong sizes; LayerError if there are not two inputs of sizes in1 and in2 with
            the same leading axes, LayerTypeError if a dtype is not the weight's
    Source: Lux.jl ``Bilinear``; initial values as Flux's ``Bilinear``

    >>> import luxport
    >>> model = Bilinear((3, 4), 2, luxport.tanh)
    >>> luxport.output_shape(model, ((5, 3), (5, 4))), luxport.parameter_length(model)
    ((5, 2), 26)
    """

    in_dims: int | tuple[int, int]
    out_dims: int
    activation: Activation = identity
    _: KW_ONLY
    use_bias: bool = True
    init_weight: Initializer = glorot_uniform
    init_bias: Initializer = zeros

    def __post_init__(self) -> None:
        in_dims: Any = self.in_dims
        if isinstance(in_dims, (tuple, list)) and len(in_dims) != 2:
            raise ValueError(f"Bilinear expects in_dims as an int or a pair of ints, got {show(in_dims)}")
        if not callable(self.activation):
            raise TypeError(
                f"Bilinear expects (in1, in2), out_dims, activation, got {show(self.activation)} for the last"
            )
        in1, in2 = self._sizes
        check_sizes("Bilinear", **{"in_dims[0]": in1, "in_dims[1]": in2}, out_dims=self.out_dims)
        object.__setattr__(self, "in_dims", tuple(in_dims) if isinstance(in_dims, list) else in_dims)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        in1, in2 = self._sizes
        weight = {"weight": self.init_weight(rng, (in2, in1, self.out_dims))}
        return weight | {"bias": self.init_bias(rng, (self.out_dims,))} if self.use_bias else weight

    def __call__(self, x: Array | tuple[Array, Array], ps: Parameters, st: States) -> tuple[Array, States]:
        """Multiply, add, activate."""
        in1, in2 = self._sizes
        x1, x2 = self._pair(x)
        for part, size in ((x1, in1), (x2, in2)):
            check_axis(part, -1, size, "an input (..., {})")
            check_dtype(part, ps["weight"])
        if any(n != m and None not in (n, m) for n, m in zip(x1.shape[:-1], x2.shape[:-1], strict=False)) or (
            len(x1.shape) != len(x2.shape)
        ):
            raise LayerError(f"expects inputs with the same leading axes, got {shape_text(x1)} and {shape_text(x2)}")
        y = _sum_products(x1, x2, ps["weight"], ps["bias"] if self.use_bias else None)
        return self.activation(y), st

    @property
    def _sizes(self) -> tuple[int, int]:
        in1, in2 = self.in_dims if isinstance(self.in_dims, (tuple, list)) else (self.in_dims, self.in_dims)
        return in1, in2

    def _pair(self, x: Any) -> tuple[Array, Array]:
        if not isinstance(x, (tuple, list)):
            shape_of(x)
            return x, x
        if len(x) != 2:
            raise LayerError(f"expects two inputs or one, got a tuple of {len(x)}")
        return x[0], x[1]


@run_wide
def _sum_products(x1: Array, x2: Array, weight: Array, bias: Array | None) -> Array:
    """Sum the products, for half types in float32: the product of two inputs may be too large for them."""
    xp = namespace(x1, x2, weight)
    products = xp.expand_dims(x2, axis=-1) * xp.expand_dims(x1, axis=-2)
    if products.dtype != weight.dtype:  # under a framework's autocast
        products = xp.astype(products, weight.dtype)
    y = xp.tensordot(products, weight, axes=2)
    return y if bias is None else y + bias
