"""Windows as attributes of ONNX's operators."""

from __future__ import annotations

from typing import Any

from luxport.ops.windows import Pairs, Sizes

__all__ = ["write_windows"]


def write_windows(window: Sizes, *, stride: Sizes, padding: Pairs, dilation: Sizes) -> dict[str, Any]:
    """Return the attributes of windows; those of usual value are None, and left out of the model."""
    return {
        "kernel_shape": list(window),
        "strides": None if set(stride) == {1} else list(stride),
        "pads": [low for low, _ in padding] + [high for _, high in padding] if any(map(any, padding)) else None,
        "dilations": None if set(dilation) == {1} else list(dilation),
    }
