"""The alarm among processes, here threads: those that did not arrive are named, and nobody else."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from threads import in_threads

from luxport.distributed._alarm import Alarm
from luxport.distributed._budget import Budget
from luxport.distributed._launch import World

BUDGET = Budget(5.0)


class Store:
    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._written = threading.Condition()

    def put(self, key: str, text: str) -> bool:
        with self._written:
            if key in self._texts:
                return False
            self._texts[key] = text
            self._written.notify_all()
            return True

    def there(self, key: str) -> bool:
        return key in self._texts

    def get(self, key: str, seconds: float) -> str:
        with self._written:
            if not self._written.wait_for(lambda: key in self._texts, seconds):
                raise TimeoutError
            return self._texts[key]


def make_alarms(store: Any, size: int) -> list[Alarm]:
    worlds = [World(rank, rank, size) for rank in range(size)]
    return [Alarm(world, BUDGET, "test", store.put, store.there, store.get, (OSError,)) for world in worlds]


def wait_for_alarm(alarm: Alarm) -> list[int]:
    """Wait for the alarm as an operation does that has not failed itself."""
    while not alarm.is_raised():
        time.sleep(BUDGET.look)
    return alarm.find_missing_ranks()


def test_a_rank_that_still_waits_is_not_named_as_lost() -> None:
    """Ranks 0 and 3 fail at once, rank 2 keeps waiting, and rank 1 is lost."""
    first, lost, waiting, other = make_alarms(Store(), 4)
    assert not lost.is_raised()
    found = in_threads([first.find_missing_ranks, other.find_missing_ranks, lambda: wait_for_alarm(waiting)])
    assert found == [[1], [1], [1]]
    assert lost.is_raised() and lost.find_missing_ranks() == [1]  # it came too late
    assert first.find_missing_ranks() == [1]


def test_the_rank_that_owns_the_store_stays_until_all_know() -> None:
    """Rank 0 gives up first; if it ended then, its store would be gone before rank 1 has looked."""

    class Slow(Store):
        def get(self, key: str, seconds: float) -> str:
            found = super().get(key, seconds)
            if key.endswith("/missing"):
                time.sleep(BUDGET.look / 2)
            return found

    store = Slow()
    first, other, _ = make_alarms(store, 3)
    answers: list[list[int]] = []
    asking = threading.Thread(target=lambda: answers.append(wait_for_alarm(other)))
    asking.start()
    assert first.find_missing_ranks() == [2] and store.there("test/knows/1")
    asking.join()
    assert answers == [[2]]


def test_all_that_are_lost_are_named() -> None:
    ranks = make_alarms(Store(), 5)
    assert in_threads([ranks[0].find_missing_ranks, ranks[4].find_missing_ranks]) == [[1, 2, 3], [1, 2, 3]]


def seconds(f: Callable[[], object], enough: float) -> float:
    """Return how long f takes: the least of up to three times, since a busy machine may pause the first."""
    took = []
    while not took or (took[-1] >= enough and len(took) < 3):
        begin = time.monotonic()
        f()
        took.append(time.monotonic() - begin)
    return min(took)


def test_the_rank_that_raised_the_alarm_may_be_lost_afterward() -> None:
    def ask() -> None:
        store = Store()
        store.put("test/alarm", "1")
        assert make_alarms(store, 3)[1].find_missing_ranks() == [0, 2]

    bound = BUDGET.timeout - BUDGET.waiting
    assert seconds(ask, bound) < bound


class OutOfReach(Store):
    """A store that does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.end = threading.Event()

    def there(self, key: str) -> bool:
        return self.end.wait(60)

    def put(self, key: str, text: str) -> bool:
        return self.end.wait(60)


class Gone(Store):
    def there(self, key: str) -> bool:
        raise ConnectionError

    def put(self, key: str, text: str) -> bool:
        raise ConnectionError


@pytest.mark.parametrize("looks", [True, False])
def test_a_store_out_of_reach_holds_nobody_up(looks: bool) -> None:
    def ask() -> None:
        store = OutOfReach()
        alarm = make_alarms(store, 2)[1]
        assert not (looks and alarm.is_raised())
        assert alarm.find_missing_ranks() == [0]
        store.end.set()

    bound = BUDGET.timeout - BUDGET.waiting
    assert seconds(ask, bound) < bound


def test_rank_0_is_named_if_its_store_is_gone() -> None:
    def ask() -> None:
        alarm = make_alarms(Gone(), 2)[1]
        assert not alarm.is_raised() and alarm.find_missing_ranks() == [0]

    assert seconds(ask, BUDGET.look) < BUDGET.look
