"""PyTorch's own versions of operations, one file a family."""

from luxport_torch.ops.activations import relu, sigmoid, tanh
from luxport_torch.ops.affine import dense

__all__ = ["dense", "relu", "sigmoid", "tanh"]
