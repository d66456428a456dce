"""Every layer on JAX with its batch spread over devices of a mesh with explicit axes: `make meshes`.

The mesh is four devices in a row, and two by two, of which the second axis holds copies.

Values and gradients are held against those without a mesh, compiled, and with ``--eager`` operation by operation, too.
With names of layers, only these.
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
"""Layers whose batch is not the first axis."""
LEFT_OUT = ("SelectDim(0, -1)", "StatefulRecurrentCell(RNNCell(3, 2), batch_size=5)")
"""One takes a sample out of the batch, and one is made for another batch."""
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def main(names: list[str], eager: bool) -> int:
    """Run the sweep and say what differs; return how many do."""
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
                    check(example, meshes[shape], compiled=how == "compiled")
                except Exception as error:
                    failed += 1
                    print(f"{shape}, {how}: {example}: {type(error).__name__}: {str(error)[:500]}", flush=True)
    print(f"{runs} runs, {failed} failed")
    return failed


def check(example: Example, mesh: Any, *, compiled: bool) -> None:
    """Hold a layer on the mesh against itself on one device."""
    axis = OTHER_AXES.get(str(example), 0)
    x, ps, st = map(on_jax, dataclasses.replace(example, x=widened(example.x, axis)).values())
    loss = loss_of(example)
    floats = all(leaf.dtype.kind == "f" for leaf in tree.leaves(x))
    gradient = jax.value_and_grad(loss, (0, 1) if floats else 0, has_aux=True)
    want = jax.jit(gradient, compiler_options=QUICK)(ps, x, st)
    with jax.set_mesh(mesh):
        spread = placed(x, mesh, PartitionSpec(*[None] * axis, "batch"))
        whole = placed(ps, mesh, PartitionSpec()), placed(st, mesh, PartitionSpec())
        program = jax.jit(gradient, compiler_options=QUICK) if compiled else gradient
        got = program(whole[0], spread, whole[1])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=2e-4, atol=1e-5), got, want)


def loss_of(example: Example) -> Callable[..., Any]:
    """Return a sum that depends on every output, with the outputs and the state beside it."""

    def loss(ps: Any, x: Any, st: Any) -> Any:
        y, st = example.layer(x, ps, st)
        return sum(jnp.sum(jnp.sin(leaf.astype(jnp.float32))) for leaf in tree.leaves(y)), (y, st)

    return loss


def widened(x: Any, axis: int) -> Any:
    """Give inputs a batch that the devices divide."""
    if isinstance(x, (Indices, Flags)):
        return dataclasses.replace(x, shape=widened(x.shape, axis))
    if all(isinstance(n, int) for n in x):
        return (*x[:axis], BATCH, *x[axis + 1 :])
    return tuple([widened(part, axis) for part in x])


def on_jax(values: Any) -> Any:
    """Copy to JAX, numbers as float32."""
    return tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32 if leaf.dtype.kind == "f" else leaf.dtype), values)


def placed(values: Any, mesh: Any, spec: Any) -> Any:
    """Spread arrays over the mesh."""
    return jax.tree.map(lambda leaf: jax.device_put(leaf, NamedSharding(mesh, spec)), values)


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(1 if main([name for name in given if name != "--eager"], "--eager" in given) else 0)
