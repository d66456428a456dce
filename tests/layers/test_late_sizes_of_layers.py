"""Layers on TensorFlow with one size unknown until run time give the results of eager calls.

Expected values come from eager calls, where every size is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import luxport as lp
from luxport import tree
from luxport.backend import get_backend
from luxport_conformance.evaluation import place_inputs
from luxport_conformance.examples import EXAMPLES

WINDOWS = [
    lp.Conv((3,), 4, 6),
    lp.Conv((3, 3), 4, 6, lp.relu, stride=2),
    lp.Conv((3, 3), 4, 8, padding=1, groups=4),
    lp.Conv((3, 3, 2), 4, 6, padding=lp.SamePad()),
    lp.ConvTranspose((3, 3), 4, 6, stride=2, groups=2),
]
RUNS = [(name, i) for name in EXAMPLES for i in range(len(EXAMPLES[name]))]


@pytest.mark.parametrize("mode", [lp.test_mode, lp.train_mode])
@pytest.mark.parametrize(("name", "i"), RUNS)
def test_every_layer_runs_with_one_size_unknown(name: str, i: int, mode: Any) -> None:
    """Outputs, states and gradients by the parameters are compared, for each axis of each input."""
    layer = EXAMPLES[name][i].layer
    x, ps, st = place_inputs(EXAMPLES[name][i], get_backend("tf"), "float32")
    leaves, structure, st = tree.leaves(x), tree.structure(x), mode(st)

    def run(*leaves: Any) -> Any:
        def total(ps: Any) -> Any:
            y, after = layer(tree.unflatten(structure, iter(leaves)), ps, st)
            sums = [tf.reduce_sum(tf.sin(tf.cast(leaf, tf.float32))) for leaf in tree.leaves(y)]
            return tf.add_n(sums), [*tree.leaves(y), *tree.leaves(after)]

        if not tree.leaves(ps):
            return total(ps)[1]
        (_, outputs), slopes = lp.value_and_grad(total, has_aux=True)(ps)
        return [*outputs, *tree.leaves(slopes)]

    for k, leaf in enumerate(leaves):
        for axis in range(len(leaf.shape)):
            late = [None if at == axis else n for at, n in enumerate(leaf.shape)]
            shapes = [late if at == k else other.shape for at, other in enumerate(leaves)]
            kinds = [tf.TensorSpec(shape, other.dtype) for shape, other in zip(shapes, leaves, strict=True)]
            got = tf.function(run, input_signature=kinds, autograph=False)(*leaves)
            for mine, want in zip(got, run(*leaves), strict=True):
                assert mine.shape == want.shape
                np.testing.assert_allclose(mine, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", WINDOWS, ids=str)
def test_a_convolution_accepts_an_empty_batch_at_run_time(layer: Any) -> None:
    """TensorFlow's own convolution gives another shape, and its gradient crashes, unless it receives a sample."""
    compare_for_empty_batch(
        layer, np.zeros((0, 4, *[6] * len(layer.kernel)), np.float32), *lp.setup(0, layer, backend="tf")
    )


@pytest.mark.parametrize(("name", "i"), [(name, i) for name, i in RUNS if EXAMPLES[name][i].per_sample])
def test_every_layer_accepts_an_empty_batch_at_run_time(name: str, i: int) -> None:
    compare_for_empty_batch(EXAMPLES[name][i].layer, *place_inputs(EXAMPLES[name][i], get_backend("tf"), "float32"))


def compare_for_empty_batch(layer: Any, x: Any, ps: Any, st: Any) -> None:
    """Call a layer with an unknown batch size that is 0: shapes equal those of the eager call, and gradients are 0."""
    leaves, structure, st = tree.leaves(x), tree.structure(x), lp.test_mode(st)

    def run(*leaves: Any) -> Any:
        def total(given: Any) -> Any:
            ps, floating = given
            x = [floating.get(str(k), leaf) for k, leaf in enumerate(leaves)]
            y = tree.leaves(layer(tree.unflatten(structure, iter(x)), ps, st)[0])
            return tf.add_n([tf.reduce_sum(tf.cast(leaf, tf.float32) ** 2) for leaf in y]), y

        given = [ps, {str(k): leaf for k, leaf in enumerate(leaves) if leaf.dtype.is_floating}]
        if not tree.leaves(given):
            return total(given)[1], []
        (_, y), slopes = lp.value_and_grad(total, has_aux=True)(given)
        return y, tree.leaves(slopes)

    nothing = [tf.convert_to_tensor(leaf)[:0] for leaf in leaves]
    kinds = [tf.TensorSpec([None, *leaf.shape[1:]], leaf.dtype) for leaf in nothing]
    y, slopes = tf.function(run, input_signature=kinds, autograph=False)(*nothing)
    wanted, wanted_slopes = run(*nothing)
    assert [leaf.shape for leaf in y] == [leaf.shape for leaf in wanted]
    assert [slope.shape for slope in slopes] == [slope.shape for slope in wanted_slopes]
    assert not any(np.any(slope) for slope in slopes)
