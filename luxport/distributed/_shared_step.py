"""`SharedStep`: what processes have sent each other about the current joint step, such as their numbers of samples."""

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
    """How many samples each process has in the current step, and whether one of them wants to end the training.

    Args:
        world: this process's rank and the number of processes
    """

    world: World
    counts: tuple[int, ...] = ()
    """The number of samples of each process in the current step, if they differ."""
    last_total: int = 0
    """The number of samples of all processes in the last step, if their numbers differed."""
    wants_to_end: bool = False
    """Whether this process wants to end the training after the step."""
    is_ending: bool = False
    """Whether any process wants to end the training, as all know after the step."""
    has_all_samples: bool = False
    """Whether this process computes with the samples of all processes."""

    @property
    def weight(self) -> float:
        """This process's number of samples divided by the average: the weight of its means."""
        return self.counts[self.world.rank] * self.world.size / sum(self.counts) if self.counts else 1.0

    def count_samples(self, own: int) -> int:
        """Return how many samples all processes had in the last step; this one had `own`."""
        return self.last_total or own * self.world.size

    def end(self) -> None:
        """End the step; outside of steps all processes have the same weight."""
        self.last_total, self.counts = sum(self.counts), ()

    @contextmanager
    def use_all_samples(self) -> Iterator[None]:
        """Mark a step in which each process computes with the samples of all."""
        self.has_all_samples = True
        try:
            yield
        finally:
            self.has_all_samples = False

    def make_text(self, samples: int | None, accumulate: int) -> str:
        """Return the text that this process sends the others: its number of samples, of parts, and whether to end."""
        return json.dumps([samples, accumulate, self.wants_to_end])

    def read_texts(self, texts: Sequence[str], *, same_parts: bool) -> None:
        """Read the texts of all processes; an empty list means that all were the same as this process's own.

        Args:
            texts: the text of each process, by rank
            same_parts: whether all must split their batches into the same number of parts, even if these differ in size
        """
        messages = [json.loads(text) for text in texts]
        self.counts = ()
        self.is_ending = self.wants_to_end or any([wants_to_end for _, _, wants_to_end in messages])
        samples = [count for count, _, _ in messages]
        if len(set(samples)) > 1 and None not in samples and sum(samples):
            self.counts = tuple(samples)
        parts = [accumulate for _, accumulate, _ in messages]
        if (same_parts or not self.counts) and len(set(parts)) > 1:
            other = next(rank for rank, count in enumerate(parts) if count != parts[0])
            raise DistributedError(
                f"train_step on rank {self.world.rank} of {self.world.size} expects every process to do the same: "
                f"rank 0 has accumulate={parts[0]}, rank {other} has accumulate={parts[other]}"
            )
