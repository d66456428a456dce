"""Where MLX's kernels of whole operations pay: `have_kernels`."""

from __future__ import annotations

import mlx.core as mx

__all__ = ["have_kernels"]


def have_kernels() -> bool:
    """Tell whether operations run on a GPU, for which the kernels are written.

    On a CPU convolutions take twice to four times as long as the definition (mlx 0.32), and attention and norms are
    made of the same steps.
    """
    return mx.default_device().type != mx.cpu
