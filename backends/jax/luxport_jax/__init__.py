"""The JAX backend. It never changes JAX's global configuration: users decide about 64-bit mode."""

from __future__ import annotations

import ast

import jax
import jax.export
import jax.numpy

from luxport.core.flat import FlatParameters, flatten_view
from luxport.tree.static import Static, flatten_static, unflatten_static
from luxport_jax import ops as ops
from luxport_jax.arrays import asarray as asarray
from luxport_jax.arrays import device_of as device_of
from luxport_jax.arrays import devices as devices
from luxport_jax.arrays import from_dlpack as from_dlpack
from luxport_jax.arrays import owns_type as owns_type
from luxport_jax.arrays import to_numpy as to_numpy
from luxport_jax.distributed import start_collectives as start_collectives
from luxport_jax.keys import draw_later as draw_later
from luxport_jax.keys import key_words as key_words
from luxport_jax.loops import loop_steps as loop_steps
from luxport_jax.loops import scan as scan
from luxport_jax.loops import scan_layers as scan_layers
from luxport_jax.packing import cut_rows as cut_rows
from luxport_jax.packing import join_rows as join_rows
from luxport_jax.packing import most_joined as most_joined
from luxport_jax.parallel import parallel_program as parallel_program
from luxport_jax.parallel import start_devices as start_devices
from luxport_jax.programs import checkpoint as checkpoint
from luxport_jax.programs import jit as jit
from luxport_jax.transforms import are_constants as are_constants
from luxport_jax.transforms import custom_vjp as custom_vjp
from luxport_jax.transforms import jacobian as jacobian
from luxport_jax.transforms import jvp as jvp
from luxport_jax.transforms import stop_gradient as stop_gradient
from luxport_jax.transforms import value_and_grad as value_and_grad
from luxport_jax.transforms import vjp as vjp

name = "jax"
xp = jax.numpy

capabilities = frozenset({"gradients", "custom gradients", "constants", "compiler", "scan", "loops", "checkpoint"})
capabilities |= {"own keys", "sorted keys", "donation", "collectives", "parallel program", "packed state"}

jax.tree_util.register_pytree_node(Static, flatten_static, unflatten_static)
# An exported program stores the values of `Static` arguments as Python literals.
jax.export.register_pytree_node_serialization(
    Static,
    serialized_name="luxport.Static",
    serialize_auxdata=lambda static: repr(static.value).encode(),
    deserialize_auxdata=lambda text: Static(ast.literal_eval(text.decode())),
    from_children=lambda aux_data, children: aux_data,
)
jax.tree_util.register_pytree_node(FlatParameters, flatten_view, FlatParameters.from_child)
