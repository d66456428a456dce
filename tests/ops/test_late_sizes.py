"""Operations on TensorFlow with sizes known only at run time: the eager result, or a one-line error.

Expected values come from eager calls, where every size is known.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import luxport
from luxport import tree
from luxport.backend import get_backend
from luxport_conformance.arrays import move_to_backend
from luxport_conformance.compiling import forget_sizes
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operations import every_operation

# fmt: off
NEED_SIZES = {
    "apply_rotary_embedding": {0, 1, 2}, "conv_nd": {1}, "conv_transpose_nd": {1}, "fold_nd": {0},
    "grid_sample": {0, 1},
    "gru_sweep": {2}, "gru_v3_sweep": {2}, "imrotate": {0}, "istft": {0, 1}, "lstm_sweep": {2}, "rotation_taps": {0},
    "rrelu": {0},
    "scaled_dot_product_attention": {0, 1}, "spectrogram": {0, 1}, "stft": {0, 1}, "weight_norm": {1},
}
# fmt: on
"""Arrays of an operation whose sizes may have to be known, because a table or a formula depends on them."""

RUNS = [
    pytest.param(name, i, id=f"{name}-{i}")
    for name, examples in OPERATIONS.items()
    for i, example in enumerate(examples)
    if name in every_operation() and not example.looks and not example.tells
]


@pytest.mark.parametrize(("name", "i"), RUNS)
def test_every_operation_runs_with_sizes_unknown(name: str, i: int) -> None:
    operation, example = every_operation()[name], OPERATIONS[name][i]
    backend = get_backend("tf")
    arrays = [move_to_backend(array, backend, "float32") for array in example.arrays]
    given = [k for k, array in enumerate(arrays) if array is not None]
    for late in {tuple(given), *[(k,) for k in given]}:

        def run(*arrays: Any, late: Any = late) -> Any:
            return operation(
                *[forget_sizes(backend, x) if k in late else x for k, x in enumerate(arrays)], **example.options
            )

        try:
            got = tf.function(run, autograph=False)(*arrays)
        except luxport.LayerError:
            assert NEED_SIZES.get(name, set()).intersection(late), f"{late} of {name}"
            continue
        for mine, want in zip(tree.leaves(got), tree.leaves(run(*arrays)), strict=True):
            assert mine.shape == want.shape
            np.testing.assert_allclose(mine, want, rtol=1e-4, atol=1e-5)


def test_a_batch_may_turn_out_empty_at_run_time() -> None:
    """The compiled gradient of TensorFlow's own max pool crashes the process here."""
    pool = luxport.MaxPool((2, 3))

    @tf.function(input_signature=[tf.TensorSpec((None, 2, 6, 7))], autograph=False)
    def program(x: Any) -> Any:
        return luxport.value_and_grad(lambda x: tf.reduce_sum(pool(x, {}, {})[0] ** 2))(x)

    value, slope = program(tf.zeros((0, 2, 6, 7)))
    assert value == 0 and slope.shape == (0, 2, 6, 7)
    x = tf.constant(np.random.default_rng(0).standard_normal((2, 2, 6, 7), np.float32))
    for mine, want in zip(program(x), program.python_function(x), strict=True):
        np.testing.assert_allclose(mine, want, rtol=1e-5, atol=1e-6)


def test_weight_norm_needs_known_axes() -> None:
    @tf.function(input_signature=[tf.TensorSpec((2, 3)), tf.TensorSpec((None, 3))], autograph=False)
    def program(direction: Any, size: Any) -> Any:
        return luxport.ops.weight_norm(direction, size)

    with pytest.raises(luxport.LayerError, match=r"weight_norm expects a size whose axes are known .*\(\?, 3\)"):
        program(tf.ones((2, 3)), tf.ones((1, 3)))
