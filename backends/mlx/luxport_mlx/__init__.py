"""The MLX backend."""

from __future__ import annotations

from luxport_mlx import ops, xp
from luxport_mlx.arrays import asarray, device_of, devices, from_dlpack, owns_type, to_numpy
from luxport_mlx.transforms import checkpoint, custom_vjp, jacobian, jit, jvp, stop_gradient, value_and_grad, vjp

__all__ = [
    "asarray",
    "capabilities",
    "checkpoint",
    "custom_vjp",
    "device_of",
    "devices",
    "from_dlpack",
    "jacobian",
    "jit",
    "jvp",
    "name",
    "ops",
    "owns_type",
    "stop_gradient",
    "to_numpy",
    "value_and_grad",
    "vjp",
    "xp",
]

name = "mlx"

capabilities = frozenset({"gradients", "custom gradients", "compiler", "checkpoint"})
