"""`jax.export` of layers with symbolic sizes: nothing compares sizes that are unknown."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import luxport as lp
from luxport import tree
from luxport_conformance.evaluation import place_inputs
from luxport_conformance.examples import EXAMPLES

LAYERS = {
    "one channel": (lp.Chain(lp.Conv((3, 3), 1, 4, lp.relu), lp.MaxPool((2, 2))), (1, 9, 9)),
    "recurrent": (lp.LSTM(3, 4), (5, 3)),
}
NOISE = lp.Chain(lp.BatchNorm(3), lp.Dropout(0.5), lp.GaussianNoise(0.5))
NO_BATCH = {("GRU", 1): "its first axis is time", ("StatefulRecurrentCell", 0): "its state has a batch, which is known"}


@pytest.mark.parametrize("name", LAYERS)
def test_a_free_batch_is_exported(name: str) -> None:
    model, shape = LAYERS[name]
    ps, st = lp.setup(0, model, backend="jax")
    st = lp.test_mode(st)
    (batch,) = export.symbolic_shape("batch")
    program = export.export(jax.jit(lambda x: model(x, ps, st)[0]))(jax.ShapeDtypeStruct((batch, *shape), jnp.float32))
    for size in (1, 3):
        x = jnp.asarray(np.random.default_rng(0).normal(size=(size, *shape)), jnp.float32)
        np.testing.assert_allclose(program.call(x), model(x, ps, st)[0], rtol=1e-5, atol=1e-6)


def test_training_with_random_layers_is_exported_with_a_free_batch() -> None:
    ps, st = lp.setup(0, NOISE, backend="jax")
    (batch,) = export.symbolic_shape("batch")

    def run(x: Any) -> Any:
        y, after = NOISE(x, ps, lp.train_mode(st))
        return y, after["layer_1"]["running_var"]

    program = export.export(jax.jit(run))(jax.ShapeDtypeStruct((batch, 3), jnp.float32))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)), jnp.float32)
    for got, want in zip(program.call(x), run(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_running_means_are_taken_of_a_free_batch():
    """Means may need a second sum or a branch, which must not depend on comparing free sizes."""
    layer = lp.InstanceNorm(3, track_stats=True)
    ps, st = lp.setup(0, layer, backend="jax")
    (batch,) = export.symbolic_shape("batch")

    def run(x: Any) -> Any:
        y, after = layer(x, ps, lp.train_mode(st))
        return y, after["running_mean"]

    program = export.export(jax.jit(run))(jax.ShapeDtypeStruct((batch, 3, 4, 5), jnp.float32))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3, 4, 5)), jnp.float32)
    for got, want in zip(program.call(x), run(x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "i"), [(name, i) for name in EXAMPLES for i in range(len(EXAMPLES[name])) if (name, i) not in NO_BATCH]
)
def test_every_layer_is_trained_with_a_free_batch(name: str, i: int) -> None:
    layer = EXAMPLES[name][i].layer
    x, ps, st = place_inputs(EXAMPLES[name][i], lp.backend.get_backend("jax"), "float32")
    known = tree.leaves(x)[0].shape[0]
    (batch,) = export.symbolic_shape("batch")

    def free(leaf: Any) -> Any:
        shape = (batch, *leaf.shape[1:]) if leaf.shape[0] == known else leaf.shape
        return jax.ShapeDtypeStruct(shape, leaf.dtype)

    def run(x: Any, ps: Any) -> Any:
        return layer(x, ps, lp.train_mode(st))[0]

    got = export.export(jax.jit(run))(tree.map(free, x), ps).call(x, ps)
    for mine, want in zip(tree.leaves(got), tree.leaves(run(x, ps)), strict=True):
        np.testing.assert_allclose(mine, want, rtol=1e-4, atol=1e-5)


def export_with_symbols(layer: Any, shape: str, *constraints: str) -> Any:
    """Export a layer's sum and gradients by ps and x, in test mode, for symbolic sizes."""
    ps, st = lp.setup(0, layer, backend="jax")
    st = lp.test_mode(st)

    def run(ps: Any, x: Any) -> Any:
        return jax.value_and_grad(lambda ps, x: jnp.sum(jnp.sin(tree.leaves(layer(x, ps, st)[0])[0])), (0, 1))(ps, x)

    sizes = export.symbolic_shape(shape, constraints=constraints)
    program = export.export(jax.jit(run))(ps, jax.ShapeDtypeStruct(sizes, jnp.float32))
    return lambda x: (program.call(ps, x), jax.jit(run)(ps, x))


