"""Where MLX's fused kernels are faster than the definitions: `have_kernels`."""

from __future__ import annotations

import mlx.core as mx

__all__ = ["have_kernels"]


def have_kernels() -> bool:
    """Tell whether operations run on a GPU, for which the kernels are written.

    On a CPU (mlx 0.32) MLX's convolutions take two to four times as long as the definition; its attention and its norms
    take the same steps as the definitions do.
    """
    return mx.default_device().type != mx.cpu
