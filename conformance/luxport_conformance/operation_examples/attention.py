"""Examples of the operations in `luxport.ops._attention`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_SUM = Tolerance(reduction=4 + 5 + 60)  # terms of sums over features, over keys, and in gradients
_MASK = np.array([[True, False, True, True, False], [False] * 5, [True] * 5])  # the second query has no visible key
_TOKENS = (draw(2, 3, 4, 4, seed=1), draw(2, 5, 2, 4, seed=2), draw(2, 5, 2, 3))
_HEADS = tuple(np.swapaxes(x, 1, 2) for x in _TOKENS)
_OPTIONS: tuple[dict[str, Any], ...] = ({"is_causal": True}, {"scale": 3.0}, {"token_axis": -2})

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "scaled_dot_product_attention": (
        *[
            OverrideExample(_HEADS if "token_axis" in options else _TOKENS, {**options, "return_scores": False}, _SUM)
            for options in _OPTIONS
        ],
        OverrideExample((*_TOKENS, None, _MASK), {"return_scores": False}, _SUM),
        OverrideExample((*_TOKENS, draw(3, 5), _MASK), tolerance=_SUM),
    ),
    "dot_product_attention": (
        OverrideExample((draw(2, 3, 4), draw(2, 5, 4, seed=1), draw(2, 5, 6)), {"nheads": 2}, _SUM),
    ),
    "dot_product_attention_scores": (OverrideExample((draw(2, 3, 2, 4), draw(2, 5, 2, 4, seed=1)), tolerance=_SUM),),
}
