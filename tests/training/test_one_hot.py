"""`onehot`, `onehotbatch` and `onecold`: labels to vectors and back."""

from __future__ import annotations

import numpy as np
import pytest

import luxport as lp
from luxport.backend import dtype_name


def test_labels_may_be_any_objects(backend):
    y = lp.training.onehotbatch(["b", "a", "c", "b"], ["a", "b", "c"], backend=backend)
    assert lp.backend_of(y) is backend
    np.testing.assert_array_equal(backend.to_numpy(y), [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]])
    assert lp.training.onecold(y, ["a", "b", "c"]) == ["b", "a", "c", "b"]
    assert backend.to_numpy(lp.training.onecold(y)).tolist() == [1, 0, 2, 1]
    flags = lp.training.onehot((1, 2), [(0, 0), (1, 2)], backend=backend, dtype="bool")
    assert (dtype_name(flags), backend.to_numpy(flags).tolist()) == ("bool", [False, True])


def test_labels_may_be_arrays_of_integers(backend):
    data = lp.asarray([[3, 0], [1, 2]], backend=backend, dtype="int32")
    y = lp.training.onehotbatch(data, 4)
    assert lp.backend_of(y) is (backend if backend.name != "numpy" else lp.get_backend("numpy"))
    np.testing.assert_array_equal(backend.to_numpy(y), np.eye(4)[[[3, 0], [1, 2]]])
    others = lp.training.onehotbatch(lp.asarray([10, 30, 7], backend=backend, dtype="int32"), [10, 20, 30], 20)
    np.testing.assert_array_equal(backend.to_numpy(others), [[1, 0, 0], [0, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("name", ["jax", "tf"])
def test_onehotbatch_is_compiled(name):
    data = lp.asarray([2, 0, 5], backend=name, dtype="int32")
    y = lp.jit(lambda data: lp.training.onehotbatch(data, 3))(data)
    np.testing.assert_array_equal(lp.get_backend(name).to_numpy(y), [[0, 0, 1], [1, 0, 0], [np.nan] * 3])


def test_unknown_labels_are_errors():
    with pytest.raises(ValueError, match=r"a label among \['a', 'b'\] expected, got 'z': give a default for others"):
        lp.training.onehot("z", "ab")
    assert lp.training.onehot("z", "ab", "b").tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="a default among the labels expected, got 'q'"):
        lp.training.onehot("a", "ab", "q")
    with pytest.raises(ValueError, match=r"a label among \[0, …, 19\] expected, got 20"):
        lp.training.onehotbatch(np.array([1, 20]), 20)
    with pytest.raises(ValueError, match="labels expected that differ from each other"):
        lp.training.onehot("a", "aa")


def test_onecold_takes_the_first_of_equals(backend):
    y = lp.asarray([[0.5, 0.5, 0.1], [0.0, 0.3, 0.3]], backend=backend)
    assert backend.to_numpy(lp.training.onecold(y)).tolist() == [0, 1]
    assert backend.to_numpy(lp.training.onecold(y, axis=0)).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="a label for each of 3 classes, got 2"):
        lp.training.onecold(y, [0, 1])
    assert lp.training.onecold(y[0, ...], "xyz") == "x"
