"""The PyTorch backend."""

from __future__ import annotations

import sys

import torch
import torch.utils._pytree

from luxport.backend import adopt_type, ask_when_compiling
from luxport.core.flat import FlatParameters
from luxport.training._state import TrainState
from luxport.tree.static import Static
from luxport_torch import ops as ops
from luxport_torch import xp as xp
from luxport_torch.arrays import asarray as asarray
from luxport_torch.arrays import device_of as device_of
from luxport_torch.arrays import devices as devices
from luxport_torch.arrays import from_dlpack as from_dlpack
from luxport_torch.arrays import owns_type as owns_type
from luxport_torch.arrays import to_numpy as to_numpy
from luxport_torch.autocast import casts as casts
from luxport_torch.compiling import jit as jit
from luxport_torch.custom_gradients import custom_vjp as custom_vjp
from luxport_torch.distributed import start_collectives as start_collectives
from luxport_torch.training import train_program as train_program
from luxport_torch.transforms import checkpoint as checkpoint
from luxport_torch.transforms import jacobian as jacobian
from luxport_torch.transforms import jvp as jvp
from luxport_torch.transforms import stop_gradient as stop_gradient
from luxport_torch.transforms import value_and_grad as value_and_grad
from luxport_torch.transforms import vjp as vjp

name = "torch"

capabilities = frozenset(
    {"gradients", "custom gradients", "compiler", "checkpoint", "autocast", "training program", "collectives"}
)

torch.utils._pytree.register_pytree_node(
    Static,
    lambda static: ([], static.value),
    lambda children, value: Static(value),
    serialized_type_name="luxport.Static",
)
torch.utils._pytree.register_pytree_node(
    FlatParameters,
    lambda flat: ([flat.vector], flat.layout),
    lambda children, layout: FlatParameters.from_child(layout, children),
    serialized_type_name="luxport.FlatParameters",
)
torch.utils._pytree._private_register_pytree_node(  # PyTorch takes no subclass of a named tuple for one
    TrainState,
    lambda state: (list(state), None),
    lambda children, _: TrainState(*children),
    serialized_type_name="luxport.TrainState",
)

ask_when_compiling(torch.compiler.is_compiling)

# torch.compile must find these already known: it cannot trace the import of a backend.
for _type in (torch.Tensor, torch.nn.Parameter):
    adopt_type(_type, sys.modules[__name__])  # type: ignore[arg-type]
