"""Stopping criteria for training loops (`patience`, `early_stopping`, `plateau`), and `throttle`."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from numbers import Real
from operator import sub
from typing import Any

from luxport.call_arguments import expect_function, explain_call_errors
from luxport.text import show

__all__ = ["early_stopping", "patience", "plateau", "throttle"]


@explain_call_errors
def patience(predicate: Callable[..., Any], wait: int) -> Callable[..., bool]:
    """Return a function that returns True once the predicate has been true in `wait` calls in a row.

    Args:
        predicate: a function, called with the arguments of the result
        wait: the number of calls in a row

    Source: Flux.jl ``patience``

    >>> trigger = patience(lambda loss: loss < 1, 2)
    >>> [trigger(loss) for loss in (0.5, 2.0, 0.5, 0.5, 0.5)]
    [False, False, False, True, True]
    """
    expect_function("patience", predicate)
    if not isinstance(wait, Real) or isinstance(wait, bool):
        raise TypeError(f"patience expects a number of calls as wait, got {show(wait)}")
    count = 0

    def trigger(*args: Any, **kwargs: Any) -> bool:
        nonlocal count
        count = count + 1 if predicate(*args, **kwargs) else 0
        return count >= wait

    return trigger


@explain_call_errors
def early_stopping(
    f: Callable[..., Any],
    delay: int,
    *,
    distance: Callable[[Any, Any], Any] = sub,
    init_score: float = math.inf,
    min_dist: float = 0.0,
) -> Callable[..., bool]:
    """Return a function that returns True once `delay` calls in a row have not improved on the best score.

    A call improves if ``distance(best, score) >= min_dist``; a score whose distance is at least 0 becomes the best.
    Smaller is better by default; if larger is better, pass
    ``distance=lambda best, score: score - best, init_score=-math.inf``.

    Args:
        f: a function that returns a score, called with the arguments of the result
        delay: the number of calls in a row without improvement
        distance: a function of the best score and the new one, positive if the new one is better
        init_score: the initial best score
        min_dist: the least distance that counts as an improvement

    Source: Flux.jl ``early_stopping`` (its code: the documentation has <= for <)

    >>> stop = early_stopping(lambda loss: loss, 2)
    >>> [stop(loss) for loss in (3.0, 2.0, 2.5, 1.0, 1.5, 1.2)]
    [False, False, False, False, False, True]
    """
    expect_function("early_stopping", f)
    best = init_score

    def is_worse(*args: Any, **kwargs: Any) -> bool:
        nonlocal best
        score = f(*args, **kwargs)
        gained = distance(best, score)
        best = best if gained < 0 else score
        return bool(gained < min_dist)

    return patience(is_worse, delay)


@explain_call_errors
def plateau(
    f: Callable[..., Any],
    width: int,
    *,
    distance: Callable[[Any, Any], Any] = sub,
    init_score: float = math.inf,
    min_dist: float = 1e-6,
) -> Callable[..., bool]:
    """Return a function that returns True once `width` scores in a row are less than `min_dist` from the one before.

    Args:
        f: a function that returns a score, called with the arguments of the result
        width: the number of scores in a row
        distance: a function of the previous score and the new one, of which the absolute value is taken
        init_score: the score before the first one
        min_dist: the distance below which two scores count as equal

    Source: Flux.jl ``plateau`` (its code: the documentation has <= for <)

    >>> flat = plateau(lambda loss: loss, 2, min_dist=0.1)
    >>> [flat(loss) for loss in (3.0, 2.0, 1.95, 1.94)]
    [False, False, False, True]
    """
    expect_function("plateau", f)
    last = init_score

    def is_flat(*args: Any, **kwargs: Any) -> bool:
        nonlocal last
        score = f(*args, **kwargs)
        moved = abs(distance(last, score))
        last = score
        return bool(moved < min_dist)

    return patience(is_flat, width)


@explain_call_errors
def throttle(
    f: Callable[..., Any], timeout: float, *, leading: bool = True, trailing: bool = False
) -> Callable[..., Any]:
    """Return a function that runs f at most once in `timeout` seconds; other calls return f's last result.

    Delayed calls run in a thread of their own.

    Args:
        f: a function
        timeout: the number of seconds
        leading: whether the first call runs at once rather than after the timeout
        trailing: whether the last call made during a timeout runs at its end

    Raises: TypeError
    Source: Flux.jl ``throttle``

    >>> log = throttle(lambda step: f"step {step}", 60.0)
    >>> log(1), log(2)
    ('step 1', 'step 1')
    """
    expect_function("throttle", f)
    longest = threading.TIMEOUT_MAX
    if not isinstance(timeout, Real) or isinstance(timeout, bool) or not 0 <= timeout <= longest:
        raise TypeError(f"throttle expects timeout as a number of seconds from 0 to {longest:.0f}, got {show(timeout)}")
    lock = threading.RLock()
    waiting = False
    later: Callable[[], Any] | None = None
    result: Any = None

    def throttled(*args: Any, **kwargs: Any) -> Any:
        nonlocal waiting, later, result
        with lock:
            if waiting:
                if trailing:
                    later = _bind(f, args, kwargs)
                return result
            if leading:
                result = f(*args, **kwargs)
            else:
                later = _bind(f, args, kwargs)
            waiting = True
            start()
            return result

    def start() -> None:
        timer = threading.Timer(timeout, end)
        timer.daemon = True
        timer.start()

    def end() -> None:
        nonlocal waiting, later, result
        with lock:
            call, later = later, None
            waiting = call is not None
            if call is None:
                return
            try:
                result = call()
            except BaseException:
                waiting = False
                raise
            start()

    return throttled


def _bind(f: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Callable[[], Any]:
    return lambda: f(*args, **kwargs)
