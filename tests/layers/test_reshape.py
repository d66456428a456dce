"""`FlattenLayer`, `ReshapeLayer` and `SelectDim` compared with NumPy."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp


def call(layer, backend, values):
    y, st = layer(backend.asarray(values), *lp.setup(0, layer, backend=backend))
    assert st == {}
    return backend.to_numpy(y)


def make_numbers(*shape):
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


@pytest.mark.parametrize(
    ("n", "shape", "want"),
    [
        (None, (2, 3, 4), (2, 12)),
        (None, (2,), (2, 1)),
        (None, (2, 0, 3), (2, 0)),
        (None, (0, 3, 4), (0, 12)),
        (2, (5, 2, 3, 4), (5, 2, 12)),
        (1, (5, 2, 3), (5, 2, 3)),
        (3, (5, 2, 3, 4), (5, 24)),
    ],
)
def test_flatten_joins_the_last_axes(backend, n, shape, want):  # N counts the last axes
    np.testing.assert_array_equal(
        call(lp.FlattenLayer(n), backend, make_numbers(*shape)), make_numbers(*shape).reshape(want)
    )


@pytest.mark.parametrize(
    ("dims", "shape", "want"),
    [
        ((2, 6), (5, 3, 4), (5, 2, 6)),
        ((-1,), (5, 3, 4), (5, 12)),
        ((2, -1, 3), (5, 3, 4), (5, 2, 2, 3)),
        ((), (5, 1), (5,)),
        ((3, 0), (5, 0, 2), (5, 3, 0)),
        ((2, 6), (0, 3, 4), (0, 2, 6)),
    ],
)
def test_reshape_keeps_the_batch(backend, dims, shape, want):
    assert lp.ReshapeLayer(dims) == lp.ReshapeLayer(*dims) == lp.ReshapeLayer(list(dims))
    np.testing.assert_array_equal(
        call(lp.ReshapeLayer(*dims), backend, make_numbers(*shape)), make_numbers(*shape).reshape(want)
    )


@pytest.mark.parametrize(("axis", "index"), [(0, 0), (1, 2), (2, -1), (-1, 3), (-3, 1)])
def test_select_takes_one_index(backend, axis, index):
    values = make_numbers(2, 3, 4)
    np.testing.assert_array_equal(call(lp.SelectDim(axis, index), backend, values), np.take(values, index, axis))


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (lp.FlattenLayer(), (), "FlattenLayer expects at least 1 axis, got ()"),
        (lp.FlattenLayer(2), (3, 4), "FlattenLayer expects at least 3 axes, got (3, 4)"),
        (lp.ReshapeLayer(2, 3), (5, 7), "ReshapeLayer expects samples of 6 elements for (2, 3), got (5, 7)"),
        (
            lp.ReshapeLayer(2, -1),
            (5, 7),
            "ReshapeLayer expects samples of a multiple of 2 elements for (2, -1), got (5, 7)",
        ),
        (lp.ReshapeLayer(2), (), "ReshapeLayer expects at least 1 axis, got ()"),
        (lp.SelectDim(2, 0), (3, 4), "SelectDim expects an axis 2, got (3, 4)"),
        (lp.SelectDim(-1, 4), (3, 4), "SelectDim expects an index 4 along axis -1, got (3, 4)"),
        (lp.SelectDim(0, -4), (3, 4), "SelectDim expects an index -4 along axis 0, got (3, 4)"),
    ],
)
def test_wrong_shapes_are_errors(backend, layer, shape, text):
    with pytest.raises(lp.LayerError) as caught:
        call(layer, backend, np.ones(shape, np.float32))
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "build",
    [
        lambda: lp.FlattenLayer(0),
        lambda: lp.ReshapeLayer(-1, -1),
        lambda: lp.ReshapeLayer(-2),
        lambda: lp.ReshapeLayer(2.5),
    ],
)
def test_wrong_arguments_are_errors(build):
    with pytest.raises(ValueError, match="expects"):
        build()


@pytest.mark.parametrize("layer", [lp.FlattenLayer(), lp.ReshapeLayer(2), lp.SelectDim(0, 0)])
def test_an_input_that_is_no_array_is_an_error(layer):
    with pytest.raises(lp.LayerTypeError, match="expects an array, got list: make one with luxport.asarray$"):
        layer([1, 2], {}, {})


def test_sizes_may_be_unknown_in_a_tensorflow_graph():
    import tensorflow as tf

    lp.get_backend("tf")
    for layer, shape in (
        (lp.FlattenLayer(), (2, 6)),
        (lp.FlattenLayer(1), (2, 2, 3)),
        (lp.ReshapeLayer(3, -1), (2, 3, 2)),
    ):
        f = tf.function(
            lambda x, layer=layer: layer(x, {}, {})[0],
            input_signature=[tf.TensorSpec((None, None, 3))],
            autograph=False,
        )
        x = tf.reshape(tf.range(12.0), (2, 2, 3))
        np.testing.assert_array_equal(f(x), layer(x, {}, {})[0])
        assert tuple(f(x).shape) == shape
