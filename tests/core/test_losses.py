"""`luxport.losses`: losses are values and lazily imported; numbers are tested in the conformance suite."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

import luxport as lp


def test_losses_are_imported_when_used():
    code = """
import sys, luxport
before = "luxport.losses._regression_losses" in sys.modules
luxport.losses.MSELoss()
print(before, "luxport.losses._regression_losses" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_losses_are_values():
    loss = lp.losses.CrossEntropyLoss(logits=True, label_smoothing=0.1)
    assert loss == lp.losses.CrossEntropyLoss(label_smoothing=0.1, logits=True) != lp.losses.CrossEntropyLoss()
    assert hash(loss) == hash(lp.losses.CrossEntropyLoss(logits=True, label_smoothing=0.1))
    assert pickle.loads(pickle.dumps(loss)) == loss
    assert lp.losses.L1Loss is lp.losses.MAELoss
    with pytest.raises(AttributeError):
        loss.agg = "sum"


def test_a_loss_is_an_objective():
    model = lp.Chain(lp.Dense(2, 1), lp.Dropout(0.5))
    ps, st = lp.setup(0, model)
    x, y = np.ones((4, 2), np.float32), np.zeros((4, 1), np.float32)
    loss, new, statistics = lp.losses.MSELoss()(model, ps, st, (x, y))
    want, st_after = model(x, ps, st)
    assert loss == np.mean(want**2)
    assert int(new["layer_2"]["rng"]["counter"]) == int(st_after["layer_2"]["rng"]["counter"]) == 1
    assert statistics == {}


def test_ctc_equals_pytorchs(backend):
    logits, labels = np.random.default_rng(0).normal(size=(2, 7, 4)), np.array([[0, 1, 1], [2, 0, 0]])
    lengths = np.array([7, 5]), np.array([3, 2])
    scores = torch.from_numpy(logits).log_softmax(-1).transpose(0, 1)
    wanted = torch.nn.functional.ctc_loss(
        scores, *map(torch.from_numpy, (labels, *lengths)), blank=3, reduction="none"
    ).numpy()
    whole = [lp.asarray(part.astype(np.int32), backend=backend) for part in (labels, *lengths)]
    arrays = [lp.asarray(logits, dtype="float32", backend=backend), *whole]
    for agg, want in ((None, wanted), ("mean", wanted.mean()), ("sum", wanted.sum())):
        loss = lp.to(lp.losses.ctc_loss(*arrays, agg=agg), backend="numpy")
        np.testing.assert_allclose(loss, want, rtol=1e-5)


def test_targets_may_be_integer_or_bool(backend):
    y_hat = lp.asarray([0.25, 0.5], dtype="float32", backend=backend)
    for y in ([1, 0], [True, False]):
        loss = lp.losses.mse(y_hat, lp.asarray(np.asarray(y), backend=backend))
        assert float(loss) == (0.75**2 + 0.5**2) / 2


@pytest.mark.parametrize("ignore", [None, 1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(("weighted", "smoothing"), [(False, 0.3), (True, 0.0), (True, 0.3)])
def test_class_weights_and_label_smoothing_equal_pytorchs(backend, ignore, reduction, weighted, smoothing):
    import torch

    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 3, 1, 2, 2])
    weights = np.array([0.5, 2.0, 1.0, 3.0], np.float32) if weighted else None
    oracle = torch.nn.CrossEntropyLoss(
        weight=None if weights is None else torch.tensor(weights),
        ignore_index=-100 if ignore is None else ignore,
        reduction=reduction,
        label_smoothing=smoothing,
    )
    want = float(oracle(torch.tensor(scores), torch.tensor(y)))
    given = None if weights is None else tuple(weights.tolist())
    loss = lp.losses.SparseCrossEntropyLoss(
        logits=True, ignore_index=ignore, agg=reduction, class_weights=given, label_smoothing=smoothing
    )
    on = [lp.asarray(values, backend=backend) for values in (scores, y.astype(np.int32))]
    np.testing.assert_allclose(float(loss.of(*on)), want, rtol=1e-5)
    if weights is not None:
        array = lp.asarray(weights, backend=backend)
        again = lp.losses.sparse_logitcrossentropy(
            *on, agg=reduction, ignore_index=ignore, class_weights=array, label_smoothing=smoothing
        )
        np.testing.assert_allclose(float(again), want, rtol=1e-5)
        with pytest.raises(ValueError, match=r"class_weights \(4,\), one for each class, got \(2,\)"):
            lp.losses.sparse_logitcrossentropy(*on, class_weights=(1.0, 2.0))
