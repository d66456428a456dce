"""JAX's overrides of activations: mostly the definitions, compiled, so that an eager call runs one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from luxport import ops
from luxport.ops import definition_of
from luxport.ops._floats_only import accept_floats

__all__ = [
    "celu", "elu", "erf", "gelu_erf", "gelu_sigmoid", "gelu_tanh", "glu", "hardsigmoid", "hardswish", "hardtanh",
    "leakyrelu", "lisht", "logcosh", "logsigmoid", "mish", "relu", "relu6", "rrelu", "selu", "sigmoid", "softplus",
    "softshrink", "softsign", "swish", "tanh", "tanhshrink", "trelu",
]  # fmt: skip


def _compile(op: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return jax.jit(definition_of(op), inline=True, **options)


def _is_floating(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def _erf(x: Any) -> Any:
    """Call JAX's function on x clipped to where erf is not yet 1, as its second derivative is NaN farther out."""
    return jax.lax.erf(jnp.clip(x, -10.0, 10.0))


erf = accept_floats(ops.erf, _is_floating)(jax.jit(_erf, inline=True))
sigmoid = accept_floats(ops.sigmoid, _is_floating)(jax.nn.sigmoid)
tanh = accept_floats(ops.tanh, _is_floating)(jnp.tanh)

glu = _compile(ops.glu, static_argnames="axis")
celu = _compile(ops.celu)
elu = _compile(ops.elu)
gelu_erf = _compile(ops.gelu_erf)
gelu_sigmoid = _compile(ops.gelu_sigmoid)
gelu_tanh = _compile(ops.gelu_tanh)
hardsigmoid = _compile(ops.hardsigmoid)
hardswish = _compile(ops.hardswish)
hardtanh = _compile(ops.hardtanh)
leakyrelu = _compile(ops.leakyrelu)
lisht = _compile(ops.lisht)
logcosh = _compile(ops.logcosh)
logsigmoid = _compile(ops.logsigmoid)
mish = _compile(ops.mish)
relu = _compile(ops.relu)
relu6 = _compile(ops.relu6)
rrelu = _compile(ops.rrelu)
selu = _compile(ops.selu)
softplus = _compile(ops.softplus)
softshrink = _compile(ops.softshrink)
softsign = _compile(ops.softsign)
swish = _compile(ops.swish)
tanhshrink = _compile(ops.tanhshrink)
trelu = _compile(ops.trelu)
