"""`accuracy` and `confusion_matrix`: values by hand, on every backend, also compiled."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from small_training import make_array, to_host

import luxport as lp
from luxport import optimizers

BACKENDS = ("numpy", "strict", "jax", "torch", "tf")


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


class TestAccuracy:
    SCORES = np.array([[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.2, 0.2], [np.nan, 0.0, 1.0]], np.float32)

    def test_accuracy_takes_indices_one_hot_labels_and_top(self, backend):
        scores = make_array(backend, self.SCORES)
        y = make_array(backend, [1, 1, 0, 0], "int32")
        # The first is right; the second is second best; of three equal scores the first counts; a NaN never does.
        assert float(lp.training.accuracy(scores, y)) == 0.5
        assert float(lp.training.accuracy(scores, y, top=2)) == 0.75
        assert float(lp.training.accuracy(scores, y, top=3)) == 0.75
        one_hot = make_array(backend, np.eye(3)[[1, 1, 0, 0]])
        assert float(lp.training.accuracy(scores, one_hot)) == 0.5
        assert float(lp.training.accuracy(lp.namespace(scores).matrix_transpose(scores), y, axis=0)) == 0.5
        assert float(lp.training.accuracy(scores, y, ignore_index=0)) == 0.5
        assert np.isnan(float(lp.training.accuracy(scores[:1, :], y[:1], ignore_index=1)))
        assert float(lp.jit(lp.training.accuracy)(scores, y)) == 0.5

    def test_a_class_out_of_range_is_an_error(self, backend):
        with pytest.raises(IndexError, match="expects classes of at least 0 and below 2, got -1"):
            lp.training.accuracy(make_array(backend, [[1.0, 0.0]] * 2), make_array(backend, [2, -1], "int32"), top=2)

    def test_accuracy_of_random_scores_equals_sorting(self):
        rng = np.random.default_rng(0)
        scores, y = rng.normal(size=(200, 9)).astype(np.float32), rng.integers(0, 9, 200)
        for top in (1, 3, 5):
            want = np.mean([y[i] in np.argsort(-scores[i])[:top] for i in range(200)])
            assert float(lp.training.accuracy(scores, y, top=top)) == pytest.approx(want)

    @pytest.mark.parametrize(
        ("arguments", "options", "text"),
        [
            ((np.zeros((2, 3)), np.zeros(3, int)), {}, "y as integers with the shape of y_hat without its axis -1"),
            ((np.zeros((2, 3)), np.zeros(2)), {}, "got float64 (2,) for (2, 3)"),
            ((np.zeros((2, 3)), np.zeros(2, int)), {"top": 0}, "top as an int of at least 1, got 0"),
            (
                (np.zeros((2, 3)), np.zeros(2, int)),
                {"axis": 2},
                "axis as an axis of the array for the shape (2, 3)",
            ),
        ],
    )
    def test_refusals(self, arguments, options, text):
        with pytest.raises(ValueError) as caught:
            lp.training.accuracy(*arguments, **options)
        assert text in str(caught.value)


class TestConfusionMatrix:
    def test_rows_are_classes_and_columns_are_predictions(self, backend):
        scores = make_array(backend, [[0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.5, 0.5], [np.nan, 0.0, 0.3]])
        y = make_array(backend, [1, 1, 2, 0], "int32")
        table = np.array([[0, 0, 1], [1, 1, 0], [0, 1, 0]])
        for f in (lp.training.confusion_matrix, lp.jit(lp.training.confusion_matrix)):
            assert (to_host(f(scores, y)) == table).all()
        assert (
            to_host(lp.training.confusion_matrix(scores, make_array(backend, np.eye(3)[[1, 1, 2, 0]]))) == table
        ).all()
        turned = lp.namespace(scores).matrix_transpose(scores)
        assert (to_host(lp.training.confusion_matrix(turned, y, axis=0)) == table).all()
        table[1] = 0
        assert (to_host(lp.training.confusion_matrix(scores, y, ignore_index=1)) == table).all()
        table[0] = 0
        assert (
            to_host(
                lp.training.confusion_matrix(scores, make_array(backend, [-1, -1, 2, -1], "int32"), ignore_index=-1)
            )
            == table
        ).all()

    def test_its_diagonal_is_the_accuracy_over_all_batches(self, backend):
        rng = np.random.default_rng(0)
        scores, y = rng.normal(size=(50, 2, 4)).astype(np.float32), rng.integers(0, 4, (50, 2))
        state = lp.training.TrainState.create(
            lp.NoOpLayer(), optimizers.Adam(), ps={"a": make_array(backend, [1.0])}, st={}
        )
        metrics = {"right": lp.training.accuracy, "table": lp.training.confusion_matrix}
        data = (scores, y.astype(np.int32))
        found = lp.training.evaluate(
            lp.losses.SparseCrossEntropyLoss(logits=True), state, data, batch_size=16, metrics=metrics, jit=False
        )
        assert found["table"].sum() == 100
        assert np.trace(found["table"]) == pytest.approx(100 * found["right"])
        assert (found["table"].sum(axis=1) == np.bincount(y.ravel(), minlength=4)).all()

    def test_a_class_out_of_range_is_an_error_or_nan(self, backend):
        scores, y = make_array(backend, [[1.0, 0.0]] * 2), make_array(backend, [2, 0], "int32")
        with pytest.raises(IndexError, match="expects classes of at least 0 and below 2, got 2"):
            lp.training.confusion_matrix(scores, y)
        if backend not in ("numpy", "strict"):
            assert np.isnan(to_host(lp.jit(lp.training.confusion_matrix)(scores, y))).all()


def test_checks_of_arrays_are_ready_before_the_first_call():
    """`torch.compile` cannot follow their construction, and the first call may be inside of it."""
    code = (
        "import inspect, luxport.training as t\n"
        "for f in (t.accuracy, t.confusion_matrix, t.onecold):\n"
        "    print('patterns' in vars(inspect.getclosurevars(f).nonlocals['expect'].__self__))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True"] * 3
