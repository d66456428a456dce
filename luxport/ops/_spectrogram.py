"""Spectrograms, decibels and mel filters."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from luxport.backend import Array, Backend, asarray, namespace
from luxport.backend.arguments import check_call
from luxport.backend.dtypes import choose_wider_dtype, require_real_numbers
from luxport.backend.option_rules import (
    FINITE,
    FLAG,
    NON_NEGATIVE,
    POSITIVE,
    allow_count,
    allow_none,
)
from luxport.errors import LayerError, shape_text
from luxport.ops._operation import operation
from luxport.ops._padding import pad_zeros
from luxport.ops._spectral import FRAMES, MADE, expect_signals, make_transformable, stft
from luxport.text import warn

__all__ = ["db_to_power", "melscale_filterbanks", "power_to_db", "spectrogram"]


def _expect_some(s: Array, **options: Any) -> None:
    if 0 in tuple(s.shape):
        raise LayerError(f"expects at least one entry in s, got {shape_text(s)}")


@operation(
    takes="x numbers (..., L), window real (n)?",
    rules={**FRAMES, "pad": allow_count(0), "power": FINITE, "window_normalized": FLAG},
    check=expect_signals,
)
def spectrogram(
    x: Array,
    window: Array | None = None,
    *,
    n_fft: int,
    hop_length: int | None = None,
    pad: int = 0,
    center: bool = True,
    power: float = 2.0,
    normalized: bool = False,
    window_normalized: bool = False,
) -> Array:
    """Return ``abs(stft + eps) ** power``, or the transform itself if power is 0.

    eps, the dtype's distance from 1 to the next number, keeps the gradient of a silent signal finite.

    Args:
        n_fft: how many samples a frame has
        hop_length: how many samples later the next frame starts; None for n_fft / 4
        pad: how many zeros are put on both ends of x first
        center: whether frame m is centered at sample ``m hop_length`` of x, mirrored at its ends, or starts there
        power: the exponent; 0 for the transform itself
        normalized: whether the transform is divided by the square root of n_fft
        window_normalized: whether the transform is divided by the window's norm

    Shapes: x (..., L) real, window (at most n_fft,) -> (..., frames, n_fft / 2 + 1)
    Raises: LayerError and ValueError as `stft`
    Source: NNlib ``spectrogram``
    """
    xp = namespace(x, window)
    x = make_transformable(xp, x)
    if window is not None:  # once, so that the two parts of its gradient are added before they are rounded
        window = xp.astype(window, choose_wider_dtype(xp, x))
    if pad:
        x = pad_zeros(x, padding=pad, axes=-1)
    y = stft(x, window, n_fft=n_fft, hop_length=hop_length, center=center, normalized=normalized)
    if window_normalized and window is not None:
        y = y / xp.astype(xp.sqrt(xp.sum(window * window)), y.dtype)
    if power <= 0:
        return y
    size = xp.abs(y + float(xp.finfo(choose_wider_dtype(xp, x)).eps))
    return size * size if power == 2 else size**power


@operation(
    takes="s real",
    rules={"ref": POSITIVE, "amin": POSITIVE, "top_db": allow_none(NON_NEGATIVE)},
    check=_expect_some,
)
def power_to_db(s: Array, *, ref: float = 1.0, amin: float = 1e-10, top_db: float | None = 80.0) -> Array:
    """Return ``10 log10(s / ref)``: powers in decibels.

    Args:
        ref: the power that is 0 dB
        amin: the smallest power that s and ref count as
        top_db: how far below the largest decibels the result may be; None for any distance

    Shapes: s (...) real -> like s
    Source: NNlib ``power_to_db``

    >>> import numpy as np
    >>> print(power_to_db(np.array([1.0, 0.1, 1e-20])))
    [  0. -10. -80.]
    """
    xp = namespace(s)
    s = require_real_numbers(xp, s, "power_to_db")
    levels = 10.0 * (xp.log10(xp.clip(s, min=amin)) - math.log10(max(amin, ref)))
    return levels if top_db is None else xp.maximum(levels, xp.max(levels) - top_db)


@operation(takes="levels real", rules={"ref": FINITE})
def db_to_power(levels: Array, *, ref: float = 1.0) -> Array:
    """Return ``ref 10^(levels / 10)``: undo `power_to_db`.

    Args:
        ref: the power that is 0 dB

    Shapes: levels (...) real -> like levels
    Source: NNlib ``db_to_power``
    """
    xp = namespace(levels)
    return ref * xp.exp(require_real_numbers(xp, levels, "db_to_power") * (math.log(10.0) / 10.0))


@check_call(
    rules={
        "n_freqs": allow_count(1),
        "n_mels": allow_count(1),
        "sample_rate": POSITIVE,
        "fmin": NON_NEGATIVE,
        "fmax": allow_none(POSITIVE),
        **MADE,
    }
)
def melscale_filterbanks(
    *,
    n_freqs: int,
    n_mels: int,
    sample_rate: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    dtype: str = "float32",
    backend: str | Backend | None = None,
    device: str | None = None,
) -> Array:
    """Return triangular filters over the frequencies 0 to ``sample_rate / 2``, with peaks of 1 evenly spaced in mels.

    ``mel = 2595 log10(1 + f / 700)``. A mel spectrogram is ``spectrogram @ filterbanks.T``.

    Args:
        n_freqs: how many frequencies there are
        n_mels: how many triangles there are
        sample_rate: how many samples a second has
        fmin: the frequency at which the first triangle begins
        fmax: the frequency at which the last triangle ends; None for half the sample rate
        dtype: the dtype of the result, by name
        backend: the backend of the result; None for the default one
        device: the device of the result; None for the backend's default

    Shapes: -> (n_mels, n_freqs)
    Raises: a warning if a triangle lies between two frequencies and is all 0
    Source: NNlib ``melscale_filterbanks``

    >>> melscale_filterbanks(n_freqs=200, n_mels=8, sample_rate=16000).shape
    (8, 200)
    """
    top = float(sample_rate // 2)
    low, high = (2595 * math.log10(1 + f / 700) for f in (fmin, top if fmax is None else fmax))
    corners = 700 * (10 ** (np.linspace(low, high, n_mels + 2) / 2595) - 1)
    frequencies = np.linspace(0.0, top, n_freqs)
    rising = (frequencies - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - frequencies) / np.diff(corners)[1:, None]
    banks = np.maximum(0.0, np.minimum(rising, falling))
    if n_freqs and not banks.max(axis=1).all():
        warn(
            f"a mel filter has no frequency inside: fewer n_mels than {n_mels} or more n_freqs than {n_freqs} expected"
        )
    return asarray(banks, dtype=dtype, backend=backend, device=device)
