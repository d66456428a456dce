"""`early_stopping`, `plateau` and `throttle` beyond the cases of Flux's own tests."""

from __future__ import annotations

import math
import threading
import time

import pytest

import luxport as lp
from luxport_conformance.timers import hold_timers


def test_the_best_score_changes_only_when_it_is_beaten():
    seen = []

    def distance(best, score):
        seen.append(best)
        return best - score

    stop = lp.training.early_stopping(lambda score: score, 3, distance=distance, min_dist=0.5)
    assert [stop(score) for score in (5.0, 5.25, 4.75, 4.0, 4.0, 4.0, 4.0)] == [False] * 6 + [True]
    # A gain of 0.25 is below the minimum, but still becomes the best score (flux:src/utils.jl, its code).
    assert seen == [math.inf, 5.0, 5.0, 4.75, 4.0, 4.0, 4.0]


def test_a_distance_of_exactly_the_least_is_an_improvement():
    # Flux's code has <, although its documentation has <=.
    stop = lp.training.early_stopping(lambda score: score, 1, min_dist=1.0)
    assert [stop(score) for score in (3.0, 2.0, 1.0, 0.5)] == [False, False, False, True]
    flat = lp.training.plateau(lambda score: score, 1, min_dist=1.0)
    assert [flat(score) for score in (3.0, 2.0, 3.0, 2.5)] == [False, False, False, True]


def test_a_score_of_nan_does_not_stop():
    stop = lp.training.early_stopping(lambda score: score, 1)
    assert not stop(math.nan)


def test_throttle_returns_the_last_result():
    calls = []
    with hold_timers() as end_timeout:
        f = lp.training.throttle(lambda x: calls.append(x) or len(calls), 60.0, trailing=True)
        assert [f(1), f(2), f(3)] == [1, 1, 1]
        end_timeout()
        assert calls == [1, 3]
        assert f(4) == 2  # within the timeout started by the trailing call
        end_timeout()
        assert calls == [1, 3, 4]


def test_throttle_waits_for_its_timeout():
    last = threading.Event()
    began = time.monotonic()
    f = lp.training.throttle(lambda done: last.set() if done else None, 0.05, trailing=True)
    f(False)
    f(True)
    assert last.wait(60.0) and time.monotonic() - began >= 0.05


def test_throttle_goes_on_after_an_error():
    def f(x):
        raise KeyError(x)

    throttled = lp.training.throttle(f, 60.0)
    for x in (1, 2):
        with pytest.raises(KeyError, match=str(x)):
            throttled(x)
