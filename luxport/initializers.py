"""Initializers: functions ``init(rng, shape)`` that draw a parameter's initial values on the host, in float32.

Called with options alone, an initializer returns a copy with those options set: ``glorot_uniform(gain=2.0)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from inspect import getfullargspec
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from luxport.call_arguments import explain_call_errors
from luxport.lazy import explain_absent_names
from luxport.random import Rng
from luxport.random._generators import expect_shape
from luxport.text import show

__all__ = [
    "Initializer",
    "calculate_gain",
    "constant",
    "fans",
    "glorot_normal",
    "glorot_uniform",
    "identity_init",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse_init",
    "truncated_normal",
    "uniform",
    "zeros",
]


class Initializer(Protocol):
    """A function that draws an array of a given shape."""

    def __call__(self, rng: Rng, shape: tuple[int, ...], /) -> Any:
        """Return float32 values of this shape."""
        ...


@dataclass(frozen=True, repr=False)
class _Init:
    """An initializer with its options; two are equal if function and options are."""

    draw: Callable[..., Any]
    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, *given: Any, **options: Any) -> Any:
        known = getfullargspec(self.draw).kwonlyargs
        unknown = [name for name in options if name not in known]
        if unknown:
            raise TypeError(f"{self.draw.__name__} expects options among {sorted(known)}, got {', '.join(unknown)}")
        merged = {**dict(self.options), **options}
        if not given:
            return _Init(self.draw, self._sort_options(merged))
        if len(given) != 2:
            raise TypeError(
                f"{self.draw.__name__} expects a generator and a shape, or options alone, got {len(given)} by position"
            )
        rng, shape = given
        expect_shape(shape)
        return Rng.of(rng).draw_with(self.draw, tuple(shape), **merged)

    def _sort_options(self, options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
        """Sort the options and leave out defaults, so that equal initializers compare equal and print the same."""
        defaults = self.draw.__kwdefaults__ or {}
        hashable = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        return tuple(sorted((n, v) for n, v in hashable.items() if n not in defaults or v != defaults[n]))

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle stores a function by its name, which in this module belongs to the `_Init` around it.
        return _restore, (self.draw.__name__, self.options)

    def __repr__(self) -> str:
        if not self.options:
            return self.draw.__name__
        return f"{self.draw.__name__}({', '.join(f'{name}={value!r}' for name, value in self.options)})"

    @property
    def __doc__(self) -> str | None:  # type: ignore[override]
        return self.draw.__doc__


def _restore(name: str, options: tuple[tuple[str, Any], ...]) -> _Init:
    return globals()[name](**dict(options))


@explain_call_errors
def calculate_gain(activation: Any, slope: float = 0.01) -> float:
    """Return the gain that keeps the variance of a layer's output where this activation follows the weight.

    1 for `identity` and `sigmoid`, 5/3 for `tanh`, the root of 2 for `relu` and of ``2 / (1 + slope²)`` for
    `leakyrelu`, 3/4 for `selu`.

    Args:
        activation: one of these functions, or its name
        slope: that of `leakyrelu` below 0

    Raises: ValueError for any other
    Source: PyTorch ``torch.nn.init.calculate_gain``

    >>> import luxport
    >>> calculate_gain(luxport.relu) ** 2, calculate_gain("tanh") * 3
    (2.0000000000000004, 5.0)
    """
    gains = {
        "identity": 1.0,
        "sigmoid": 1.0,
        "tanh": 5.0 / 3.0,
        "relu": math.sqrt(2.0),
        "leakyrelu": math.sqrt(2.0 / (1.0 + slope**2)),
        "selu": 0.75,
    }
    name = getattr(activation, "__name__", activation)
    if not isinstance(name, str) or name not in gains:
        raise ValueError(f"a gain is known for {', '.join(gains)}, got {show(name)}")
    return gains[name]


@explain_call_errors
def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return fan-in and fan-out of a weight: the number of inputs of each output, and of outputs of each input.

    Args:
        shape: the weight's: (in, out), or (out, in, *kernel)

    Source: Flux ``nfan``, axes reversed

    >>> fans(()), fans((100,)), fans((200, 100)), fans((30, 20, 3))
    ((1, 1), (1, 100), (200, 100), (60, 90))
    """
    if len(shape) == 0:
        return 1, 1
    if len(shape) == 1:
        return 1, shape[0]
    if len(shape) == 2:
        return shape[0], shape[1]
    window = math.prod(shape[2:])
    return shape[1] * window, shape[0] * window


