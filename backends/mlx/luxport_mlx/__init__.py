"""The MLX backend."""

from __future__ import annotations

from luxport_mlx import ops as ops
from luxport_mlx import xp as xp
from luxport_mlx.arrays import asarray as asarray
from luxport_mlx.arrays import device_of as device_of
from luxport_mlx.arrays import devices as devices
from luxport_mlx.arrays import from_dlpack as from_dlpack
from luxport_mlx.arrays import owns_type as owns_type
from luxport_mlx.arrays import to_numpy as to_numpy
from luxport_mlx.transforms import checkpoint as checkpoint
from luxport_mlx.transforms import custom_vjp as custom_vjp
from luxport_mlx.transforms import jacobian as jacobian
from luxport_mlx.transforms import jit as jit
from luxport_mlx.transforms import jvp as jvp
from luxport_mlx.transforms import stop_gradient as stop_gradient
from luxport_mlx.transforms import value_and_grad as value_and_grad
from luxport_mlx.transforms import vjp as vjp

name = "mlx"

capabilities = frozenset({"gradients", "custom gradients", "compiler", "checkpoint"})
