"""`Embedding` and `EmbeddingBag`: integers of every width, and errors, beyond the conformance suite."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np
import pytest

import luxport as lp

TABLE = np.arange(8.0).reshape(4, 2)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64])
def test_integers_may_have_any_width(backend, dtype):
    x, weight = backend.asarray(np.asarray([[3, 0], [1, 3]], dtype)), backend.asarray(TABLE)
    y, _ = lp.Embedding(4, 2)(x, {"weight": weight}, {})
    np.testing.assert_array_equal(backend.to_numpy(y), TABLE[[[3, 0], [1, 3]]])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_small_integers_do_not_overflow(backend, dtype):
    weight = np.arange(200.0 * 100).reshape(200, 100, 1)
    places = np.asarray([100, 99, 0], dtype), np.asarray([99, 0, 50], dtype)
    y, _ = lp.Embedding((200, 100), 1)(
        tuple(backend.asarray(place) for place in places), {"weight": backend.asarray(weight)}, {}
    )
    np.testing.assert_array_equal(backend.to_numpy(y)[:, 0], [10099, 9900, 50])
    indices, offsets = np.zeros(300, dtype), np.asarray([0, 100], dtype)
    y, _ = lp.EmbeddingBag(4, 2, "sum")(
        (backend.asarray(indices), backend.asarray(offsets)), {"weight": backend.asarray(TABLE + 1)}, {}
    )
    np.testing.assert_array_equal(backend.to_numpy(y), [[100, 200], [200, 400]])


def test_an_empty_input_gives_an_empty_output(backend):
    x, weight = backend.asarray(np.zeros((3, 0), np.int32)), backend.asarray(TABLE)
    assert tuple(lp.Embedding(4, 2)(x, {"weight": weight}, {})[0].shape) == (3, 0, 2)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (2, "expects bags of indices, got an int"),
        ([], "expects one bag or more, got an empty list"),
        ([np.asarray([1]), np.asarray([], int)], r"expects bags of at least one index, got \(0,\)"),
        (np.zeros((2, 0, 4)), r"expects bags of at least one index, got \(2, 0, 4\)"),
        ((np.asarray([1, 2]), np.asarray([0, 2, 1], np.uint8)), "expects offsets that start at 0 and increase"),
        ([np.asarray([[1]])], r"expects a bag as a vector of indices, got \(1, 1\)"),
        ((np.asarray([1, 2]), np.asarray([0]), np.asarray([1])), "expects a tuple of two vectors"),
        ((np.asarray([1, 2]), np.asarray([0.0])), "expects integers as indices, got float64"),
        ((np.asarray([1, 2]), np.asarray([], int)), "expects one offset or more, got none"),
        (np.asarray([1, 4]), "expects indices of at least 0 and below 4, got 4"),
    ],
)
def test_wrong_bags_are_errors(x, message):
    with pytest.raises(lp.LayerError, match=f"^EmbeddingBag {message}"):
        lp.EmbeddingBag(4, 2)(x, {"weight": TABLE}, {})


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ((np.asarray(0), np.asarray(3)), "expects indices of at least 0 and below 3, got 3"),
        ((0, -1), "expects indices of at least 0 and below 3, got -1"),
        ((np.asarray(0),), "expects a tuple of 2 arrays of indices, one per axis of the table, got a tuple of 1"),
        (np.asarray(0), "expects a tuple of 2 arrays of indices, one per axis of the table, got an array"),
    ],
)
def test_wrong_indices_are_errors(x, message):
    with pytest.raises(lp.LayerError, match=f"^Embedding {message}"):
        lp.Embedding((2, 3), 2)(x, {"weight": np.zeros((2, 3, 2))}, {})


def test_wrong_arguments_are_errors():
    for make, message in (
        (lambda: lp.Embedding((), 2), "Embedding expects one size or more as in_dims, got none"),
        (
            lambda: lp.Embedding((2, 3), 2, padding_idx=0),
            "Embedding expects in_dims as an int where there is a padding",
        ),
        (lambda: lp.EmbeddingBag(3, 2, "median"), 'EmbeddingBag expects "mean", "sum", "max" or a function'),
    ):
        with pytest.raises(ValueError, match=message):
            make()
