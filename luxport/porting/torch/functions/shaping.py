"""PyTorch's functions that reshape, index, split and join arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from luxport import ops
from luxport.backend import Array, namespace
from luxport.ops.shapes import read_sizes
from luxport.porting.torch.functions.elementwise import promote

__all__ = ["FUNCTIONS", "flatten"]


def _unpack_ints(given: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return sizes or axes as a tuple, which may be given as separate arguments or as one sequence."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given


def _get_attribute(x: Any, name: str) -> Any:
    """Return an attribute of a tensor: shape, number of axes, dtype or transpose."""
    match name:
        case "shape":
            return read_sizes(x)
        case "ndim":
            return len(x.shape)
        case "dtype":
            return x.dtype
        case "device":
            return None
        case "T" | "mT":
            return namespace(x).matrix_transpose(x)
    raise ValueError(f"the attribute {name} of a tensor has no counterpart")


def _size(x: Array, dim: int | None = None) -> Any:
    return read_sizes(x) if dim is None else read_sizes(x)[dim]


def _reshape(x: Array, *shape: Any) -> Array:
    return namespace(x).reshape(x, _unpack_ints(shape))


def _view(x: Array, *shape: Any, **_: Any) -> Array:
    if shape and isinstance(shape[0], str):
        raise ValueError("view(dtype) has no counterpart")
    return _reshape(x, *shape)


def _permute(x: Array, *dims: Any) -> Array:
    rank = len(x.shape)
    return namespace(x).permute_dims(x, tuple([axis % rank for axis in _unpack_ints(dims)]))


def _transpose(x: Array, dim0: int, dim1: int) -> Array:
    axes = list(range(len(x.shape)))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return namespace(x).permute_dims(x, tuple(axes))


def _expand(x: Array, *sizes: Any, **_: Any) -> Array:
    wanted = _unpack_ints(sizes)
    own = (1,) * (len(wanted) - len(x.shape)) + read_sizes(x)
    kept = tuple([n if isinstance(size, int) and size == -1 else size for n, size in zip(own, wanted, strict=True)])
    return namespace(x).broadcast_to(x, kept)


def _squeeze(x: Array, dim: Any = None) -> Array:
    shape = tuple(x.shape)
    wanted = range(len(shape)) if dim is None else _unpack_ints((dim,))
    axes = tuple(sorted({axis % len(shape) for axis in wanted if shape[axis] == 1}))
    return namespace(x).squeeze(x, axis=axes) if axes else x


def _unsqueeze(x: Array, dim: int) -> Array:
    return namespace(x).expand_dims(x, axis=dim)


def _cat(tensors: Any, dim: int = 0) -> Array:
    arrays = list(tensors)
    for other in arrays[1:]:
        arrays[0], _ = promote(arrays[0], other)
    arrays = [promote(x, arrays[0])[0] for x in arrays]
    return namespace(*arrays).concat(arrays, axis=dim)


def _stack(tensors: Any, dim: int = 0) -> Array:
    return namespace(*tensors).stack(list(tensors), axis=dim)


def _slice_at(x: Array, ends: list[int], dim: int) -> tuple[Array, ...]:
    before = (slice(None),) * (dim % len(x.shape))
    starts = [0, *ends[:-1]]
    return tuple([x[(*before, slice(start, end), ...)] for start, end in zip(starts, ends, strict=True)])


def _split(x: Array, split_size_or_sections: Any, dim: int = 0) -> tuple[Array, ...]:
    parts, size = split_size_or_sections, x.shape[dim]
    if isinstance(parts, (tuple, list)):
        return _slice_at(x, [sum(parts[: i + 1]) for i in range(len(parts))], dim)
    return _slice_at(x, [min(end, size) for end in range(parts, size + parts, parts)], dim)


def _chunk(x: Array, chunks: int, dim: int = 0) -> tuple[Array, ...]:
    return _split(x, math.ceil(x.shape[dim] / chunks), dim)


def _unbind(x: Array, dim: int = 0) -> tuple[Array, ...]:
    before = (slice(None),) * (dim % len(x.shape))
    return tuple([x[(*before, i, ...)] for i in range(x.shape[dim])])


def _getitem(x: Any, index: Any) -> Any:
    if isinstance(x, (tuple, list, dict)):
        return x[index]
    places = index if isinstance(index, tuple) else (index,)
    arrays = [i for i, place in enumerate(places) if getattr(place, "shape", None) is not None]
    if not arrays:
        rest = () if Ellipsis in places else (...,)
        return x[(*places, *rest)]
    if len(arrays) > 1 or any(place != slice(None) for place in places[: arrays[0]]) or len(places) > arrays[0] + 1:
        raise ValueError("an index with several arrays, or with an array and other entries, has no counterpart")
    if "bool" in str(places[arrays[0]].dtype):
        raise ValueError("an index of booleans, whose result has a size that depends on values, has no counterpart")
    return _take(x, places[arrays[0]], arrays[0])


def _take(x: Array, indices: Array, dim: int) -> Array:
    xp = namespace(x, indices)
    flat = xp.take(x, xp.reshape(xp.astype(indices, xp.int32), (-1,)), axis=dim)
    return xp.reshape(flat, (*x.shape[:dim], *indices.shape, *x.shape[dim + 1 :]))


def _gather(x: Array, dim: int, index: Array, **_: Any) -> Array:
    return namespace(x, index).take_along_axis(x, index, axis=dim)


def _select(x: Array, dim: int, index: int) -> Array:
    return x[(*[slice(None)] * (dim % len(x.shape)), index, ...)]


def _narrow(x: Array, dim: int, start: int, length: int) -> Array:
    return x[(*[slice(None)] * (dim % len(x.shape)), slice(start, start + length), ...)]


def _make_triangle(name: str) -> Callable[..., Array]:
    return lambda x, diagonal=0: getattr(namespace(x), name)(x, k=diagonal)


def _repeat(x: Array, *sizes: Any) -> Array:
    return namespace(x).tile(x, _unpack_ints(sizes))


def _repeat_interleave(x: Array, repeats: int, dim: int | None = None, **_: Any) -> Array:
    xp = namespace(x)
    x = xp.reshape(x, (-1,)) if dim is None else x
    return xp.repeat(x, repeats, axis=0 if dim is None else dim)


def _unflatten(x: Array, dim: int, sizes: Any) -> Array:
    axis = dim % len(x.shape)
    shape = read_sizes(x)
    return namespace(x).reshape(x, (*shape[:axis], *sizes, *shape[axis + 1 :]))


def _flip(x: Array, *dims: Any) -> Array:
    return namespace(x).flip(x, axis=_unpack_ints(dims))


def _roll(x: Array, shifts: Any, dims: Any = None) -> Array:
    return namespace(x).roll(x, shifts, axis=dims)


def _movedim(x: Array, source: Any, destination: Any) -> Array:
    return namespace(x).moveaxis(x, source, destination)


def _channel_shuffle(x: Array, groups: int) -> Array:
    xp, (n, c, *sizes) = namespace(x), read_sizes(x)
    return xp.reshape(_transpose(xp.reshape(x, (n, groups, c // groups, *sizes)), 1, 2), (n, c, *sizes))


def _make_fill_like(value: float) -> Callable[..., Array]:
    return lambda x, **_: namespace(x).full_like(x, value)


def _meshgrid(*arrays: Any, indexing: str = "ij") -> tuple[Array, ...]:
    arrays = _unpack_ints(arrays)
    return tuple(namespace(*arrays).meshgrid(*arrays, indexing=indexing))


def _one_hot(x: Array, num_classes: int = -1) -> Array:
    xp = namespace(x)
    if num_classes < 0:
        raise ValueError(
            "one_hot without num_classes, whose result has a size that depends on values, has no counterpart"
        )
    return xp.astype(xp.expand_dims(x, axis=-1) == xp.arange(num_classes, dtype=x.dtype), xp.int32)


def flatten(x: Array, start_dim: int = 0, end_dim: int = -1) -> Array:
    """Merge the axes from `start_dim` to `end_dim` into one."""
    shape = tuple(x.shape)
    start, end = start_dim % len(shape), end_dim % len(shape) + 1
    return namespace(x).reshape(x, (*shape[:start], math.prod(shape[start:end]), *shape[end:]))


def _embedding(indices: Array, weight: Array, padding_idx: int | None = None, *_: Any, **__: Any) -> Array:
    return ops.embedding(weight, indices)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "broadcast_to": _expand,
    "cat": _cat,
    "channel_shuffle": _channel_shuffle,
    "chunk": _chunk,
    "concat": _cat,
    "concatenate": _cat,
    "dim": lambda x: len(x.shape),
    "embedding": _embedding,
    "expand": _expand,
    "expand_as": lambda x, other: _expand(x, read_sizes(other)),
    "flatten": flatten,
    "flip": _flip,
    "gather": _gather,
    "getattr": _get_attribute,
    "getitem": _getitem,
    "index_select": lambda x, dim, index: _take(x, index, dim % len(x.shape)),
    "len": lambda x: len(x) if isinstance(x, tuple) else read_sizes(x)[0],
    "meshgrid": _meshgrid,
    "movedim": _movedim,
    "moveaxis": _movedim,
    "narrow": _narrow,
    "numel": lambda x: math.prod(x.shape),
    "one_hot": _one_hot,
    "ones_like": _make_fill_like(1),
    "permute": _permute,
    "repeat": _repeat,
    "repeat_interleave": _repeat_interleave,
    "reshape": _reshape,
    "reshape_as": lambda x, other: _reshape(x, read_sizes(other)),
    "roll": _roll,
    "select": _select,
    "size": _size,
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "swapaxes": _transpose,
    "swapdims": _transpose,
    "t": lambda x: namespace(x).matrix_transpose(x),
    "tile": _repeat,
    "transpose": _transpose,
    "tril": _make_triangle("tril"),
    "triu": _make_triangle("triu"),
    "unbind": _unbind,
    "unflatten": _unflatten,
    "unsqueeze": _unsqueeze,
    "view": _view,
    "view_as": lambda x, other: _reshape(x, read_sizes(other)),
    "zeros_like": _make_fill_like(0),
}
