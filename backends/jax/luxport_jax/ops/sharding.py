"""Operations on a mesh with explicit axes, where sharding is part of an array's type.

JAX cannot derive the sharding of these operations' results. They get the sharding of the batch, and inside of the
operations the compiler decides.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import PartitionSpec

from luxport import ops
from luxport.ops import definition_of, shapes
from luxport_jax.ops.indices import embedding as checked_embedding
from luxport_jax.ops.normalization import batch_norm as compiled_batch_norm
from luxport_jax.ops.random_bits import alpha_dropout as compiled_alpha_dropout
from luxport_jax.ops.random_bits import dropout as compiled_dropout

__all__ = [
    "adaptive_lp_pool", "adaptive_max_pool", "adaptive_mean_pool", "alpha_dropout", "apply_rotary_embedding",
    "batch_norm", "dropout", "embedding", "gather", "group_norm", "mean_pool_nd", "normalize", "pixel_shuffle",
    "reshape_samples", "resize_nearest", "upsample_linear", "upsample_nearest",
]  # fmt: skip


def _spread(operation: Callable[..., Any], keeps: int | None = 1, like: int = 0) -> Callable[..., Any]:
    """Return an operation whose result has the sharding of its argument at index `like`.

    The result's first `keeps` axes (all if None) are sharded like the argument's; its other axes, and further results,
    are replicated. Inside of the operation, the compiler chooses shardings.
    """

    @functools.wraps(operation)
    def function(*arrays: Any, **options: Any) -> Any:
        placed = jax.typeof(arrays[like]).sharding
        mesh = jax.sharding.get_abstract_mesh()
        if mesh.empty and placed.mesh.explicit_axes:  # the user has set no mesh: use the array's
            with jax.sharding.use_abstract_mesh(placed.mesh):
                return function(*arrays, **options)
        if not mesh.explicit_axes:
            return operation(*arrays, **options)
        spec = tuple(placed.spec)[:keeps]
        present = [i for i, array in enumerate(arrays) if array is not None]

        def inside(*given: Any) -> Any:
            filled = dict(zip(present, given, strict=True))
            return operation(*[filled.get(i) for i in range(len(arrays))], **options)

        given = [arrays[i] for i in present]
        first, *others = jax.tree.leaves(found := _describe(inside, given))
        leaves = [PartitionSpec(*spec[: first.ndim]), *[PartitionSpec() for _ in others]]
        results = jax.tree.unflatten(jax.tree.structure(found), leaves)
        # Compiled, because otherwise each array that is made in the operation would need a sharding.
        return jax.sharding.auto_axes(jax.jit(inside), out_sharding=results)(*given)

    return function


def _describe(function: Callable[..., Any], arrays: list[Any]) -> Any:
    """Return shapes and dtypes of the result, computed for arrays without sharding."""
    plain = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays]
    with jax.sharding.use_abstract_mesh(jax.sharding.AbstractMesh((), ())):
        return jax.eval_shape(function, *plain)


dropout = _spread(compiled_dropout, keeps=None)
alpha_dropout = _spread(compiled_alpha_dropout, keeps=None)
embedding = _spread(checked_embedding, keeps=None, like=1)
gather = _spread(definition_of(ops.gather), keeps=None, like=1)
batch_norm = _spread(compiled_batch_norm, keeps=None)
group_norm = _spread(definition_of(ops.group_norm), keeps=None)
normalize = _spread(definition_of(ops.normalize), keeps=None)
apply_rotary_embedding = _spread(definition_of(ops.apply_rotary_embedding), keeps=None)
adaptive_lp_pool = _spread(definition_of(ops.adaptive_lp_pool))
adaptive_max_pool = _spread(definition_of(ops.adaptive_max_pool))
adaptive_mean_pool = _spread(definition_of(ops.adaptive_mean_pool))
mean_pool_nd = _spread(definition_of(ops.mean_pool_nd))
reshape_samples = _spread(definition_of(shapes.reshape_samples))
resize_nearest = _spread(definition_of(ops.resize_nearest))
pixel_shuffle = _spread(definition_of(ops.pixel_shuffle))
upsample_linear = _spread(definition_of(ops.upsample_linear))
upsample_nearest = _spread(definition_of(ops.upsample_nearest))