@pytest.mark.parametrize(
    ("layer", "shape", "constraints", "sizes"),
    [
        (lp.LSTM(3, 2, bidirectional=True), "n, t, 3", (), [(1, 5, 3), (4, 1, 3)]),
        (lp.Recurrence(lp.RNNCell(3, 2), reverse=True), "2, t, 3", (), [(2, 4, 3)]),
        (lp.Upsample(1.5, "bilinear"), "n, 1, h, w", (), [(2, 1, 5, 4)]),
    ],
)
def test_free_times_and_sizes_have_gradients(
    layer: Any, shape: str, constraints: Any, sizes: list[tuple[int, ...]]
) -> None:
    program = export_with_symbols(layer, shape, *constraints)
    for size in sizes:
        got, want = program(jnp.asarray(np.random.default_rng(0).normal(size=size), jnp.float32))
        for mine, theirs in zip(tree.leaves(got), tree.leaves(want), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_undecidable_sizes_are_one_line_errors() -> None:
    with pytest.raises(lp.LayerError, match=r"MaxPool expects sizes of which it is known whether h <= 1: say which in"):
        export_with_symbols(lp.MaxPool((2, 2)), "n, 1, h, 4")
    with pytest.raises(lp.LayerError, match=r"Dense expects \(\.\.\., 3\), got \(2, f\)"):
        export_with_symbols(lp.Dense(3, 2), "2, f")
    with pytest.raises(lp.LayerError, match=r"Upsample expects a size that is known for a scale of 1\.1, got h"):
        export_with_symbols(lp.Upsample(1.1, "bilinear"), "2, 1, h, 4")
    with pytest.raises(lp.LayerError, match=r"StatefulRecurrentCell expects a batch of 5, .* got \(n, 3\)"):
        export_with_symbols(lp.StatefulRecurrentCell(lp.RNNCell(3, 2), batch_size=5), "n, 3")


# JAX itself refuses a product in a user's layer, and a mask with a fixed number of keys.
OF_JAX = ("CompactLayer", 1), ("TransformerEncoderLayer", 0)


@pytest.mark.parametrize(
    ("name", "i"),
    [(name, i) for name in EXAMPLES for i in range(len(EXAMPLES[name])) if (name, i) not in OF_JAX],
)
def test_every_layer_has_one_free_size(name: str, i: int) -> None:
    """For each axis of the first input, and axes of equal size in others: the eager result, or a one-line error."""
    layer = EXAMPLES[name][i].layer
    x, ps, st = place_inputs(EXAMPLES[name][i], lp.backend.get_backend("jax"), "float32")
    st, first = lp.test_mode(st), tree.leaves(x)[0]
    for axis, known in enumerate(first.shape):
        (size,) = export.symbolic_shape("size", constraints=[f"size >= {known}"])

        def free(leaf: Any, axis: int = axis, known: int = known, size: Any = size) -> Any:
            same = leaf.ndim > axis and leaf.shape[axis] == known
            shape = (*leaf.shape[:axis], size, *leaf.shape[axis + 1 :]) if same else leaf.shape
            return jax.ShapeDtypeStruct(shape, leaf.dtype)

        def run(x: Any, ps: Any) -> Any:
            return layer(x, ps, st)[0]

        try:
            got = export.export(jax.jit(run))(tree.map(free, x), ps).call(x, ps)
        except lp.LayerError as error:
            assert "\n" not in str(error) and "expects" in str(error)
            continue
        for mine, want in zip(tree.leaves(got), tree.leaves(run(x, ps)), strict=True):
            np.testing.assert_allclose(mine, want, rtol=1e-4, atol=1e-5)
