"""`DataLoader`: iterate over data in batches, in order or shuffled."""

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
    """An iterable of batches: slices of the data, an array or a tree of arrays, along the first axis.

    Arrays stay on their backends and devices; ``luxport.devices.gpu_device().each(loader)`` moves each batch.

    With a `luxport.distributed.DistributedDataContainer`, each batch is this process's part of a batch of all
    processes: n processes with a batch_size of b iterate over the same batches as one process with n b. In the last
    batch the parts may differ by one sample; if it has fewer samples than there are processes, they are added to the
    batch before it.

    Args:
        data: an array, or a tree of arrays with one first size; or a `DistributedDataContainer`
        batch_size: how many samples a batch has
        shuffle: whether each pass is in another random order
        partial: whether a smaller last batch is yielded, too
        seed: the seed of the orders, which are the same on every backend; with several processes None means 0

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
        self._before: Any = self._read_random_state()  # the random state at the start of the current pass
        self._begun = 0  # the samples that the current pass skips at its start, as it was resumed
        self._next = 0  # the number of the next batch in the current pass
        self._resumed = False

    def __len__(self) -> int:
        """Return the number of batches of a pass."""
        return self._count(0)

    def _count(self, begun: int) -> int:
        """Return the number of batches after the first `begun` samples."""
        whole, rest = divmod(self._size - begun, self._stride)
        return whole + (1 if rest >= self._parts and self.partial else 0)

    def _list_rows(self, number: int, count: int) -> slice:
        """Return the positions of this process's part of a batch, of `count` in the pass."""
        start = self._begun + number * self._stride
        end = self._size if self.partial and number == count - 1 else start + self._stride
        each, more = divmod(end - start, self._parts)
        ends = [start + part * each + min(part, more) for part in (self._part, self._part + 1)]
        return slice(*ends)

    def __iter__(self) -> Iterator[Any]:
        """Yield the batches of one pass; after `go_to`, the remaining ones of the resumed pass."""
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
        """Return the position in the current pass, for JSON: its random state and the number of samples yielded.

        A loader with another number of processes or another batch size can continue from it, too.

        Args:
            unused: how many of the batches that were yielded last are to be yielded again
        """
        place = self._next - unused
        whole = place >= self._count(self._begun)
        samples = 0 if whole else self._begun + place * self._stride
        random = self._read_random_state() if whole else self._before
        return {"next": samples // self._stride, "samples": samples, "random": random}

    def go_to(self, position: dict[str, Any]) -> None:
        """Make the next pass the rest of the one in which `position` was called.

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
                "a pass can be resumed only with the same data"
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
    if len(leaf.shape) == 1:  # PyTorch can take rows of unsigned integers, but not entries of a vector of them
        return xp.reshape(xp.take(xp.reshape(leaf, (-1, 1)), indices, axis=0), (-1,))
    return xp.take(leaf, indices, axis=0)
