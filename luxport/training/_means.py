"""`Means`: means of losses and statistics over the samples of an epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from luxport.backend import dtype_name, is_array

__all__ = ["Means", "add_sums", "compute_means"]


class Means:
    """Means over samples, by name; a device is not waited for until `sums` or `values` is called.

    With the `sums` of an interrupted epoch, that epoch is continued; `count` does not include its samples.
    """

    def __init__(self, sums: Mapping[str, tuple[float, int]] | None = None) -> None:
        self.count = 0
        self._begun = dict(sums or {})
        self._found: dict[str, list[tuple[Any, int]]] = {}

    def add(self, values: Mapping[str, Any], samples: int) -> None:
        """Add the scalars among the values of a batch."""
        self.count += samples
        for name, value in values.items():
            is_number = is_array(value) and "float" in dtype_name(value) and len(value.shape) == 0
            if isinstance(value, (int, float)) or is_number:
                self._found.setdefault(name, []).append((value, samples))

    def sums(self) -> dict[str, tuple[float, int]]:
        """Return for each name the sum over samples and the number of samples."""
        found = {}
        for name, each in self._found.items():
            total, samples = self._begun.get(name, (0.0, 0))
            found[name] = (
                math.fsum([total, *[float(value) * samples for value, samples in each]]),
                samples + sum([samples for _, samples in each]),
            )
        return found

    def values(self) -> dict[str, float]:
        """Return the means."""
        return compute_means(self.sums())


def compute_means(sums: Mapping[str, tuple[float, int]]) -> dict[str, float]:
    """Return the mean for each name from its sum and count."""
    return {name: total / max(samples, 1) for name, (total, samples) in sums.items()}


def add_sums(texts: Sequence[str]) -> dict[str, tuple[float, int]]:
    """Add up the sums and counts of several processes, each given as JSON.

    >>> add_sums(['{"loss": [1.0, 2]}', '{"loss": [0.5, 1]}'])
    {'loss': (1.5, 3)}
    """
    found: dict[str, tuple[float, int]] = {}
    for text in texts:
        for name, (total, samples) in json.loads(text).items():
            before, count = found.get(name, (0.0, 0))
            found[name] = before + total, count + samples
    return found
