"""The short-time Fourier transform, its inverse, and windows."""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from luxport.backend import Array, Backend, asarray, find_array_device, namespace
from luxport.backend.arguments import check_call
from luxport.backend.dtypes import choose_wider_dtype, is_complex, is_double
from luxport.backend.option_rules import (
    BACKEND,
    FINITE,
    FLAG,
    LARGEST_INT32,
    TEXT,
    allow_count,
    allow_none,
)
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops._padding import pad_reflect, pad_zeros

__all__ = ["hamming_window", "hann_window", "istft", "stft"]


_COUNT = allow_count(1, LARGEST_INT32)
FRAMES = {"n_fft": _COUNT, "hop_length": allow_none(_COUNT), "center": FLAG, "normalized": FLAG}
MADE = {"dtype": TEXT, "backend": BACKEND, "device": allow_none(TEXT)}


def expect_signals(x: Array, *window: Array | None, **options: Any) -> None:
    if 0 in tuple(x.shape):
        raise LayerError(f"expects at least one sample of at least one signal, got {shape_text(x)}")


@operation(takes="x numbers (..., L), window real (n)?", rules=FRAMES, check=expect_signals)
def stft(
    x: Array,
    window: Array | None = None,
    *,
    n_fft: int,
    hop_length: int | None = None,
    center: bool = True,
    normalized: bool = False,
) -> Array:
    """Short-time Fourier transform: transform frames of n_fft samples, `hop_length` apart, multiplied by the window.

    A window shorter than n_fft is padded by zeros on both sides.

    Args:
        n_fft: how many samples a frame has
        hop_length: how many samples later the next frame starts; None for n_fft / 4
        center: whether frame m is centered at sample ``m hop_length`` of x, mirrored at its ends, or starts there
        normalized: whether the transform is divided by the square root of n_fft

    Shapes: x (..., L) real, window (at most n_fft,) -> (..., frames, n_fft / 2 + 1), complex; all n_fft frequencies
            if x is complex
    Raises: LayerError if x is too short or the window too long; ValueError for sizes below 1
    Source: NNlib ``stft``

    >>> import numpy as np
    >>> stft(np.ones(16), n_fft=16).shape
    (5, 9)
    """
    xp = namespace(x, window)
    hop_length = _choose_hop(n_fft, hop_length)
    x, complex_input = make_transformable(xp, x), is_complex(x)
    if center:
        x = pad_reflect(x, padding=n_fft // 2, axes=-1)
    if x.shape[-1] < n_fft:
        raise LayerError(f"expects at least n_fft = {n_fft} samples, got {x.shape[-1]}")
    frames = 1 + (x.shape[-1] - n_fft) // hop_length
    starts, offsets = (xp.arange(n, dtype=xp.int32, device=find_array_device(x)) for n in (frames, n_fft))
    places = starts[:, None] * hop_length + offsets[None, :]
    columns = xp.take(x, xp.reshape(places, (-1,)), axis=-1)
    columns = xp.reshape(columns, (*tuple(x.shape)[:-1], frames, n_fft))
    if window is not None:
        columns = columns * xp.astype(_widen_window(xp, window, n_fft, columns), columns.dtype)
    y = xp.fft.fft(columns, axis=-1) if complex_input else xp.fft.rfft(columns, axis=-1)
    return y * n_fft**-0.5 if normalized else y


@operation(
    takes="y complex (..., frames, frequencies), window real (n)?",
    rules={**FRAMES, "return_complex": FLAG, "original_length": allow_none(allow_count(0))},
)
def istft(
    y: Array,
    window: Array | None = None,
    *,
    n_fft: int,
    hop_length: int | None = None,
    center: bool = True,
    normalized: bool = False,
    return_complex: bool = False,
    original_length: int | None = None,
) -> Array:
    """Undo `stft` with the same options: return the signal whose transform is nearest to y.

    Frames are transformed back, multiplied by the window, overlapped and added, and divided by the sum of the squared
    windows. Samples in no frame are 0. Without `original_length`, samples at the end that fill no frame are missing.

    Args:
        n_fft: how many samples a frame has
        hop_length: how many samples later the next frame starts; None for n_fft / 4
        center: whether frame m is centered at sample ``m hop_length`` of the signal, or starts there
        normalized: whether the transform is divided by the square root of n_fft
        return_complex: whether the signal is complex
        original_length: how many samples the signal has; None for as many as the frames fill

    Shapes: y (..., frames, n_fft / 2 + 1), or (..., frames, n_fft) with `return_complex`, complex; window (at most
            n_fft,) -> (..., original_length), real unless `return_complex`
    Raises: LayerError if y has other frequencies or the window is too long; ValueError for sizes below 1
    Source: D. Griffin, J. Lim, "Signal estimation from modified short-time Fourier transform" (1984); the options
            are those of NNlib ``istft``, which divides each frame by the window

    >>> import numpy as np
    >>> x = np.arange(32.0)
    >>> print(np.allclose(istft(stft(x, n_fft=8), n_fft=8), x))
    True
    """
    xp = namespace(y, window)
    hop_length = _choose_hop(n_fft, hop_length)
    frequencies = n_fft if return_complex else n_fft // 2 + 1
    if len(y.shape) < 2 or y.shape[-1] != frequencies:
        raise LayerError(f"expects (..., frames, {frequencies}), got {tuple(y.shape)}")
    if y.shape[-2] == 0:
        raise LayerError(f"expects at least one frame, got {shape_text(y)}")
    if normalized:
        y = y * n_fft**0.5
    columns = xp.fft.ifft(y, axis=-1) if return_complex else xp.fft.irfft(y, n=n_fft, axis=-1)
    weight = xp.ones((1, n_fft), dtype=choose_wider_dtype(xp, columns), device=find_array_device(y))
    if window is not None:
        wide = _widen_window(xp, window, n_fft, columns)
        columns = columns * xp.astype(wide, columns.dtype)
        weight = weight * wide * wide
    frames = columns.shape[-2]
    total = _add_frames(xp, columns, hop_length)
    covered = _add_frames(xp, xp.broadcast_to(weight, (frames, n_fft)), hop_length)
    nothing = covered <= 1e-11
    x = total / xp.astype(xp.where(nothing, xp.ones_like(covered), covered), total.dtype)
    length = n_fft + hop_length * (frames - 1)
    low = n_fft // 2 if center else 0
    high = length - low if original_length is None else low + original_length
    if high > length:
        x = pad_zeros(x, padding=((0, high - length),), axes=-1)
    return x[..., low:high]


@check_call(rules={"length": allow_count(1), "periodic": FLAG, **MADE})
def hann_window(
    length: int,
    *,
    periodic: bool = True,
    dtype: str = "float32",
    backend: str | Backend | None = None,
    device: str | None = None,
) -> Array:
    """Return ``(1 - cos(2 pi k / n)) / 2`` with n = length, or length - 1 if not `periodic`.

    Args:
        length: how many numbers the window has
        periodic: whether n is the length, and not one less
        dtype: the dtype of the result, by name
        backend: the backend of the result; None for the default one
        device: the device of the result; None for the backend's default

    Shapes: -> (length,)
    Raises: ValueError if the length is below 1
    Source: NNlib ``hann_window``

    >>> hann_window(4)
    array([0. , 0.5, 1. , 0.5], dtype=float32)
    """
    return hamming_window(length, periodic=periodic, alpha=0.5, beta=0.5, dtype=dtype, backend=backend, device=device)


@check_call(rules={"length": allow_count(1), "periodic": FLAG, "alpha": FINITE, "beta": FINITE, **MADE})
def hamming_window(
    length: int,
    *,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    dtype: str = "float32",
    backend: str | Backend | None = None,
    device: str | None = None,
) -> Array:
    """Return ``alpha - beta cos(2 pi k / n)`` with n = length, or length - 1 if not `periodic`.

    Args:
        length: how many numbers the window has
        periodic: whether n is the length, and not one less
        alpha: the constant of the formula
        beta: the factor of its cosine
        dtype: the dtype of the result, by name
        backend: the backend of the result; None for the default one
        device: the device of the result; None for the backend's default

    Shapes: -> (length,)
    Raises: ValueError if the length is below 1
    Source: NNlib ``hamming_window``
    """
    n = length if periodic else max(length - 1, 1)
    values = alpha - beta * np.cos(2 * math.pi * np.arange(length) / n)
    return asarray(values if length > 1 else np.ones(1), dtype=dtype, backend=backend, device=device)


def _choose_hop(n_fft: int, hop_length: int | None) -> int:
    return max(1, n_fft // 4) if hop_length is None else hop_length


def make_transformable(xp: Any, x: Array) -> Array:
    """Convert half types and integers, which Fourier transforms do not take, to float32."""
    known = x.dtype == xp.float32 or is_double(x) or is_complex(x)
    return x if known else xp.astype(x, xp.float32)


def _widen_window(xp: Any, window: Array, n_fft: int, columns: Array) -> Array:
    """Pad a window by zeros on both sides to n_fft, and convert it to the precision of the columns."""
    size = window.shape[0]
    if len(window.shape) != 1 or not 0 < size <= n_fft:
        raise LayerError(f"expects a window of 1 to n_fft = {n_fft} samples, got {tuple(window.shape)}")
    low = (n_fft - size) // 2
    return pad_zeros(xp.astype(window, choose_wider_dtype(xp, columns)), padding=((low, n_fft - size - low),), axes=0)


def _add_frames(xp: Any, columns: Array, hop: int) -> Array:
    """Overlap and add frames (..., frames, n), each a hop after the last: (..., n + hop (frames - 1))."""
    *leading, frames, n = columns.shape
    pieces = -(-n // hop)
    columns = pad_zeros(columns, padding=((0, pieces * hop - n),), axes=-1)
    # Piece i of frame m lies in block m + i.
    shifted = [
        pad_zeros(columns[..., i * hop : (i + 1) * hop], padding=((i, pieces - 1 - i),), axes=-2) for i in range(pieces)
    ]
    total = reduce(add, shifted)
    flat = xp.reshape(total, (*leading, (frames + pieces - 1) * hop))
    return flat[..., : n + hop * (frames - 1)]
