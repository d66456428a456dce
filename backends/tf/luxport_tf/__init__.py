"""The TensorFlow backend."""

from __future__ import annotations

from luxport_tf import ops as ops
from luxport_tf import xp as xp
from luxport_tf.arrays import asarray as asarray
from luxport_tf.arrays import device_of as device_of
from luxport_tf.arrays import devices as devices
from luxport_tf.arrays import from_dlpack as from_dlpack
from luxport_tf.arrays import owns_type as owns_type
from luxport_tf.arrays import to_numpy as to_numpy
from luxport_tf.distributed import parallel_program as parallel_program
from luxport_tf.distributed import start_collectives as start_collectives
from luxport_tf.distributed import start_devices as start_devices
from luxport_tf.loops import scan as scan
from luxport_tf.packing import cut_rows as cut_rows
from luxport_tf.packing import join_rows as join_rows
from luxport_tf.packing import most_joined as most_joined
from luxport_tf.transforms import are_constants as are_constants
from luxport_tf.transforms import checkpoint as checkpoint
from luxport_tf.transforms import custom_vjp as custom_vjp
from luxport_tf.transforms import jacobian as jacobian
from luxport_tf.transforms import jit as jit
from luxport_tf.transforms import jvp as jvp
from luxport_tf.transforms import stop_gradient as stop_gradient
from luxport_tf.transforms import value_and_grad as value_and_grad
from luxport_tf.transforms import vjp as vjp

name = "tf"

capabilities = frozenset({"gradients", "custom gradients", "constants", "compiler", "scan"})
capabilities |= {"checkpoint", "collectives", "parallel program", "packed state"}
