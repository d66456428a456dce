"""Whether an infinity may come to an operator that makes NaN of it."""

from __future__ import annotations

import numpy as np

from luxport_onnx.graph import Array

__all__ = ["may_be_infinite"]

_PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})


def may_be_infinite(x: Array, sign: int = 1) -> bool:
    """Tell whether an infinity of this sign may come from an input or a constant, entry by entry.

    What comes out of a product is infinite only where it overflows: behind one, graphs are as everybody expects them.
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
