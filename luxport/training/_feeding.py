"""The data of `fit` and `evaluate`: made batches, checked, and moved to the device of the training state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import asarray, backend_of, dtype_name, is_array
from luxport.text import name_kind, show
from luxport.training._batching import find_first_size
from luxport.training._data_loader import DataLoader
from luxport.training._share import Share
from luxport.training._state import TrainState

__all__ = ["count_samples", "load_batches", "prefetch"]


def load_batches(data: Any, batch_size: int, *, shuffle: bool) -> Iterable[Any]:
    """Return an iterable of batches unchanged, or a `DataLoader` of whole arrays.

    Raises: TypeError for data sets of samples, data frames, lists of numbers and what cannot be iterated over
    """
    indexed = callable(getattr(type(data), "__getitem__", None))  # Python also iterates over what has only this method
    if isinstance(data, type) or not (indexed or isinstance(data, Iterable)) or getattr(data, "shape", None) == ():
        raise TypeError(f"fit and evaluate expect data as batches or whole arrays, got {show(data)}")
    bases = [(base.__module__.partition(".")[0], base.__name__) for base in type(data).__mro__]
    if ("torch", "Dataset") in bases:
        raise TypeError(
            f"fit and evaluate expect data as batches, got samples, {name_kind(data)}: "
            "torch.utils.data.DataLoader(dataset, batch_size=32) makes batches of them"
        )
    if ("pandas", "DataFrame") in bases or ("polars", "DataFrame") in bases:
        raise TypeError(
            "fit and evaluate expect data as batches or whole arrays, got a DataFrame: "
            'pass (frame[["a", "b"]].to_numpy("float32"), frame[["y"]].to_numpy("float32")), for example'
        )
    parts = list(data.values()) if isinstance(data, Mapping) else data if isinstance(data, tuple) else ()
    if parts and all(map(_is_list_of_numbers, parts)):
        raise TypeError(
            "fit and evaluate expect whole data as arrays, got lists of numbers: "
            'numpy.asarray(values, "float32") makes one'
        )
    whole = isinstance(data, (tuple, Mapping)) and all([is_array(leaf) for leaf in tree.leaves(data)])
    if not whole and not isinstance(data, Share):
        return data
    return DataLoader(data, batch_size, shuffle=shuffle, seed=0 if shuffle else None)


def _is_list_of_numbers(values: Any) -> bool:
    first = values
    while isinstance(first, list) and first:
        first = first[0]
    return first is not values and isinstance(first, (int, float))


def prefetch(batches: Iterable[Any], state: TrainState, waiting: list[Any]) -> Iterator[Any]:
    """Yield batches moved to the state's backend and device; each move starts while the batch before is in use.

    Batches that were taken from the iterator and not yet yielded are in the list `waiting`.
    """
    array = next(leaf for leaf in tree.leaves(state.ps) if is_array(leaf))
    backend = backend_of(array)
    device, floating = backend.device_of(array), dtype_name(array)

    def move(leaf: Any) -> Any:
        if not is_array(leaf) and not isinstance(leaf, (int, float)):
            return leaf
        if is_array(leaf) and backend_of(leaf) is backend and backend.device_of(leaf) == device:
            return leaf
        host = backend_of(leaf).to_numpy(leaf) if is_array(leaf) else np.asarray(leaf)
        wide = host.dtype == np.float64 and floating in ("float32", "float16", "bfloat16")
        return asarray(host, backend=backend, device=device, dtype="float32" if wide else None)

    for batch in batches:
        waiting.append(tree.map(move, tuple(batch) if isinstance(batch, list) else batch))
        if len(waiting) == 2:
            yield waiting.pop(0)
    while waiting:
        yield waiting.pop(0)


def count_samples(batch: Any) -> int:
    """Return the first size of a batch, or 1 if its arrays have no common one."""
    try:
        return find_first_size("fit", batch)
    except ValueError:
        return 1
