"""Random bits by JAX: the definitions, compiled also where the program around them is not."""

from __future__ import annotations

import jax

from luxport import ops
from luxport.ops._operation import definition_of

__all__ = ["alpha_dropout", "dropout", "keep_mask", "normal", "random_bits", "threefry_2x32", "uniform"]

threefry_2x32 = jax.jit(definition_of(ops.threefry_2x32))
random_bits = jax.jit(definition_of(ops.random_bits), static_argnames="shape")
uniform = jax.jit(definition_of(ops.uniform), static_argnames="shape")
normal = jax.jit(definition_of(ops.normal), static_argnames="shape")
keep_mask = jax.jit(definition_of(ops.keep_mask), static_argnames=("shape", "p"))
dropout = jax.jit(definition_of(ops.dropout), static_argnames=("p", "axes"))
alpha_dropout = jax.jit(definition_of(ops.alpha_dropout), static_argnames="p")
