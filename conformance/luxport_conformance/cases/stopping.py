"""Cases of `throttle`, `patience`, `early_stopping` and `plateau`."""

from __future__ import annotations

from typing import Any

from luxport import training
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, fact
from luxport_conformance.timers import timers_by_hand

UTILS = "flux:utils.jl"


def _throttled(*steps: int | None, **options: bool) -> str:
    """Throttle a function, call it with each number, end its timeout at each None, and write down its calls by then."""
    calls: list[int] = []
    seen = []
    with timers_by_hand() as end_timeout:
        f = training.throttle(calls.append, 60.0, **options)
        for step in steps:
            end_timeout() if step is None else f(step)
            seen.append(calls.copy())
    return repr(seen)


def _until(stop: Any, scores: Any) -> int:
    """Count the calls before the one that stops."""
    return next((i for i, score in enumerate(scores) if stop(score)), len(scores))


def _patience() -> tuple[list[bool], int]:
    always = training.patience(lambda: True, 3)
    held = (False, True, False, True, True, True)
    return [always() for _ in range(3)], _until(training.patience(lambda i: held[i], 3), range(len(held)))


def _early_stopping() -> dict[str, int]:
    def with_keyword(score: float) -> bool:
        return keyword(score, y=score)

    keyword = training.early_stopping(lambda x, y: x + y, 10)
    rising = training.early_stopping(
        lambda x: x, 10, distance=lambda best, score: score - best, init_score=-float("inf")
    )
    least = training.early_stopping(lambda x: x, 10, min_dist=3)
    return {
        "decreasing": _until(training.early_stopping(lambda x: x, 10), range(0, -99, -1)),
        "increasing": _until(rising, range(99)),
        "arguments": _until(with_keyword, range(0, -99, -1)),
        "by at least 3": _until(least, range(0, -99, -3)),
        # The best score is -96 by now, which these do not reach by 3 until the tenth.
        "by less": _until(least, range(0, -99, -1)),
    }


def _plateau() -> int:
    value = 10.0

    def f() -> float:  # -9, 8, -7, 6, …
        nonlocal value
        value = value / abs(value) - value
        return value

    trigger = training.plateau(f, 3, init_score=10, min_dist=18)
    return _until(lambda _: trigger(), range(99))


CASES: list[Case] = [
    fact(
        "utilities.throttle",
        at(UTILS, 9, 16, 18, 21),
        "throttle",
        lambda: _throttled(1, 2, None, 3, 4, None),
        "[[1], [1], [1], [1, 3], [1, 3], [1, 3]]",
    ),
    fact(
        "utilities.throttle_trailing",
        at(UTILS, 28, 30, 32),
        "throttle",
        lambda: _throttled(1, 2, None, None, leading=False, trailing=True),
        "[[], [], [2], [2]]",
    ),
    fact(
        "utilities.throttle_arguments",
        at(UTILS, 39, 41, 43, 45),
        "throttle",
        lambda: _throttled(1, 2, 3, None, None, leading=True, trailing=True),
        "[[1], [1], [1], [1, 3], [1, 3]]",
    ),
    fact(
        "utilities.patience",
        at(UTILS, 495, 496, 497, 510),
        "patience",
        lambda: repr(_patience()),
        "([False, False, True], 5)",
    ),
    fact(
        "utilities.early_stopping",
        at(UTILS, 523, 535, 547, 559, 567),
        "early_stopping",
        _early_stopping,
        {"decreasing": 99, "increasing": 99, "arguments": 99, "by at least 3": 33, "by less": 9},
    ),
    fact("utilities.plateau", at(UTILS, 584), "plateau", _plateau, 3),
]
