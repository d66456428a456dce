"""Layers on TensorFlow of whose input one size is learned when the program runs: what they are called eagerly.

Expected values are those of the layer called eagerly, where every size is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import luxport as lp
from luxport import tree
from luxport.backend import get_backend
from luxport_conformance.evaluation import placed
from luxport_conformance.examples import EXAMPLES

RUNS = [(name, i) for name in EXAMPLES for i in range(len(EXAMPLES[name]))]


@pytest.mark.parametrize("mode", [lp.test_mode, lp.train_mode])
@pytest.mark.parametrize(("name", "i"), RUNS)
def test_every_layer_learns_one_size_late(name: str, i: int, mode: Any) -> None:
    """Outputs, states and gradients by the parameters, of each axis of each input."""
    layer = EXAMPLES[name][i].layer
    x, ps, st = placed(EXAMPLES[name][i], get_backend("tf"), "float32")
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
