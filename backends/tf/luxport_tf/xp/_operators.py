"""Operators, methods and attributes of the standard's array object, which `patch_operators` gives to `tf.Tensor`."""

from __future__ import annotations

import math
import sys
from typing import Any

import tensorflow as tf

from . import _arithmetic as arithmetic
from . import _logic as logic
from . import _products as products
from ._arrays import SCALARS, R, Tensor, cast, flatten, make_ints, rank, read_sizes, reshape_to
from ._dtypes import INDEX, is_integer
from ._manipulation import broadcast_arrays, matrix_transpose

__all__ = ["patch_operators", "unpatch_operators"]

_MISSING = object()
_before: dict[tuple[type, str], Any] = {}

_BINARY = {
    "add": arithmetic.add,
    "sub": arithmetic.subtract,
    "mul": arithmetic.multiply,
    "truediv": arithmetic.divide,
    "floordiv": arithmetic.floor_divide,
    "mod": arithmetic.remainder,
    "pow": arithmetic.pow,
    "matmul": products.matmul,
    "and": logic.bitwise_and,
    "or": logic.bitwise_or,
    "xor": logic.bitwise_xor,
    "lshift": logic.bitwise_left_shift,
    "rshift": logic.bitwise_right_shift,
}
_COMPARISONS = {
    "eq": arithmetic.equal,
    "ne": arithmetic.not_equal,
    "lt": arithmetic.less,
    "le": arithmetic.less_equal,
    "gt": arithmetic.greater,
    "ge": arithmetic.greater_equal,
}
_UNARY = {
    "abs": arithmetic.abs,
    "neg": arithmetic.negative,
    "pos": arithmetic.positive,
    "invert": logic.bitwise_invert,
}


def patch_operators() -> None:
    """Give `tf.Tensor` the operators, methods and attributes of the standard's array object.

    Operators promote mixed dtypes; ``x[mask]`` and ``x[integers]`` index; ``T``, ``mT``, ``size``,
    ``to_device``, ``__array_namespace__`` and ``<<`` are there. What `tf.Tensor` does that the standard
    leaves open (``int / int`` is float64) stays. This changes every tensor in the process, and calls of
    this function are its only cause; `unpatch_operators` takes it back. `tf.Variable` is not changed, and
    tensors stay immutable: assignment to a part raises TypeError.
    """
    if _before:
        return
    for name, function in (_BINARY | _COMPARISONS).items():
        _patch(f"__{name}__", _make_binary(f"__{name}__", function, reflected=False))
    for name, function in _BINARY.items():
        _patch(f"__r{name}__", _make_binary(f"__r{name}__", function, reflected=True))
    for name, function in _UNARY.items():
        _patch(f"__{name}__", _make_unary(f"__{name}__", function))
    for name, value in _MEMBERS.items():
        _patch(name, value)
    eager = next(c for c in type(tf.constant(0)).__mro__ if "__dlpack__" in c.__dict__)
    _patch("__dlpack__", _make_exporter(eager.__dict__["__dlpack__"]), eager)


def unpatch_operators() -> None:
    """Take back what `patch_operators` did."""
    for (owner, name), value in _before.items():
        if value is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, value)
    _before.clear()


def _patch(name: str, value: Any, owner: type = Tensor) -> None:
    _before[owner, name] = owner.__dict__.get(name, _MISSING)
    setattr(owner, name, value)


def _make_binary(name, function, reflected):
    original = getattr(Tensor, name, None)

    def method(self, other, /):
        if isinstance(other, (Tensor, tf.Variable, *SCALARS)):
            try:
                return function(other, self) if reflected else function(self, other)
            except TypeError:
                if original is None:
                    raise
        return NotImplemented if original is None else original(self, other)

    method.__name__ = name
    return method


def _make_unary(name, function):
    original = getattr(Tensor, name, None)

    def method(self, /):
        try:
            return function(self)
        except TypeError:
            if original is None:
                raise
            return original(self)

    method.__name__ = name
    return method


_getitem = Tensor.__getitem__


