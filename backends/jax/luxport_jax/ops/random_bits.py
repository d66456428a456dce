"""JAX's overrides for random numbers: the definitions, compiled for eager calls, too."""

from __future__ import annotations

from luxport import ops
from luxport.ops._operation import definition_of
from luxport_jax.programs import compile_bounded

__all__ = ["alpha_dropout", "dropout", "keep_mask", "normal", "random_bits", "threefry_2x32", "uniform"]

threefry_2x32 = compile_bounded(definition_of(ops.threefry_2x32))
random_bits = compile_bounded(definition_of(ops.random_bits), static_argnames="shape")
uniform = compile_bounded(definition_of(ops.uniform), static_argnames="shape")
normal = compile_bounded(definition_of(ops.normal), static_argnames="shape")
keep_mask = compile_bounded(definition_of(ops.keep_mask), static_argnames=("shape", "p"))
dropout = compile_bounded(definition_of(ops.dropout), static_argnames=("p", "axes"))
alpha_dropout = compile_bounded(definition_of(ops.alpha_dropout), static_argnames="p")