@_Init
def zeros(rng: Rng, shape: tuple[int, ...]) -> Any:
    """Fill with 0."""
    return np.zeros(shape, np.float32)


@_Init
def ones(rng: Rng, shape: tuple[int, ...]) -> Any:
    """Fill with 1."""
    return np.ones(shape, np.float32)


@_Init
def constant(rng: Rng, shape: tuple[int, ...], *, value: float = 0.0) -> Any:
    """Fill with a value.

    Args:
        value: the value
    """
    return np.full(shape, value, np.float32)


@_Init
def uniform(rng: Rng, shape: tuple[int, ...], *, low: float = 0.0, high: float = 1.0) -> Any:
    """Draw from U[low, high).

    Args:
        low: the least value
        high: the bound below which all values are
    """
    return rng.uniform(shape, low, high)


@_Init
def normal(rng: Rng, shape: tuple[int, ...], *, mean: float = 0.0, std: float = 1.0) -> Any:
    """Draw from N(mean, std²).

    Args:
        mean: the mean of the distribution
        std: its standard deviation
    """
    return rng.normal(shape, mean, std)


@_Init
def glorot_uniform(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw from U(-a, a) with a = gain sqrt(6 / (fan_in + fan_out)).

    Args:
        gain: a factor of all values, see `calculate_gain`

    Source: X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010)
    """
    bound = gain * math.sqrt(6.0 / max(1, sum(fans(shape))))
    return rng.uniform(shape, -bound, bound)


@_Init
def glorot_normal(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw from N(0, gain² 2 / (fan_in + fan_out)).

    Args:
        gain: a factor of all values, see `calculate_gain`
    """
    return rng.normal(shape, 0.0, gain * math.sqrt(2.0 / max(1, sum(fans(shape)))))


@_Init
def kaiming_uniform(rng: Rng, shape: tuple[int, ...], *, gain: float = math.sqrt(2.0)) -> Any:
    """Draw from U(-a, a) with a = gain sqrt(3 / fan_in).

    Args:
        gain: a factor of all values, see `calculate_gain`

    Source: K. He et al., "Delving deep into rectifiers" (2015)
    """
    bound = gain * math.sqrt(3.0 / max(1, fans(shape)[0]))
    return rng.uniform(shape, -bound, bound)


@_Init
def kaiming_normal(rng: Rng, shape: tuple[int, ...], *, gain: float = math.sqrt(2.0)) -> Any:
    """Draw from N(0, gain² / fan_in).

    Args:
        gain: a factor of all values, see `calculate_gain`
    """
    return rng.normal(shape, 0.0, gain / math.sqrt(max(1, fans(shape)[0])))


@_Init
def truncated_normal(
    rng: Rng, shape: tuple[int, ...], *, mean: float = 0.0, std: float = 1.0, low: float = -2.0, high: float = 2.0
) -> Any:
    """Draw from N(mean, std²) within [low, high].

    Args:
        mean: the mean of the distribution before truncation
        std: the standard deviation before truncation
        low: the least value, as an absolute value, not in standard deviations
        high: the greatest value, likewise

    Raises: ValueError unless std > 0 and low < high
    """
    return rng.truncated_normal(shape, mean, std, low, high)


