"""The Fourier transform extension."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from ._arithmetic import remainder
from ._arrays import Array, R, cast, make_tensor, normalize_axes, normalize_axis, rank, read_sizes, widen_halves
from ._creation import arange
from ._dtypes import COMPLEX_OF, DEFAULT_FLOAT, REAL_OF, find_dtype, is_floating, is_real_floating
from ._float_parts import conj
from ._manipulation import moveaxis, roll

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft",
    "rfftfreq", "rfftn",
]  # fmt: skip


def _make_floating(name, x):
    x = make_tensor(x)
    if not is_floating(x.dtype):
        raise TypeError(f"{name} wants floating-point numbers, got {x.dtype.name}; convert with astype")
    return widen_halves(x)


def _make_complex(x):
    return cast(x, COMPLEX_OF.get(x.dtype, x.dtype))


def _fit_length(x, n):
    """Cut the last axis, or fill it with zeros, to the length ``n``."""
    size = read_sizes(x)[-1]
    if isinstance(size, int) and isinstance(n, int):
        if size == n:
            return x
        if size > n:
            return x[..., :n]
    x = x[..., :n]
    missing = n - read_sizes(x)[-1]
    return tf.pad(x, [[0, 0]] * (rank(x) - 1) + [[0, missing]])


def _scale(x, n, norm, forward):
    """Scale as ``norm`` says; TensorFlow's inverse transform has divided by n already."""
    if norm not in ("backward", "ortho", "forward"):
        raise ValueError(f"norm must be 'backward', 'ortho' or 'forward', got {norm!r}")
    if norm == "backward":
        return x
    n = cast(n, tf.float64) if isinstance(n, tf.Tensor) else tf.constant(float(n), tf.float64)
    power = (-0.5 if norm == "ortho" else -1.0) if forward else (0.5 if norm == "ortho" else 1.0)
    return x * cast(n**power, x.dtype)


def _check_length(n):
    if isinstance(n, int) and n < 1:
        raise ValueError(f"a transform needs a length of at least 1, got {n}")
    return n


def _apply_along(x, axis, transform):
    axis = normalize_axis(axis, rank(x))
    if axis == rank(x) - 1:
        return transform(x)
    return moveaxis(transform(moveaxis(x, axis, -1)), -1, axis)


def _transform(x, n, axis, norm, forward):
    def transform(x):
        size = _check_length(read_sizes(x)[-1] if n is None else n)
        kernel = R.FFT if forward else R.IFFT
        return _scale(kernel(input=_fit_length(x, size)), size, norm, forward)

    return _apply_along(_make_complex(x), axis, transform)


def fft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> tf.Tensor:
    """Return the discrete Fourier transform along ``axis``, of length ``n``."""
    return _transform(_make_floating("fft", x), n, axis, norm, True)


def ifft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> tf.Tensor:
    """Return the inverse of `fft`."""
    return _transform(_make_floating("ifft", x), n, axis, norm, False)


def _find_sizes_and_axes(x, s, axes):
    if axes is None:
        count = rank(x) if s is None else len(s)
        if count > rank(x):
            raise ValueError(f"s names {count} axes of an array of {rank(x)}")
        axes = tuple(range(rank(x) - count, rank(x)))
    axes = normalize_axes(tuple(axes), rank(x))
    if s is None:
        s = (None,) * len(axes)
    if len(s) != len(axes):
        raise ValueError(f"s and axes must be as long, got {len(s)} and {len(axes)}")
    return s, axes


def _transform_axes(x, s, axes, norm, forward):
    s, axes = _find_sizes_and_axes(x, s, axes)
    x = _make_complex(x)
    for n, axis in zip(s, axes, strict=True):
        x = _transform(x, n, axis, norm, forward)
    return x


def fftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> tf.Tensor:
    """Return the discrete Fourier transform along several axes, of lengths ``s``."""
    return _transform_axes(_make_floating("fftn", x), s, axes, norm, True)


def ifftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> tf.Tensor:
    """Return the inverse of `fftn`."""
    return _transform_axes(_make_floating("ifftn", x), s, axes, norm, False)


def _check_real(name, x):
    x = _make_floating(name, x)
    if not is_real_floating(x.dtype):
        raise TypeError(f"{name} wants real numbers, got {x.dtype.name}")
    return x


def rfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> tf.Tensor:
    """Return the first half (and the middle) of the Fourier transform of real numbers along ``axis``."""

    def transform(x):
        size = _check_length(read_sizes(x)[-1] if n is None else n)
        length = tf.reshape(tf.convert_to_tensor(size, tf.int32), [1])
        y = R.RFFT(input=_fit_length(x, size), fft_length=length, Tcomplex=COMPLEX_OF[x.dtype])
        return _scale(y, size, norm, True)

    return _apply_along(_check_real("rfft", x), axis, transform)


def irfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> tf.Tensor:
    """Return the inverse of `rfft`: real numbers, ``n`` of them (by default twice the size less 2)."""

    def transform(x):
        size = _check_length(2 * (read_sizes(x)[-1] - 1) if n is None else n)
        length = tf.reshape(tf.convert_to_tensor(size, tf.int32), [1])
        y = R.IRFFT(input=_fit_length(x, size // 2 + 1), fft_length=length, Treal=REAL_OF[x.dtype])
        return _scale(y, size, norm, False)

    return _apply_along(_make_complex(_make_floating("irfft", x)), axis, transform)


def rfftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> tf.Tensor:
    """Apply `rfft` along the last of ``axes``, `fft` along the others."""
    x = _check_real("rfftn", x)
    sizes, places = _find_sizes_and_axes(x, s, axes)
    x = rfft(x, n=sizes[-1], axis=places[-1], norm=norm)
    return _transform_axes(x, sizes[:-1], places[:-1], norm, True)


def irfftn(
    x: Array, /, *, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str = "backward"
) -> tf.Tensor:
    """Return the inverse of `rfftn`."""
    x = _make_floating("irfftn", x)
    sizes, places = _find_sizes_and_axes(x, s, axes)
    return irfft(_transform_axes(x, sizes[:-1], places[:-1], norm, False), n=sizes[-1], axis=places[-1], norm=norm)


_OPPOSITE = {"backward": "forward", "forward": "backward", "ortho": "ortho"}


def _find_opposite(norm):
    if norm not in _OPPOSITE:
        raise ValueError(f"norm must be 'backward', 'ortho' or 'forward', got {norm!r}")
    return _OPPOSITE[norm]


def hfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> tf.Tensor:
    """Return the Fourier transform of a signal with Hermitian symmetry, of which ``x`` is the first half: real."""
    return irfft(conj(_make_complex(_make_floating("hfft", x))), n=n, axis=axis, norm=_find_opposite(norm))


def ihfft(x: Array, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> tf.Tensor:
    """Return the inverse of `hfft`."""
    return conj(rfft(x, n=n, axis=axis, norm=_find_opposite(norm)))


def _find_frequency_dtype(dtype):
    dtype = DEFAULT_FLOAT if dtype is None else find_dtype(dtype)
    if not is_real_floating(dtype):
        raise TypeError(f"frequencies are real floating-point numbers, not {dtype.name}")
    return dtype


def fftfreq(n: int, /, *, d: float = 1.0, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return the frequencies of `fft` of ``n`` samples ``d`` apart: cycles per unit of ``d``."""
    dtype = _find_frequency_dtype(dtype)
    middle = (n - 1) // 2 + 1
    steps = remainder(arange(n, dtype=tf.float64, device=device) + (n - middle), float(n)) - (n - middle)
    return cast(steps / (n * d), dtype)


def rfftfreq(n: int, /, *, d: float = 1.0, dtype: tf.DType | None = None, device: str | None = None) -> tf.Tensor:
    """Return the frequencies of `rfft` of ``n`` samples ``d`` apart: cycles per unit of ``d``."""
    dtype = _find_frequency_dtype(dtype)
    return cast(arange(n // 2 + 1, dtype=tf.float64, device=device) / (n * d), dtype)


def _shift(x, axes, half):
    x = make_tensor(x)
    axes = normalize_axes(axes, rank(x))
    return roll(x, tuple(half(x.shape[a]) for a in axes), axis=axes)


def fftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> tf.Tensor:
    """Return ``x`` with the zero frequency moved to the middle of ``axes``."""
    return _shift(x, axes, lambda size: size // 2)


def ifftshift(x: Array, /, *, axes: int | Sequence[int] | None = None) -> tf.Tensor:
    """Return the inverse of `fftshift`."""
    return _shift(x, axes, lambda size: -(size // 2))
