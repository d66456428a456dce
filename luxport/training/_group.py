"""`Group`: what processes that train together tell each other in `fit`, so that all of them do the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from threading import Event
from typing import Any

from luxport.training._means import add_sums

__all__ = ["Group", "writes_for_all"]


def writes_for_all(caller: str, parallel: Any) -> bool:
    """Tell whether this process writes what all that train together would write; `parallel` as `Group` takes it."""
    return parallel is None or parallel.writes(caller)


class Group:
    """The processes that train together, or one alone.

    Args:
        parallel: what `data_parallel` has put into the state, or None
        interrupted: whether this process is to end
    """

    def __init__(self, parallel: Any, interrupted: Event) -> None:
        self._parallel, self._interrupted = parallel, interrupted

    def begin_step(self) -> None:
        """Tell the others with the step whether this process is to end."""
        if self._parallel is not None:
            self._parallel.want_to_end(self._interrupted.is_set())

    def samples(self, own: int) -> int:
        """Return how many samples all processes had in the last step; this one had `own`."""
        return own if self._parallel is None else self._parallel.samples(own)

    def ends(self) -> bool:
        """Tell whether any process is to end, which all have learned with the last step."""
        return self._interrupted.is_set() if self._parallel is None else self._parallel.ends()

    def parts(self, own: int) -> int:
        """Return into how many parts a batch is cut, where this process would have so many."""
        return own if self._parallel is None else self._parallel.parts(own)

    def sums(self, what: str, own: Mapping[str, tuple[float, int]]) -> dict[str, tuple[float, int]]:
        """Add up the sums and counts of all processes; `what` these are is told where one does something else."""
        return dict(own) if self._parallel is None else add_sums(self._parallel.exchange(what, json.dumps(own)))

    def logs(self, what: str, own: dict[str, float]) -> dict[str, float]:
        """Return the logs of rank 0, so that callbacks see the same in every process."""
        return own if self._parallel is None else json.loads(self._parallel.exchange(what, json.dumps(own))[0])

    def any(self, what: str, flag: bool) -> bool:
        """Tell whether the flag is set in any process."""
        if self._parallel is None:
            return flag
        return "1" in self._parallel.exchange(what, "1" if flag else "0")
