"""JAX with several devices and a mesh with explicit axes, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import jax, jax.export, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import luxport as lp
from luxport import devices

names = ["cpu", "cpu:1", "cpu:2", "cpu:3"]
assert [device.name for device in devices.list_devices("jax")] == names
there = lp.asarray([1.0], backend="jax", device="cpu:2")
assert devices.get_device(there).name == "cpu:2" and devices.get_device(there)(there).devices() == {jax.devices()[2]}

def close(a, b):
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)

mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Explicit,))
images, labels = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4, 2, 3)), jnp.float32), jnp.arange(8) % 5
for layer, x in (
    (lp.Dropout(0.5), images),
    (lp.AlphaDropout(0.5), images),
    (lp.GroupNorm(4, 2), images),
    (lp.BatchNorm(4), images),
    (lp.Upsample(2), images),
    (lp.PixelShuffle(2), images),
    (lp.Embedding(5, 3), labels),
    (lp.Embedding((5, 5), 3), (labels, labels)),
):
    ps, st = lp.setup(0, layer, backend="jax")
    want = layer(x, ps, st)
    with jax.set_mesh(mesh):
        whole = jax.tree.map(lambda leaf: jax.device_put(leaf, NamedSharding(mesh, P())), (ps, st))
        spread = jax.tree.map(lambda leaf: jax.device_put(leaf, NamedSharding(mesh, P("batch"))), x)
        got = jax.jit(layer)(spread, *whole)
        assert got[0].sharding.spec[0] == "batch", layer
        jax.tree.map(close, got, want)

# arrays that a layer makes for itself, eager and with a gradient, and samples of another shape
spread = NamedSharding(mesh, P("batch"))
rows = jnp.asarray(np.random.default_rng(1).normal(size=(8, 6, 5)), jnp.float32)
for layer in (
    lp.AdaptiveMeanPool((3,), variable_windows=True), lp.Upsample(size=7), lp.ReshapeLayer((5, -1)), lp.FlattenLayer()
):
    total = lambda x: jnp.sin(layer(x, {}, {})[0]).sum()
    want = layer(rows, {}, {})[0], jax.grad(total)(rows)
    with jax.set_mesh(mesh):
        got = layer(jax.device_put(rows, spread), {}, {})[0], jax.jit(jax.grad(total))(jax.device_put(rows, spread))
    jax.tree.map(close, got, want)
    assert got[0].sharding.spec[0] == got[1].sharding.spec[0] == "batch", layer

# without a mesh that the user names, compiled
for layer, x in ((lp.BatchNorm(4), images), (lp.Embedding(5, 3), labels), (lp.Dropout(0.5), images)):
    ps, st = lp.setup(0, layer, backend="jax")
    whole = jax.tree.map(lambda leaf: jax.device_put(leaf, NamedSharding(mesh, P())), (ps, st))
    jax.tree.map(close, jax.jit(layer)(jax.device_put(x, spread), *whole), layer(x, ps, st))

# the compiler's own gradient of a weight in groups counts what the second axis copies twice
for types, layer in (
    (AxisType.Explicit, lp.Conv((2, 2), 4, 4, groups=2)), (AxisType.Auto, lp.DepthwiseConv((2, 2), 4, 4))
):
    mesh = jax.make_mesh((2, 2), ("batch", "copies"), axis_types=(types, types))
    ps, st = lp.setup(0, layer, backend="jax")
    slope = jax.jit(jax.grad(lambda ps, x: jnp.sin(layer(x, ps, st)[0]).sum(), (0, 1)))
    whole = jax.device_put(ps, NamedSharding(mesh, P())), jax.device_put(images, NamedSharding(mesh, P("batch")))
    jax.tree.map(close, slope(*whole), slope(ps, images))

model = lp.Dropout(0.5)
ps, st = lp.setup(0, model, backend="jax")
text = jax.export.export(jax.jit(model))(images, ps, st).serialize()
again = jax.export.deserialize(text).call(images, ps, st)
jax.tree.map(np.testing.assert_array_equal, again, jax.jit(model)(images, ps, st))
assert again[1]["training"] == lp.Static(True)
print("passed")
"""


def test_layers_on_explicit_meshes_equal_one_device():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    child = subprocess.run([sys.executable, "-c", PROGRAM], env={**os.environ, **flags}, capture_output=True, text=True)
    assert child.stdout.strip() == "passed", child.stderr[-3000:]
