"""`DistributedDataContainer`: divide data between the processes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from luxport import tree
from luxport.backend import find_owner
from luxport.backend.option_rules import is_int
from luxport.call_arguments import explain_construction
from luxport.distributed._agreement import exchange
from luxport.distributed._session import get_world, require_session
from luxport.errors import LayerTypeError
from luxport.text import show
from luxport.training._batching import find_first_size
from luxport.training._share import Share

__all__ = ["DistributedDataContainer"]


@explain_construction
class DistributedDataContainer(Share):
    """This process's share of the data: one of consecutive parts of equal size, of which the last may be smaller.

    A `luxport.training.DataLoader` of the container, or `fit`, has the same number of batches in every process, from
    one common order. ``container.data`` is the share as a tree; if ``container.lengths`` differ, loaders of these
    shares may have different numbers of batches: take only as many steps as the shortest has.

    Args:
        data: an array, or a tree of arrays with one first size: the same in every process

    Shapes: data (N, *a) -> share (ceil(N / total_workers()), *a), the last one (what is left, *a)
    Raises: LayerTypeError for leaves that are not arrays; ValueError if the arrays differ in their first size, or if a
            process would get no sample; DistributedError before `initialize`
    Source: Lux.jl ``DistributedUtils.DistributedDataContainer``, axes reversed

    >>> import numpy as np
    >>> from luxport import distributed
    >>> distributed.initialize("local")
    >>> container = DistributedDataContainer({"x": np.ones((5, 2)), "y": np.arange(5)})
    >>> len(container), int(container[3]["y"]), container.lengths
    (5, 3, (5,))
    >>> distributed.shutdown()
    """

    def __init__(self, data: tree.Tree) -> None:
        world = get_world("DistributedDataContainer")
        for path, leaf in tree.leaves_with_path(data):
            if find_owner(type(leaf)) is None:
                at = f" at {'.'.join(path)}" if path else ""
                raise LayerTypeError(
                    f"expects arrays, got {type(leaf).__name__}{at}: stack its samples into arrays, or let each "
                    "process choose its own by rank() and total_workers()",
                    culprit=type(self).__name__,
                )
        size = find_first_size("DistributedDataContainer", data)
        length = -(-size // world.size)
        begins = [min(part * length, size) for part in range(world.size + 1)]
        lengths = [end - begin for begin, end in zip(begins, begins[1:], strict=False)]
        if 0 in lengths:
            raise ValueError(
                f"DistributedDataContainer expects a sample for each of {world.size} processes, got {size} samples, "
                f"{length} for each: rank {lengths.index(0)} would have none"
            )
        self.lengths: tuple[int, ...] = tuple(lengths)
        self.whole, self.part, self.parts = data, world.rank, world.size
        self._begin, self._length = begins[world.rank], lengths[world.rank]

    @cached_property
    def data(self) -> tree.Tree:
        """This process's share, a tree of arrays."""
        return tree.map(lambda leaf: leaf[self._begin : self._begin + self._length, ...], self.whole)

    def exchange(self, text: str) -> list[str]:
        """Return the texts of all processes, by rank."""
        return exchange("evaluate", require_session("evaluate"), "means of data", text)

    def __len__(self) -> int:
        """Return the number of samples in the share."""
        return self._length

    def __getitem__(self, index: Any) -> tree.Tree:
        """Return a sample of the share, or the samples of a slice."""
        if index is None or isinstance(index, (bool, str, float)):
            raise TypeError(f"DistributedDataContainer expects an index or a slice, got {show(index)}")
        if is_int(index) and not -self._length <= index < self._length:
            raise IndexError(f"DistributedDataContainer has {self._length} samples, got the index {index}")
        return tree.map(lambda leaf: leaf[index, ...], self.data)

    def __repr__(self) -> str:
        return f"DistributedDataContainer({self._length} of {sum(self.lengths)} samples)"
