"""Compare every layer on a JAX mesh with explicit axes, its batch split over devices, with one device: `make meshes`.

The meshes are four devices in a row, and two by two, where the second axis holds copies.

Values and gradients are compared with those on one device, compiled, and with ``--eager`` also operation by operation.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from typing import Any

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from luxport import tree
from luxport_conformance.examples import EXAMPLES, Example, Flags, Indices

BATCH = 8
OTHER_AXES = {"GRU(3, 2, time_major=True)": 1}
"""Layers whose batch axis is not the first."""
LEFT_OUT = ("SelectDim(0, -1)", "StatefulRecurrentCell(RNNCell(3, 2), batch_size=5)")
"""The first removes the batch, and the second has a fixed batch size."""
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def main(names: list[str], eager: bool) -> int:
    """Run all comparisons and print the failures; return their number."""
    meshes = {"four": jax.make_mesh((4,), ("batch",)), "two by two": jax.make_mesh((2, 2), ("batch", "model"))}
    ways = [(shape, how) for shape in meshes for how in (("compiled", "eager") if eager else ("compiled",))]
    failed = runs = 0
    for name, examples in EXAMPLES.items():
        for example in examples:
            if (names and name not in names) or str(example) in LEFT_OUT:
                continue
            for shape, how in ways:
                runs += 1
                try:
                    compare_with_one_device(example, meshes[shape], compiled=how == "compiled")
                except Exception as error:
                    failed += 1
                    print(f"{shape}, {how}: {example}: {type(error).__name__}: {str(error)[:500]}", flush=True)
    print(f"{runs} runs, {failed} failed")
    return failed


def compare_with_one_device(example: Example, mesh: Any, *, compiled: bool) -> None:
    """Compare a layer on the mesh with itself on one device."""
    axis = OTHER_AXES.get(str(example), 0)
    x, ps, st = map(to_jax, dataclasses.replace(example, x=set_batch_size(example.x, axis)).draw_values())
    loss = make_loss(example)
    floats = all(leaf.dtype.kind == "f" for leaf in tree.leaves(x))
    gradient = jax.value_and_grad(loss, (0, 1) if floats else 0, has_aux=True)
    want = jax.jit(gradient, compiler_options=QUICK)(ps, x, st)
    with jax.set_mesh(mesh):
        spread = put_on_mesh(x, mesh, PartitionSpec(*[None] * axis, "batch"))
        whole = put_on_mesh(ps, mesh, PartitionSpec()), put_on_mesh(st, mesh, PartitionSpec())
        program = jax.jit(gradient, compiler_options=QUICK) if compiled else gradient
        got = program(whole[0], spread, whole[1])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=1e-5), got, want)


def make_loss(example: Example) -> Callable[..., Any]:
    """Return a function that computes a sum of every output, with the outputs and the state as auxiliary values."""

    def loss(ps: Any, x: Any, st: Any) -> Any:
        y, st = example.layer(x, ps, st)
        return sum(jnp.sum(jnp.sin(leaf.astype(jnp.float32))) for leaf in tree.leaves(y)), (y, st)

    return loss


def set_batch_size(x: Any, axis: int) -> Any:
    """Set the batch size of shapes to one that the devices divide."""
    if isinstance(x, (Indices, Flags)):
        return dataclasses.replace(x, shape=set_batch_size(x.shape, axis))
    if all(isinstance(n, int) for n in x):
        return (*x[:axis], BATCH, *x[axis + 1 :])
    return tuple([set_batch_size(part, axis) for part in x])


def to_jax(values: Any) -> Any:
    """Copy a tree to JAX, with floating-point arrays as float32."""
    return tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32 if leaf.dtype.kind == "f" else leaf.dtype), values)


def put_on_mesh(values: Any, mesh: Any, spec: Any) -> Any:
    """Place arrays on the mesh."""
    return jax.tree.map(lambda leaf: jax.device_put(leaf, NamedSharding(mesh, spec)), values)


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(1 if main([name for name in given if name != "--eager"], "--eager" in given) else 0)
