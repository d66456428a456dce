"""Activation functions by JAX: mostly the definitions, compiled, so that an eager call is one program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from luxport import ops
from luxport.ops import definition_of

__all__ = [
    "celu",
    "elu",
    "erf",
    "gelu_erf",
    "gelu_sigmoid",
    "gelu_tanh",
    "glu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leakyrelu",
    "lisht",
    "logcosh",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "sigmoid",
    "softplus",
    "softshrink",
    "softsign",
    "swish",
    "tanh",
    "tanhshrink",
    "trelu",
]


def _compiled(op: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return jax.jit(definition_of(op), inline=True, **options)


def _of_floats(native: Callable[..., Any], op: Callable[..., Any]) -> Callable[..., Any]:
    """Leave every other dtype, conversions and refusals included, to the definition."""
    definition = definition_of(op)

    def function(x: Any) -> Any:
        return native(x) if jnp.issubdtype(x.dtype, jnp.floating) else definition(x)

    return function


def _erf(x: Any) -> Any:
    """One call on what is not 1 yet: its second derivative multiplies x by what vanishes."""
    return jax.lax.erf(jnp.clip(x, -10.0, 10.0))


erf = _of_floats(jax.jit(_erf, inline=True), ops.erf)
sigmoid = _of_floats(jax.nn.sigmoid, ops.sigmoid)
tanh = _of_floats(jnp.tanh, ops.tanh)

glu = _compiled(ops.glu, static_argnames="axis")
celu = _compiled(ops.celu)
elu = _compiled(ops.elu)
gelu_erf = _compiled(ops.gelu_erf)
gelu_sigmoid = _compiled(ops.gelu_sigmoid)
gelu_tanh = _compiled(ops.gelu_tanh)
hardsigmoid = _compiled(ops.hardsigmoid)
hardswish = _compiled(ops.hardswish)
hardtanh = _compiled(ops.hardtanh)
leakyrelu = _compiled(ops.leakyrelu)
lisht = _compiled(ops.lisht)
logcosh = _compiled(ops.logcosh)
logsigmoid = _compiled(ops.logsigmoid)
mish = _compiled(ops.mish)
relu = _compiled(ops.relu)
relu6 = _compiled(ops.relu6)
rrelu = _compiled(ops.rrelu)
selu = _compiled(ops.selu)
softplus = _compiled(ops.softplus)
softshrink = _compiled(ops.softshrink)
softsign = _compiled(ops.softsign)
swish = _compiled(ops.swish)
tanhshrink = _compiled(ops.tanhshrink)
trelu = _compiled(ops.trelu)
