"""`DataLoader`: batches of samples, in order or shuffled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Array, backend_of, namespace
from luxport.backend.option_rules import is_int
from luxport.call_arguments import explain_construction
from luxport.text import show
from luxport.training._batching import find_first_size
from luxport.training._share import Share

__all__ = ["DataLoader"]


@explain_construction
class DataLoader:
    """An iterable of batches: the data, an array or a tree of them, cut along the first axis.

    Arrays stay on their backends and devices; to move the batches rather than the data,
    ``luxport.devices.gpu_device().each(loader)``.

    Of a `luxport.distributed.DistributedDataContainer` each batch is this process's part of one of all processes: n
    of them with batches of b go through the batches that one process with n b has. Where the last one has not as many
    samples for each, parts differ by one; fewer samples than processes go with the batch before.

    Args:
        data: an array, or a tree of arrays with one first size; or a `DistributedDataContainer`
        batch_size: how many samples a batch has
        shuffle: whether each pass is in another order
        partial: whether a last batch that is smaller is yielded, too
        seed: the seed of the orders, which are the same on every backend; of several processes None is 0

    Shapes: data (N, *a) -> batches (batch_size, *a)
    Raises: ValueError if the first axes of the arrays differ in size, or batch_size is not positive
    Source: MLUtils.jl ``DataLoader``, axes reversed

    >>> import numpy as np
    >>> x, y = np.ones((5, 3)), np.arange(5)
    >>> [(x.shape, y.tolist()) for x, y in DataLoader((x, y), 2)]
    [((2, 3), [0, 1]), ((2, 3), [2, 3]), ((1, 3), [4])]
    """

    def __init__(
        self,
        data: tree.Tree,
        batch_size: int = 1,
        *,
        shuffle: bool = False,
        partial: bool = True,
        seed: int | None = None,
    ) -> None:
        if not is_int(batch_size):
            raise TypeError(f"DataLoader expects batch_size as an int, got {show(batch_size)}")
        if batch_size < 1:
            raise ValueError(f"DataLoader expects a positive batch_size, got {batch_size}")
        if seed is not None and not (is_int(seed) and seed >= 0):
            raise TypeError(f"DataLoader expects seed as an int of at least 0, got {show(seed)}")
        for name, value in (("shuffle", shuffle), ("partial", partial)):
            if not isinstance(value, (bool, np.bool_)):
                raise TypeError(f"DataLoader expects {name} as True or False, got {show(value)}")
        self._whole, self._part, self._parts = data, 0, 1
        if isinstance(data, Share):
            self._whole, self._part, self._parts = data.whole, data.part, data.parts
            seed = 0 if seed is None and data.parts > 1 else seed
        self._size: int = find_first_size("DataLoader", self._whole)
        self._stride = batch_size * self._parts
        self.data = data
        self.batch_size = batch_size
        self.partial = partial
        self._rng = np.random.default_rng(seed) if shuffle else None
        self._before: Any = self._read_random_state()  # of the pass that was begun last
        self._begun = 0  # so many samples of that pass are not among its batches, as it was resumed
        self._next = 0  # the batch of that pass which comes next
        self._resumed = False

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._count(0)

    def _count(self, begun: int) -> int:
        """Return how many batches are left after so many samples."""
        whole, rest = divmod(self._size - begun, self._stride)
        return whole + (1 if rest >= self._parts and self.partial else 0)

    def _list_rows(self, number: int, count: int) -> slice:
        """Return the places of this process's part of a batch."""
        start = self._begun + number * self._stride
        end = self._size if self.partial and number == count - 1 else start + self._stride
        each, more = divmod(end - start, self._parts)
        ends = [start + part * each + min(part, more) for part in (self._part, self._part + 1)]
        return slice(*ends)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of one pass; after `go_to`, the rest of the pass that was begun."""
        self._begun = self._begun if self._resumed else 0
        self._resumed, self._next, self._before = False, 0, self._read_random_state()
        order = None if self._rng is None else self._rng.permutation(self._size)
        count = self._count(self._begun)
        for number in range(count):
            batch = self._list_rows(number, count)
            self._next = number + 1
            if order is None:
                yield tree.map(lambda leaf, batch=batch: leaf[batch, ...], self._whole)
            else:
                yield tree.map(lambda leaf, rows=order[batch]: _take(leaf, rows), self._whole)

    def position(self, unused: int = 0) -> dict[str, Any]:
        """Return where the last pass is, as JSON can keep it: its random state, and how many samples it has had.

        Another number of processes, or another size of batches, goes on from there, too.

        Args:
            unused: how many of the batches that were yielded last come again
        """
        place = self._next - unused
        whole = place >= self._count(self._begun)
        samples = 0 if whole else self._begun + place * self._stride
        random = self._read_random_state() if whole else self._before
        return {"next": samples // self._stride, "samples": samples, "random": random}

    def go_to(self, position: dict[str, Any]) -> None:
        """Let the next pass be the rest of one, from where `position` told.

        >>> import numpy as np
        >>> loader, other = [DataLoader(np.arange(6), 2, shuffle=True, seed=0) for _ in range(2)]
        >>> passed = iter(loader)
        >>> _ = next(passed)
        >>> other.go_to(loader.position())
        >>> [b.tolist() for b in other] == [b.tolist() for b in passed]
        True
        """
        if "next" not in position:
            raise ValueError("DataLoader expects a position of a DataLoader, got one of other data")
        samples = int(position.get("samples", position["next"] * self._stride))
        if samples and samples >= self._size:
            raise ValueError(
                f"DataLoader expects a position within its {self._size} samples, got one after {samples}: "
                "a pass that was begun goes on with the data that it had"
            )
        self._begun = samples
        self._next, self._resumed, self._before = 0, True, position["random"]
        if self._rng is not None:
            self._rng.bit_generator.state = position["random"]

    def _read_random_state(self) -> Any:
        return None if self._rng is None else self._rng.bit_generator.state

    def __repr__(self) -> str:
        return f"DataLoader({len(self)} batches of {self.batch_size})"


def _take(leaf: Array, rows: Any) -> Array:
    backend = backend_of(leaf)
    xp, indices = namespace(leaf), backend.asarray(rows, device=backend.device_of(leaf))
    if len(leaf.shape) == 1:  # PyTorch takes rows of unsigned integers, and not entries
        return xp.reshape(xp.take(xp.reshape(leaf, (-1, 1)), indices, axis=0), (-1,))
    return xp.take(leaf, indices, axis=0)
