"""Cases of positional embeddings, computed in NumPy as products of complex numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_function, check_output, draw
from luxport_conformance.compare import Tolerance

CACHES = ops.compute_rotary_embedding_params(4, 9)
DOUBLED = ops.compute_rotary_embedding_params(4, 9, low_memory_variant=False)
POSITIONS = np.array([7, 0, 3], np.int32)
BATCHED = np.array([[7, 0, 3], [1, 2, 8]], np.int32)
X = draw(2, 3, 2, 4)
ROUNDED = Tolerance(rounding=5e-7, reason="the caches are float32")
EIGHT_DIGITS = Tolerance(rounding=1e-7, reason="sines of float32 frequencies")


def turn(x: Any, positions: Any, dims: int = 4) -> Any:
    """Rotate x (N, sequence, heads, features): multiply pairs of features, as complex numbers, by exp(i angle)."""
    half = dims // 2
    angles = np.asarray(positions, float)[..., :, None, None] / 10000.0 ** (np.arange(half) / half)
    pairs = (x[..., :half] + 1j * x[..., half:dims]) * np.exp(1j * angles)
    return np.concatenate([pairs.real, pairs.imag, x[..., dims:]], -1)


SINES = luxport.SinusoidalPositionalEmbedding(4, min_freq=0.01, max_freq=1.0)

CASES: list[Case] = [
    check_function(
        "apply_rotary_embedding.from_0",
        ("lux: RoFormer's rotation, feature i with feature i + dims / 2",),
        lambda x, cos, sin: (
            ops.apply_rotary_embedding(x, cos, sin),
            ops.apply_rotary_embedding(luxport.namespace(x).moveaxis(x, 1, 2), cos, sin, seq_axis=2),
        ),
        *(X, *CACHES.values()),
        expected=lambda x, cos, sin: (turn(x, np.arange(3)), np.moveaxis(turn(x, np.arange(3)), 1, 2)),
        tolerance=ROUNDED,
    ),
    check_function(
        "apply_rotary_embedding.positions",
        ("lux: positions choose rows of the caches",),
        lambda x, cos, sin, positions, batched: (
            ops.apply_rotary_embedding(x, cos, sin, positions),
            ops.apply_rotary_embedding(x, cos, sin, batched),
        ),
        *(X, *DOUBLED.values(), POSITIONS, BATCHED),
        expected=lambda x, cos, sin, positions, batched: (turn(x, positions), turn(x, batched)),
        tolerance=ROUNDED,
    ),
    check_output(
        "rotary_positional_embedding.partial",
        ("lux: features beyond dims are left as they are, says the documentation",),
        luxport.RotaryPositionalEmbedding(4, max_sequence_length=6),
        draw(2, 3, 2, 7),
        y=lambda x, ps, st: turn(x, np.arange(3)),
        tolerance=ROUNDED,
    ),
    *[
        check_error(f"rotary_positional_embedding.{id}", (source,), layer, draw(2, 3, 2, 4), message=message)
        for id, source, layer, message in (
            (
                "too_long",
                "lux: a sequence longer than the caches is an error",
                luxport.RotaryPositionalEmbedding(4, max_sequence_length=2),
                "RotaryPositionalEmbedding expects a sequence of at most 2, got 3",
            ),
            (
                "too_wide",
                "lux: dims is at most the features of a head",
                luxport.RotaryPositionalEmbedding(6),
                "expects caches of 3 or 6 columns for an even number of features of at least 6, got 3 and 4",
            ),
        )
    ],
    check_output(
        "sinusoidal_positional_embedding.formula",
        ("lux: sines then cosines at max_freq down to min_freq, times sqrt(2 / dims)",),
        SINES,
        draw(3, 2),
        y=lambda x, ps, st: (
            np.concatenate([np.sin(x[..., None] * [1.0, 0.01]), np.cos(x[..., None] * [1.0, 0.01])], -1) * 0.5**0.5
        ),
        state={"sigmas": np.array([1.0, 0.01])},
        tolerance=EIGHT_DIGITS,
    ),
    check_output(
        "sinusoidal_positional_embedding.integers",
        ("lux: positions may be integers",),
        luxport.SinusoidalPositionalEmbedding(2, scale=3.0, full_turns=True, max_freq=0.25),
        np.arange(4, dtype=np.int32),
        y=[[0.0, 3.0], [3.0, 0.0], [0.0, -3.0], [-3.0, 0.0]],
        tolerance=Tolerance(rounding=2e-6, reason="sines of float32 frequencies"),
    ),
    check_error(
        "sinusoidal_positional_embedding.odd",
        ("luxport: half of the features are sines",),
        lambda: luxport.SinusoidalPositionalEmbedding(5),
        raises=ValueError,
        message="expects an even number of features, got 5",
    ),
]
