"""The PyTorch backend."""

from __future__ import annotations

import sys

import array_api_compat.torch as xp
import torch
import torch.utils._pytree

from luxport.backend import adopt_type, ask_when_compiling
from luxport.core.flat import FlatParameters
from luxport.training._state import TrainState
from luxport.tree.static import Static
from luxport_torch import ops
from luxport_torch.arrays import asarray, device_of, devices, from_dlpack, owns_type, to_numpy
from luxport_torch.casting import casts
from luxport_torch.distributed import start_collectives
from luxport_torch.training import train_program
from luxport_torch.transforms import (
    checkpoint,
    custom_vjp,
    jacobian,
    jit,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)

__all__ = [
    "asarray",
    "capabilities",
    "casts",
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
    "start_collectives",
    "stop_gradient",
    "to_numpy",
    "train_program",
    "value_and_grad",
    "vjp",
    "xp",
]

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
torch.utils._pytree._private_register_pytree_node(  # a subclass of a named tuple is none to PyTorch
    TrainState,
    lambda state: (list(state), None),
    lambda children, _: TrainState(*children),
    serialized_type_name="luxport.TrainState",
)

ask_when_compiling(torch.compiler.is_compiling)

# torch.compile must find these already known: it cannot trace the import of a backend.
for _type in (torch.Tensor, torch.nn.Parameter):
    adopt_type(_type, sys.modules[__name__])  # type: ignore[arg-type]
