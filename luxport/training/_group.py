"""`Group`: the messages between processes that train together in `fit`, so that all of them do the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Event
from typing import Any

from luxport.training._means import add_sums

__all__ = ["Group", "is_writer"]


def is_writer(caller: str, parallel: Any) -> bool:
    """Return whether this process writes files for all that train together; `parallel` is as for `Group`."""
    return parallel is None or parallel.is_writer(caller)


class Group:
    """The processes that train together, or one process alone.

    Args:
        parallel: the `DataParallel` of the state's program, or None for one process
        interrupted: set where this process is to end the training
    """

    def __init__(self, parallel: Any, interrupted: Event) -> None:
        self._parallel, self._interrupted = parallel, interrupted

    def begin_step(self) -> None:
        """Send the others, with the next step, whether this process is to end the training."""
        if self._parallel is not None:
            self._parallel.request_end(self._interrupted.is_set())

    def count_samples(self, own: int) -> int:
        """Return how many samples all processes had in the last step; this one had `own`."""
        return own if self._parallel is None else self._parallel.count_samples(own)

    def is_ending(self) -> bool:
        """Return whether any process is to end the training, which all were told with the last step."""
        return self._interrupted.is_set() if self._parallel is None else self._parallel.is_ending()

    def agree_on_parts(self, own: int) -> int:
        """Return the number of parts of a batch, the same in all processes if it must be; this one wants `own`."""
        return own if self._parallel is None else self._parallel.agree_on_parts(own)

    def add_sums(self, what: str, own: Mapping[str, tuple[float, int]]) -> dict[str, tuple[float, int]]:
        """Add up the sums and counts of all processes; `what` names them in the error if processes disagree."""
        return dict(own) if self._parallel is None else add_sums(self._parallel.exchange(what, json.dumps(own)))

    def share_logs(self, what: str, own: dict[str, float]) -> dict[str, float]:
        """Return the logs of rank 0, so that callbacks get the same in every process."""
        return own if self._parallel is None else json.loads(self._parallel.exchange(what, json.dumps(own))[0])

    def is_any(self, what: str, flag: bool) -> bool:
        """Return whether the flag is set in any process."""
        if self._parallel is None:
            return flag
        return "1" in self._parallel.exchange(what, "1" if flag else "0")
