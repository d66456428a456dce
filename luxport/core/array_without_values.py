"""`AbstractArray`: a shape and a dtype without values, which runs through a model to find its shapes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["AbstractArray", "Shape", "ValuesNeededError"]

Shape = tuple[int, ...]


class ValuesNeededError(TypeError):
    """The values of an array without values were needed."""


class AbstractArray:
    """A shape and a NumPy dtype, with the operators of an array, which `luxport.core.abstract_namespace` gives it.

    >>> from luxport.core.abstract_arrays import AbstractArray
    >>> (AbstractArray((4, 1)) + AbstractArray((3,))).shape
    (4, 3)
    """

    __slots__ = ("dtype", "shape")
    # With this, an operator between a NumPy array or scalar and an AbstractArray calls the AbstractArray's method.
    __array_ufunc__ = None

    def __init__(self, shape: Shape, dtype: Any = np.float32) -> None:
        self.shape: tuple[int, ...] = tuple(shape)
        self.dtype: np.dtype[Any] = np.dtype(dtype)

    @classmethod
    def like(cls, array: Any) -> AbstractArray:
        """Return the shape and dtype of an array without its values."""
        return cls(tuple(array.shape), array.dtype)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def device(self) -> str:
        """The device, as the Array API asks for one."""
        return "cpu"

    @property
    def mT(self) -> AbstractArray:
        """The transpose of the last two axes."""
        return AbstractArray((*self.shape[:-2], self.shape[-1], self.shape[-2]), self.dtype)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise ValuesNeededError(
            f"values of an array needed, got only its shape {self.shape}: the function cannot run without them"
        )

    __float__: Callable[..., Any] = __array__
    __int__: Callable[..., Any] = __array__
    __bool__: Callable[..., Any] = __array__
    __index__: Callable[..., Any] = __array__
    __complex__: Callable[..., Any] = __array__

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"AbstractArray({self.shape}, {self.dtype.name})"

    def __getitem__(self, key: Any) -> AbstractArray:
        keys = key if isinstance(key, tuple) else (key,)
        shape = _cut(self.shape, keys)
        if shape is None:
            # NumPy finds the shape of an indexed view of one broadcast zero, which takes no memory.
            view = np.broadcast_to(np.zeros((), self.dtype), self.shape)
            shape = view[tuple(np.zeros(k.shape, np.intp) if isinstance(k, AbstractArray) else k for k in keys)].shape
        return AbstractArray(shape, self.dtype)


def _cut(shape: Shape, keys: tuple[Any, ...]) -> Shape | None:
    """Return the shape after indexing by slices, an ellipsis and new axes; None for other or too many keys."""
    if not all([key is None or key is ... or type(key) is slice for key in keys]) or keys.count(...) > 1:
        return None
    left = len(shape) - sum([type(key) is slice for key in keys])
    if left < 0:
        return None
    cut: list[int] = []
    sizes = iter(shape)
    for key in keys if ... in keys else (*keys, ...):
        if key is None:
            cut.append(1)
        elif key is ...:
            cut.extend([next(sizes) for _ in range(left)])
        else:
            n = next(sizes)
            cut.append(n if key == _WHOLE else len(range(*key.indices(n))))
    return tuple(cut)


_WHOLE = slice(None)