@_Init
def lecun_normal(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw from a normal distribution truncated at two standard deviations, scaled to a variance of gain² / fan_in.

    Args:
        gain: a factor of all values, see `calculate_gain`

    Source: Y. LeCun et al., "Efficient backprop" (1998); JAX and Keras ``lecun_normal``
    """
    std = gain / math.sqrt(max(1, fans(shape)[0])) / _STD_WITHIN_TWO
    return rng.truncated_normal(shape, 0.0, std, -2.0 * std, 2.0 * std)


_STD_WITHIN_TWO = 0.87962566103423978
"""The standard deviation of a standard normal variable within [-2, 2]: sqrt(1 - 4 pdf(2) / (1 - 2 cdf(-2)))."""


@_Init
def lecun_uniform(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw from U(-a, a) with a = gain sqrt(3 / fan_in).

    Args:
        gain: a factor of all values, see `calculate_gain`
    """
    bound = gain * math.sqrt(3.0 / max(1, fans(shape)[0]))
    return rng.uniform(shape, -bound, bound)


@_Init
def orthogonal(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0) -> Any:
    """Draw a matrix whose rows, or columns if there are fewer of them, are orthogonal and of norm gain.

    An array of more than two axes is treated as a matrix whose rows are its first axis: the outputs of a weight
    (out, in, *kernel). A vector is a column.

    Args:
        gain: a factor of all values, see `calculate_gain`

    Raises: ValueError for a shape of no axes
    Source: A. Saxe, J. McClelland, S. Ganguli, "Exact solutions to the nonlinear dynamics of learning" (2014)
    """
    if not shape:
        raise ValueError("orthogonal expects one or more axes, got the shape ()")
    rows, columns = shape[0], math.prod(shape[1:])
    fewer, more = min(rows, columns), max(rows, columns)
    from luxport.random.reproducible_sums import make_orthonormal_rows  # imported only if it is used

    matrix = make_orthonormal_rows(rng.normal((fewer, more)))
    return (gain * (matrix if rows <= columns else matrix.T)).astype(np.float32).reshape(shape)


@_Init
def sparse_init(rng: Rng, shape: tuple[int, ...], *, sparsity: float, std: float = 0.01) -> Any:
    """Draw from N(0, std²), then set ``ceil(sparsity * row length)`` random entries of each row to 0.

    A row of a weight (in, out) holds the connections of one input.

    Args:
        sparsity: the fraction of each row that becomes 0, from 0 to 1
        std: the standard deviation of the other values

    Raises: TypeError without a sparsity; ValueError for a shape that is not a matrix's
    Source: J. Martens, "Deep learning via Hessian-free optimization" (2010)
    """
    if len(shape) != 2:
        raise ValueError(f"sparse_init expects the shape of a matrix, got {shape}")
    values, order = rng.normal(shape, 0.0, std), np.argsort(rng.uniform(shape), axis=-1, kind="stable")
    zeros = math.ceil(min(1.0, max(0.0, sparsity)) * shape[1])
    np.put_along_axis(values, order[:, :zeros], 0.0, axis=-1)
    return values


@_Init
def identity_init(rng: Rng, shape: tuple[int, ...], *, gain: float = 1.0, shift: int | tuple[int, ...] = 0) -> Any:
    """Return the weight of an identity map times the gain, for a layer with as many outputs as inputs.

    A vector (a bias) is 0. A matrix (in, out) has the gain on its diagonal. A weight (out, in, *kernel) has such a
    matrix at the center of its kernel, the lower one if its size is even. The result is then rolled by `shift`.

    Args:
        gain: a factor of all values, see `calculate_gain`
        shift: an int rolls a matrix's outputs, or a kernel's outputs and inputs; a tuple has a shift for each axis

    Source: WeightInitializers.jl ``identity_init``; Flux.jl for shifts that are tuples
    """
    weight = np.zeros(shape, np.float32)
    if len(shape) < 2:
        return weight
    diagonal = np.arange(min(shape[:2]))
    weight[(diagonal, diagonal, *((n - 1) // 2 for n in shape[2:]))] = gain
    if isinstance(shift, tuple):
        return np.roll(weight, shift, tuple(range(len(shape))))
    return np.roll(weight, shift, 1) if len(shape) == 2 else np.roll(weight, (shift, shift), (0, 1))


if not TYPE_CHECKING:
    __getattr__ = explain_absent_names(__name__)
