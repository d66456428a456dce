"""Cases of the short-time Fourier transform, compared with explicit sums, and of its inverse."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

import luxport
from luxport import LayerError, ops
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import check_error, check_fact, check_function, check_gradient, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:testsuite/spectral.jl"
SUM = Tolerance(reduction=256)


def transform(x: Any, window: Any, n_fft: int, hop: int, center: bool = True) -> Any:
    """Compute the transform by multiplying each frame by the matrix of the discrete Fourier transform."""
    if center:
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode="reflect")
    full = np.zeros(n_fft)
    low = (n_fft - len(window)) // 2
    full[low : low + len(window)] = window
    frames = [x[..., at : at + n_fft] * full for at in range(0, x.shape[-1] - n_fft + 1, hop)]
    turns = np.outer(np.arange(n_fft), np.arange(n_fft // 2 + 1)) / n_fft
    return np.stack(frames, -2) @ np.exp(-2j * math.pi * turns)


def hann(n: int) -> Any:
    """Return the periodic Hann window."""
    return (1 - np.cos(2 * math.pi * np.arange(n) / n)) / 2


def _check_inverse(id: str, lines: tuple[int, ...], shape: tuple[int, ...], *settings: dict[str, Any]) -> Case:
    """Check that the inverse transform restores the signal, for several settings."""

    def program(x: Any, window: Any) -> Any:
        results = []
        for setting in settings:
            options = {name: value for name, value in setting.items() if name not in ("window", "length")}
            given = window if setting.get("window") else None
            y = ops.stft(x, given, **options)
            length = x.shape[-1] if setting.get("length", True) else None
            results.append(ops.istft(y, given, **options, original_length=length))
        return tuple(results)

    def expect_results(x: Any, window: Any) -> Any:
        results = []
        for setting in settings:
            n_fft = setting["n_fft"]
            hop = setting.get("hop_length", n_fft // 4)
            kept = x.shape[-1] if setting.get("length", True) else (x.shape[-1] + n_fft // 2 * 2 - n_fft) // hop * hop
            results.append(x[..., :kept])
        return tuple(results)

    return check_function(
        f"istft.{id}", cite(FILE, *lines), program, *(draw(*shape), hann(64)), expected=expect_results, tolerance=SUM
    )


X = draw(200)
WINDOW = hann(64)

CASES: list[Case] = [
    *[
        check_function(
            f"{name}.values",
            cite(FILE, 12, 13, 16, 18),
            lambda x, make=make: tuple(
                [make(10, periodic=periodic, backend=luxport.backend_of(x)) for periodic in (True, False)]
            ),
            np.zeros(1),
            expected=tuple([a - b * np.cos(2 * math.pi * np.arange(10) / n) for n in (10, 9)]),
            dtypes=("float32",),
            compiles=False,  # they are computed on the host
        )
        for name, make, a, b in (
            ("hann_window", ops.hann_window, 0.5, 0.5),
            ("hamming_window", ops.hamming_window, 0.54, 0.46),
        )
    ],
    check_function(
        "stft.of_ones",
        cite(FILE, 48, 49),
        lambda x: luxport.namespace(x).real(ops.stft(x, n_fft=16)),
        np.ones((3, 16)),
        expected=np.broadcast_to(16.0 * (np.arange(9) == 0), (3, 5, 9)),
        tolerance=SUM,
    ),
    check_function(
        "stft.sums",
        ("luxport: the sums of the transform, written out",),
        lambda x, window: (
            ops.stft(x, window, n_fft=64),
            ops.stft(x, window, n_fft=65, hop_length=7, center=False, normalized=True),
        ),
        *(X, WINDOW),
        expected=lambda x, window: (
            transform(x, window, 64, 16),
            transform(x, window, 65, 7, center=False) / math.sqrt(65),
        ),
        tolerance=Tolerance(
            reduction=256, factor=4.0, reason="in float64 the sums wanted are off by 30 eps: sines of angles up to 400"
        ),
    ),
    _check_inverse("of_ones", (52, 53), (3, 16), {"n_fft": 16, "length": False}),
    _check_inverse("many_hops", (59,), (256,), {"n_fft": 128, "length": False}),
    _check_inverse("odd_size", (65, 70, 71), (2, 139), {"n_fft": 32}, {"n_fft": 32, "length": False}),
    _check_inverse("normalized", (79,), (155,), {"n_fft": 64, "normalized": True}),
    _check_inverse("window", (85,), (155,), {"n_fft": 64, "window": True}),
    _check_inverse("hops", (91,), (155,), *[{"n_fft": 64, "hop_length": hop} for hop in (4, 5, 31, 32, 63, 64)]),
    _check_inverse("sizes", (98,), (155,), *[{"n_fft": n} for n in (8, 9, 16, 17, 32, 33, 64)]),
    check_function(
        "istft.complex",
        ("luxport: a complex signal comes back, all of it",),
        lambda x, window: ops.istft(
            ops.stft(x, window, n_fft=64), window, n_fft=64, return_complex=True, original_length=155
        ),
        *(draw(155) + 1j * draw(155, seed=1), WINDOW),
        expected=lambda x, window: x,
        tolerance=SUM,
    ),
    check_function(
        "spectrogram.is_power",
        cite(FILE, 113, 135),
        lambda x, window: (
            ops.spectrogram(x, window, n_fft=64, hop_length=8),
            ops.spectrogram(x[0, ...], window, n_fft=64, hop_length=8, pad=2, power=1, window_normalized=True),
        ),
        *(draw(3, 200), WINDOW),
        expected=lambda x, window: (
            np.abs(transform(x, window, 64, 8)) ** 2,
            np.abs(transform(np.pad(x[0], 2), window, 64, 8)) / np.linalg.norm(window),
        ),
        tolerance=SUM,
    ),
    check_gradient(
        "spectrogram.gradient_of_ones",
        cite(FILE, 124),
        lambda x, window: luxport.namespace(x).sum(ops.spectrogram(x, window, n_fft=64, hop_length=8)),
        {"x": np.ones(64), "window": WINDOW},
        expected=Property("no NaN", lambda g: np.isfinite(g).all()),
    ),
    check_function(
        "power_to_db.and_back",
        cite(FILE, 157),
        lambda x: (ops.db_to_power(ops.power_to_db(x)), ops.power_to_db(x, ref=2.0, top_db=None)),
        np.abs(draw(40)) + 0.01,
        expected=lambda x: (x, 10 * np.log10(x / 2)),
        tolerance=Tolerance(reduction=30),
    ),
    check_function(
        "power_to_db.floors",
        ("librosa: power_to_db cuts below amin, and top_db below the peak",),
        lambda x: (ops.power_to_db(x), ops.power_to_db(x, top_db=None)),
        [1.0, 1e-3, 0.0],
        expected=([0.0, -30.0, -80.0], [0.0, -30.0, -100.0]),
    ),
    check_fact(
        "melscale_filterbanks.triangles",
        ("nnlib: mel = 2595 log10(1 + f / 700), triangles with peaks of 1, columns here rows",),
        lambda: _is_a_bank(ops.melscale_filterbanks(n_freqs=201, n_mels=8, sample_rate=16000, backend="numpy")),
    ),
    check_error(
        "stft.short",
        ("nnlib: stft refuses less than one frame",),
        lambda: ops.stft(np.ones(8), n_fft=16, center=False),
        raises=LayerError,
        message="expects at least n_fft = 16 samples, got 8",
    ),
]


CASES = [replace(case, complex_inside=case.subject in ("stft", "istft", "spectrogram")) for case in CASES]


def _is_a_bank(banks: Any) -> bool:
    """Return whether the filter banks are triangles whose corners are equally spaced on the mel scale."""
    top = 2595 * math.log10(1 + 8000 / 700)
    corners = [700 * (10 ** (top * i / 9 / 2595) - 1) for i in range(10)]
    frequencies = np.linspace(0, 8000, 201)
    want = [np.interp(frequencies, corners[i : i + 3], [0, 1, 0]) for i in range(8)]
    return banks.dtype.name == "float32" and bool(np.allclose(banks, want, atol=1e-6))
