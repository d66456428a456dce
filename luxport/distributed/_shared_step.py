"""`SharedStep`: what processes have told each other of the step that they take together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from luxport.distributed._errors import DistributedError
from luxport.distributed._launch import World

__all__ = ["SharedStep"]


@dataclass
class SharedStep:
    """How many samples each process has, which may differ, and whether one of them wants to end the training.

    Args:
        world: the place of this process
    """

    world: World
    counts: tuple[int, ...] = ()
    """The samples of each process during the step, if they are not the same in all of them."""
    had: int = 0
    """How many samples the last step had, if they were not the same in all processes."""
    wants_to_end: bool = False
    """Whether this process wants to end after the step."""
    ends: bool = False
    """Whether one of them does, as all of them know after the step."""
    has_all_samples: bool = False
    """Whether this process computes with the samples of all."""

    @property
    def weight(self) -> float:
        """The samples of this process by those of the average one: what its means count for."""
        return self.counts[self.world.rank] * self.world.size / sum(self.counts) if self.counts else 1.0

    def samples(self, own: int) -> int:
        """Return how many samples all of them had in the last step, if this one had so many."""
        return self.had or own * self.world.size

    def end(self) -> None:
        """End the step: what is computed outside of one counts alike in all processes."""
        self.had, self.counts = sum(self.counts), ()

    @contextmanager
    def of_all_samples(self) -> Iterator[None]:
        """Compute with the samples of all processes in each of them."""
        self.has_all_samples = True
        try:
            yield
        finally:
            self.has_all_samples = False

    def text(self, samples: int | None, accumulate: int) -> str:
        """Return what this process tells the others."""
        return json.dumps([samples, accumulate, self.wants_to_end])

    def hear(self, texts: Sequence[str], *, alike: bool) -> None:
        """Note what all of them have told; of nothing, they have told the same as this one.

        Args:
            texts: what each of them told, by rank
            alike: whether batches are to be cut alike even where they are of different sizes
        """
        told = [json.loads(text) for text in texts]
        self.counts = ()
        self.ends = self.wants_to_end or any([ends for _, _, ends in told])
        samples = [count for count, _, _ in told]
        if len(set(samples)) > 1 and None not in samples and sum(samples):
            self.counts = tuple(samples)
        parts = [accumulate for _, accumulate, _ in told]
        if (alike or not self.counts) and len(set(parts)) > 1:
            other = next(rank for rank, count in enumerate(parts) if count != parts[0])
            raise DistributedError(
                f"train_step on rank {self.world.rank} of {self.world.size} expects every process to do the same: "
                f"rank 0 has accumulate={parts[0]}, rank {other} has accumulate={parts[other]}"
            )
