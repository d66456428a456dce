"""Cases of transformer layers, compared with the formulas of their docstrings in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_output, draw
from luxport_conformance.compare import Tolerance

SOURCE = ("Vaswani et al. (2017)", "torch: TransformerEncoderLayer and TransformerDecoderLayer, norms after or before")
ROUNDED = Tolerance(reduction=40)


def normalize(x: Any, ps: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * ps["scale"] + ps["bias"]


def multiply(x: Any, ps: Any) -> Any:
    return x @ ps["weight"] + ps["bias"]


def attend(x: Any, keys: Any, ps: Any, causal: bool = False) -> Any:
    """Compute attention with two heads of two features in NumPy."""
    q, k, v = (multiply(a, ps[f"{n}_proj"]) for n, a in (("q", x), ("k", keys), ("v", keys)))
    outputs = []
    for head in (slice(0, 2), slice(2, 4)):
        scores = q[..., head] @ np.swapaxes(k[..., head], -1, -2) / np.sqrt(2.0)
        if causal:
            scores = np.where(np.tril(np.ones(scores.shape[-2:], bool)), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        outputs.append(scores / scores.sum(-1, keepdims=True) @ v[..., head])
    return multiply(np.concatenate(outputs, -1), ps["out_proj"])


def feed_forward(x: Any, ps: Any) -> Any:
    return multiply(np.maximum(multiply(x, ps["dense_1"]), 0.0), ps["dense_2"])


def encode(x: Any, ps: Any, st: Any) -> Any:
    x = normalize(x + attend(x, x, ps["attention"]), ps["norm_1"])
    return normalize(x + feed_forward(x, ps), ps["norm_2"])


def decode(x: Any, ps: Any, st: Any) -> Any:
    x, memory = x
    y = normalize(x, ps["norm_1"])
    x = x + attend(y, y, ps["attention"], causal=True)
    x = x + attend(normalize(x, ps["norm_2"]), memory, ps["memory_attention"])
    return x + feed_forward(normalize(x, ps["norm_3"]), ps)


ENCODER = luxport.TransformerEncoderLayer(4, 6, nheads=2)
DECODER = luxport.TransformerDecoderLayer(4, 6, nheads=2, norm_first=True, is_causal=True)

CASES: list[Case] = [
    check_output("transformer.encoder", SOURCE, ENCODER, draw(2, 3, 4), y=encode, tolerance=ROUNDED),
    check_output("transformer.decoder", SOURCE, DECODER, (draw(2, 3, 4), draw(2, 5, 4)), y=decode, tolerance=ROUNDED),
    check_error(
        "transformer.memory",
        ("luxport: a decoder has two inputs",),
        DECODER,
        draw(2, 3, 4),
        message=r"TransformerDecoderLayer expects \(x, memory\), and masks and biases of both if there are any",
    ),
    check_output(
        "prelu.channels",
        ("He et al. (2015)",),
        luxport.PReLU(3),
        draw(2, 3, 4),
        y=lambda x, ps, st: np.where(x > 0, x, ps["weight"][:, None] * x),
    ),
    check_error(
        "prelu.other_channels",
        ("luxport: as many weights as channels",),
        luxport.PReLU(3),
        draw(2, 4),
        message=r"PReLU expects \(N, 3, ...\), got \(2, 4\)",
    ),
]