def _is_array(key) -> bool:
    return isinstance(key, Tensor) and key.shape.rank != 0 and is_integer(key.dtype)


def _make_plain(entry: Any) -> Any:
    """Return an index as TensorFlow takes it among several: a scalar tensor as an int, in a graph as an int32."""
    if isinstance(entry, slice):
        return slice(_make_plain(entry.start), _make_plain(entry.stop), _make_plain(entry.step))
    if isinstance(entry, Tensor) and entry.shape.rank == 0 and is_integer(entry.dtype):
        return int(entry) if tf.executing_eagerly() else cast(entry, tf.int32)
    return entry


def _get_item(self, key, /):
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    if isinstance(key, Tensor) and key.dtype is tf.bool:
        return _take_masked(self, key)
    entries = key if isinstance(key, tuple) else (key,)
    if not any(_is_array(entry) for entry in entries):
        return _getitem(self, tuple(_make_plain(entry) for entry in entries))
    if not all(_is_array(entry) or isinstance(entry, (int, Tensor)) for entry in entries):
        raise IndexError("integer arrays index together with integers only; use take for slices beside them")
    if len(entries) > rank(self):
        raise IndexError(f"{len(entries)} indices for an array of {rank(self)} axes")
    places = []
    for entry, size in zip(entries, read_sizes(self), strict=False):
        entry = cast(entry, INDEX) if isinstance(entry, Tensor) else tf.constant(entry, INDEX)
        places.append(R.SelectV2(condition=entry < 0, t=entry + cast(tf.convert_to_tensor(size), INDEX), e=entry))
    return R.GatherNd(params=self, indices=R.Pack(values=list(broadcast_arrays(*places)), axis=-1))


def _take_masked(x, mask):
    n = rank(mask)
    fits = n <= rank(x) and all(b in (a, 0, None) or a is None for a, b in zip(x.shape, mask.shape, strict=False))
    if not fits:
        raise IndexError(f"a mask of shape {tuple(mask.shape)} does not fit an array of shape {tuple(x.shape)}")
    if 0 in mask.shape:
        return reshape_to(flatten(x)[:0], (0, *read_sizes(x)[n:]))
    rest = read_sizes(x)[n:]
    rows = reshape_to(x, (-1, *rest)) if 0 not in rest else tf.zeros((tf.size(mask), *rest), x.dtype)
    return tf.gather(rows, R.Reshape(tensor=R.Where(condition=flatten(mask)), shape=make_ints([-1])))


def _find_namespace(self, /, *, api_version=None):
    from . import _info

    if api_version not in (None, *_info.VERSIONS):
        raise ValueError(f"api_version must be one of {', '.join(_info.VERSIONS)}; got {api_version!r}")
    return sys.modules[__name__.rpartition(".")[0]]  # the namespace that these operators belong to


def _to_device(self, device, /, *, stream=None):
    if stream is not None:
        raise ValueError("TensorFlow has no streams to name")
    with tf.device(device):
        return R.Identity(input=self)


def _make_exporter(original):
    def __dlpack__(self, /, *, stream=None, max_version=None, dl_device=None, copy=None):
        here = self.__dlpack_device__()
        if dl_device is not None and tuple(dl_device) != tuple(here):
            raise BufferError(f"a tensor on device {here} is not exported to {dl_device}; use to_device")
        return original(R.DeepCopy(x=self) if copy else self, stream=stream)

    return __dlpack__


def _transpose(self):
    if rank(self) != 2:
        raise ValueError(f"T wants a matrix, got {rank(self)} axes; use mT or permute_dims")
    return matrix_transpose(self)


def _set_item(self, key, value, /):
    raise TypeError("tensors are immutable; make a new one with where or tf.tensor_scatter_nd_update")


_MEMBERS = {
    "__getitem__": _get_item,
    "__setitem__": _set_item,
    "__array_namespace__": _find_namespace,
    "to_device": _to_device,
    "T": property(_transpose),
    "mT": property(matrix_transpose),
    "size": property(lambda self: None if None in self.shape else math.prod(self.shape)),
}
