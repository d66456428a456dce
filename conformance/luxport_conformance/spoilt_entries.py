"""Trees of parameters and states in which one array has a wrong size or dtype, or is missing."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import dtype_name

__all__ = ["list_spoilt"]


def list_spoilt(entries: Any) -> list[tuple[str, Any]]:
    """Return copies of a tree, each with the name of its fault.

    In each, one array has another size, is missing, or has integers while the layer's other arrays have floats.
    """
    spoilt = [
        (f"{'.'.join(path)} of integers", _replace(entries, path, np.ones(array.shape, np.int32)))
        for path, array in _list_later_arrays(entries)[-1:]
    ]
    for i, (path, array) in enumerate(tree.leaves_with_path(entries)):
        if "carry" in path:  # its size depends on the batch
            continue
        shape = tuple(array.shape)
        if "rng" in path:  # most cells do not use their key: it is for random initial states
            if path[-1] == "counter":
                spoilt.append((f"{'.'.join(path)}, missing", _remove(entries, path)))
            continue
        ones, larger = (1,) * len(shape), (*shape[:-1], shape[-1] + 1) if shape else (2,)
        other = ones if i % 2 == 0 and ones != shape else larger
        name = f"{'.'.join(path)} {other}"
        spoilt.append((name, _replace(entries, path, np.ones(other, array.dtype))))
        if i == 0:
            spoilt.append((f"{'.'.join(path)}, missing", _remove(entries, path)))
    # Layers with many arrays are made of other layers, which have examples themselves: four faults are enough.
    return spoilt if len(spoilt) < 7 else spoilt[:4]


def _list_later_arrays(entries: Any) -> list[tuple[Any, Any]]:
    """Return the path and value of each floating array that is not the first floating array of its layer."""
    floating = [
        (path, array)
        for path, array in tree.leaves_with_path(entries)
        if "float" in dtype_name(array) and not {"carry", "rng"} & {*path}
    ]
    layers = [path[:-1] for path, _ in floating]
    return [entry for i, entry in enumerate(floating) if layers[i] in layers[:i]]


def _replace(entries: Any, path: tuple[str, ...], array: Any) -> Any:
    return tree.map_with_path(lambda place, leaf: array if place == path else leaf, entries)


def _remove(entries: Any, path: tuple[str, ...]) -> Any:
    first, *rest = path
    if isinstance(entries, (tuple, list)):
        return type(entries)([_remove(e, tuple(rest)) if str(i) == first else e for i, e in enumerate(entries)])
    if not rest:
        return {name: entry for name, entry in entries.items() if str(name) != first}
    return {name: _remove(entry, tuple(rest)) if str(name) == first else entry for name, entry in entries.items()}
