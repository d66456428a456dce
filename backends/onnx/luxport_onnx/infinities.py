"""Whether an array may hold infinities: some operators make NaN of them."""

from __future__ import annotations

import numpy as np

from luxport_onnx.graph import Array

__all__ = ["may_be_infinite"]

_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def may_be_infinite(x: Array, sign: int = 1) -> bool:
    """Tell whether x may hold an infinity of this sign that an input or a constant brought in.

    Results of products are taken to be finite, though they may overflow: after a layer with weights, exported graphs
    hold the plain operators that readers expect.
    """
    left, seen = [x], {id(x)}
    while left:
        array = left.pop()
        if array.is_constant:
            if array.dtype.kind == "f" and bool(np.any(array.value == sign * np.inf)):
                return True
            continue
        if array.node is None:
            if array.dtype.kind == "f":
                return True
            continue
        if array.node.operator in _PRODUCTS:
            continue
        fresh = [one for one in array.node.inputs if one is not None and id(one) not in seen]
        seen.update(map(id, fresh))
        left += fresh
    return False
