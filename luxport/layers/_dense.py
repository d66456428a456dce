"""Layers that multiply by a weight: `Dense`, and `Scale`, also called `Diagonal`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, Self

from luxport import ops
from luxport.backend import Array, match_sizes, namespace
from luxport.backend.dtypes import add_parameter, multiply_by_parameter
from luxport.core.input_checks import check_axis, check_dtype, check_sizes, shape_of, shape_text
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError
from luxport.initializers import Initializer, glorot_uniform, ones, zeros
from luxport.layers._take_parameters import take_parameters
from luxport.ops import Activation, identity
from luxport.random import Rng

__all__ = ["Dense", "Diagonal", "Scale"]


class Dense(Layer):
    """``activation(x @ weight + bias)`` on the last axis.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of y's last axis
        activation: a function applied to the result, such as `relu`
        use_bias: whether a bias is added
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias

    Shapes: x (..., in_dims) -> y (..., out_dims)
    Params: weight (in_dims, out_dims); bias (out_dims,), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built with sizes that are no ints of at least 0; LayerError if the last axis of x is
            not in_dims, LayerTypeError if its dtype is not the weight's
    Source: Lux.jl ``Dense``; initial values as Flux's ``Dense``

    >>> import numpy as np, luxport
    >>> model = Dense(3, 2, luxport.relu)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((4, 3), np.float32), ps, st)
    >>> y.shape
    (4, 2)
    """

    in_dims: int
    out_dims: int
    activation: Activation = identity
    _: KW_ONLY
    use_bias: bool = True
    init_weight: Initializer = glorot_uniform
    init_bias: Initializer = zeros

    def __post_init__(self) -> None:
        check_sizes("Dense", in_dims=self.in_dims, out_dims=self.out_dims)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        weight = {"weight": self.init_weight(rng, (self.in_dims, self.out_dims))}
        return weight | {"bias": self.init_bias(rng, (self.out_dims,))} if self.use_bias else weight

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Multiply, add, activate."""
        weight, bias = ps["weight"], ps["bias"] if self.use_bias else None
        check_axis(x, -1, self.in_dims, "(..., {})")
        check_dtype(x, weight)
        return self.activation(ops.dense(x, weight, bias)), st

    @classmethod
    def from_weight(
        cls, weight: Array, bias: Any = True, activation: Activation = identity
    ) -> tuple[Self, dict[str, Any]]:
        """Build the layer that a weight (in_dims, out_dims) belongs to, and its parameters: ``layer, ps``.

        Args:
            weight: an array, which becomes the parameter of this name
            bias: an array with a number for each output, True for zeros, or False for none
            activation: a function applied to the result, such as `relu`

        Raises: ValueError if the weight is no matrix or the bias is not one number per output
        Source: Flux.jl ``Dense(weight, bias, activation)``

        >>> import numpy as np
        >>> layer, ps = Dense.from_weight(np.ones((3, 2)))
        >>> layer, ps["bias"]
        (Dense(3, 2), array([0., 0.]))
        """
        if len(weight.shape) != 2:
            raise ValueError(f"{cls.__name__} expects a weight (in_dims, out_dims), got {tuple(weight.shape)}")
        in_dims, out_dims = weight.shape
        layer = cls(in_dims, out_dims, activation, use_bias=bias is not False)
        return layer, take_parameters(cls.__name__, weight, bias, layer.out_dims)


class Scale(Layer):
    """``activation(weight * x + bias)``, elementwise on the trailing axes.

    Args:
        *dims: the sizes of the trailing axes, as ints or one tuple; the activation may follow them
        activation: a function applied to the result, such as `relu`
        use_bias: whether a bias is added
        init_weight: draws the weight, see `luxport.initializers`
        init_bias: draws the bias

    Shapes: x (..., *dims) -> y of the shape that x and dims broadcast to
    Params: weight (*dims); bias (*dims), absent if not ``use_bias``
    State:  none
    Raises: ValueError when built with sizes that are no ints of at least 0; LayerError if the shape of x does not
            broadcast with dims, LayerTypeError if its dtype is not the weight's
    Source: Lux.jl ``Scale``; initial weight 1 as Flux's ``Scale``

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, Scale(2))
    >>> Scale(2)(np.ones((1, 2), np.float32), ps | {"bias": np.array([0.0, 5.0], np.float32)}, st)[0] - ps["weight"]
    array([[0., 5.]], dtype=float32)
    """

    dims: tuple[int, ...]
    activation: Activation = identity
    _: KW_ONLY
    use_bias: bool = True
    init_weight: Initializer = ones
    init_bias: Initializer = zeros

    def __init__(
        self,
        *dims: int | tuple[int, ...] | list[int] | Activation,
        activation: Activation = identity,
        use_bias: bool = True,
        init_weight: Initializer = ones,
        init_bias: Initializer = zeros,
    ) -> None:
        """Take the sizes and, in the last place, an optional activation: ``Scale(2, 3, relu)``."""
        sizes: list[Any] = list(dims)
        if sizes and callable(sizes[-1]):
            activation = sizes.pop()
        if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)):
            sizes = list(sizes[0])
        if not sizes:
            raise ValueError(f"Scale expects one or more sizes, then an activation if any, got {dims}")
        check_sizes("Scale", **{f"dims[{i}]": n for i, n in enumerate(sizes)})
        for name, value in (
            *(("dims", tuple(sizes)), ("activation", activation), ("use_bias", use_bias)),
            *(("init_weight", init_weight), ("init_bias", init_bias)),
        ):
            object.__setattr__(self, name, value)

    def initial_parameters(self, rng: Rng) -> dict[str, Any]:
        """Draw the weight, then the bias."""
        weight = {"weight": self.init_weight(rng, self.dims)}
        return weight | {"bias": self.init_bias(rng, self.dims)} if self.use_bias else weight

    def __call__(self, x: Array, ps: Parameters, st: States) -> tuple[Array, States]:
        """Multiply, add, activate."""
        weight = ps["weight"]
        trailing = tuple(shape_of(x))[-len(self.dims) :]
        dims = self.dims[len(self.dims) - len(trailing) :]
        if any(not (match_sizes(n, m) or n == 1 or m == 1) for n, m in zip(trailing, dims, strict=True)):
            wanted = ", ".join(map(str, self.dims))
            raise LayerError(f"expects (..., {wanted}), got {shape_text(x)}")
        check_dtype(x, weight)
        bias = ps["bias"] if self.use_bias else None
        xp = namespace(x, weight, bias)
        y = multiply_by_parameter(xp, x, weight)
        return self.activation(y if bias is None else add_parameter(xp, y, bias)), st


Diagonal = Scale
