"""The TensorFlow backend."""

from __future__ import annotations

from luxport_tf import ops, xp
from luxport_tf.arrays import asarray, device_of, devices, from_dlpack, owns_type, to_numpy
from luxport_tf.loops import scan
from luxport_tf.transforms import checkpoint, custom_vjp, jacobian, jit, jvp, stop_gradient, value_and_grad, vjp

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
    "scan",
    "stop_gradient",
    "to_numpy",
    "value_and_grad",
    "vjp",
    "xp",
]

name = "tf"

capabilities = frozenset({"gradients", "custom gradients", "compiler", "scan", "checkpoint"})
