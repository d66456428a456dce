"""Cases of `throttle`, `patience`, `early_stopping` and `plateau`."""

from __future__ import annotations

from typing import Any

from luxport import training
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, cite
from luxport_conformance.timers import hold_timers

UTILS = "flux:utils.jl"


def _throttle(*steps: int | None, **options: bool) -> str:
    """Call a throttled function with each number, end its timeout at each None; return its calls after each step."""
    calls: list[int] = []
    seen = []
    with hold_timers() as end_timeout:
        f = training.throttle(calls.append, 60.0, **options)
        for step in steps:
            end_timeout() if step is None else f(step)
            seen.append(calls.copy())
    return repr(seen)


def _count_until(stop: Any, scores: Any) -> int:
    """Return the number of calls before the first that returns True."""
    return next((i for i, score in enumerate(scores) if stop(score)), len(scores))


def _try_patience() -> tuple[list[bool], int]:
    always = training.patience(lambda: True, 3)
    held = (False, True, False, True, True, True)
    return [always() for _ in range(3)], _count_until(training.patience(lambda i: held[i], 3), range(len(held)))


def _try_early_stopping() -> dict[str, int]:
    def score_by_keyword(score: float) -> bool:
        return keyword(score, y=score)

    keyword = training.early_stopping(lambda x, y: x + y, 10)
    rising = training.early_stopping(
        lambda x: x, 10, distance=lambda best, score: score - best, init_score=-float("inf")
    )
    least = training.early_stopping(lambda x: x, 10, min_dist=3)
    return {
        "decreasing": _count_until(training.early_stopping(lambda x: x, 10), range(0, -99, -1)),
        "increasing": _count_until(rising, range(99)),
        "arguments": _count_until(score_by_keyword, range(0, -99, -1)),
        "by at least 3": _count_until(least, range(0, -99, -3)),
        # The best score is -96 from the line above, and none of the next ten scores is lower by 3.
        "by less": _count_until(least, range(0, -99, -1)),
    }


def _count_plateau() -> int:
    value = 10.0

    def get_value() -> float:  # -9, 8, -7, 6, …
        nonlocal value
        value = value / abs(value) - value
        return value

    trigger = training.plateau(get_value, 3, init_score=10, min_dist=18)
    return _count_until(lambda _: trigger(), range(99))


CASES: list[Case] = [
    *[
        check_fact(f"utilities.throttle{id}", cite(UTILS, *lines), program, expected, subject="throttle")
        for id, lines, program, expected in (
            ("", (9, 16, 18, 21), lambda: _throttle(1, 2, None, 3, 4, None), "[[1], [1], [1], [1, 3], [1, 3], [1, 3]]"),
            (
                "_trailing",
                (28, 30, 32),
                lambda: _throttle(1, 2, None, None, leading=False, trailing=True),
                "[[], [], [2], [2]]",
            ),
            (
                "_arguments",
                (39, 41, 43, 45),
                lambda: _throttle(1, 2, 3, None, None, leading=True, trailing=True),
                "[[1], [1], [1], [1, 3], [1, 3]]",
            ),
        )
    ],
    check_fact(
        "utilities.patience",
        cite(UTILS, 495, 496, 497, 510),
        lambda: repr(_try_patience()),
        "([False, False, True], 5)",
        subject="patience",
    ),
    check_fact(
        "utilities.early_stopping",
        cite(UTILS, 523, 535, 547, 559, 567),
        _try_early_stopping,
        {"decreasing": 99, "increasing": 99, "arguments": 99, "by at least 3": 33, "by less": 9},
        subject="early_stopping",
    ),
    check_fact("utilities.plateau", cite(UTILS, 584), _count_plateau, 3, subject="plateau"),
]
