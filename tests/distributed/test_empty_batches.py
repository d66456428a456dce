"""`SyncBatchNorm` in a process without samples: it takes the statistics of the others, or raises in one line."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import luxport
from luxport.distributed import _batch_norm
from luxport.distributed._launch import World
from luxport.distributed._shared_step import SharedStep

X = np.random.default_rng(0).normal(size=(4, 3, 5)).astype("f4")
LAYER = _batch_norm.SyncBatchNorm(3)


def _run(monkeypatch: pytest.MonkeyPatch, x: Any, rank: int, counts: tuple[int, ...], mean: Any) -> Any:
    """Run the layer as one of two processes, with `mean` as the mean over both."""
    step = SharedStep(World(rank=rank, size=2))
    step.counts = counts
    session = SimpleNamespace(step=step, engine=SimpleNamespace(workers=2, mean=mean))
    monkeypatch.setattr(_batch_norm, "require_session", lambda name: session)
    return LAYER(x, *luxport.setup(0, LAYER))


def test_a_process_without_samples_has_the_statistics_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    def share(x: Any) -> Any:  # in the process with all samples, whose part has weight 2
        sent.append(x / 2.0)
        return sent[-1]

    y, st = _run(monkeypatch, X, 0, (4, 0), share)
    whole, alone = luxport.BatchNorm(3)(X, *luxport.setup(0, luxport.BatchNorm(3)))
    np.testing.assert_allclose(y, whole, atol=1e-6)
    arrived = iter(sent)
    empty, other = _run(monkeypatch, X[:0], 1, (4, 0), lambda x: x + next(arrived))
    assert empty.shape == (0, 3, 5)
    for name in ("running_mean", "running_var"):
        np.testing.assert_allclose(st[name], alone[name], atol=1e-6)
        np.testing.assert_array_equal(other[name], st[name])


@pytest.mark.parametrize(
    ("x", "counts", "message"),
    [
        (X[:0], (), r"expects a sample at least, unless train_step shares batches, got \(0, 3, 5\)"),
        (X[:1, :, :1], (1, 0), r"expects more than one value per channel in training, got \(1, 3, 1\)"),
    ],
)
def test_a_batch_without_statistics_is_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, x: Any, counts: tuple[int, ...], message: str
) -> None:
    with pytest.raises(luxport.LayerError, match=message):
        _run(monkeypatch, x, 0, counts, lambda x: x / 2.0)
