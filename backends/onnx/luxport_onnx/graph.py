"""Arrays that record how they are made: `Array`, and the `Node` of a graph that makes it.

Functions of constants are computed by NumPy at once, so that what depends on parameters alone is no part of the graph.
An input may have free sizes, which only the running graph knows. Each array therefore has two shapes, for two samples
of the free sizes. A size that is the same in both is known; for any other, `shape` says None.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

__all__ = [
    "DEFAULT_OPSET", "SAMPLES", "Array", "Node", "make_constant", "record_export", "make_fed", "is_exporting",
    "find_opset", "make_placeholder", "record", "record_all",
]  # fmt: skip

Shape = tuple[int, ...]

DEFAULT_OPSET = 21
"""The newest version that onnxruntime 1.20, of November 2024, runs."""

SAMPLES = 2

_opset: ContextVar[int] = ContextVar("opset", default=DEFAULT_OPSET)
_exporting: ContextVar[bool] = ContextVar("exporting", default=False)


class Node:
    """One operator of a graph: its inputs are arrays, or None for one that is left out."""

    __slots__ = ("attributes", "body", "inputs", "operator", "outputs")

    def __init__(self, operator: str, inputs: Sequence[Array | None], attributes: dict[str, Any]) -> None:
        self.operator = operator
        self.inputs = tuple(inputs)
        self.attributes = attributes
        self.outputs: tuple[Array, ...] = ()
        self.body: tuple[tuple[Array, ...], tuple[Array, ...]] | None = None
        """Of a loop: the arrays that each step takes, and those that it returns."""


class Array:
    """An array of a graph: a constant, an input, or what a node puts out.

    Its operators and methods are those of the Array API, see `luxport_onnx.xp`.
    """

    __slots__ = ("dtype", "is_fed", "name", "node", "numbers", "shapes", "splat", "value")
    if TYPE_CHECKING:  # which `luxport_onnx.xp` adds
        __add__: Any
        __radd__: Any
        __sub__: Any
        __mul__: Any
        __rmul__: Any
        __truediv__: Any
        __floordiv__: Any
        __getitem__: Any
        __int__: Any
        __index__: Any

    __array_ufunc__ = None  # NumPy's scalars leave their operators to it

    def __init__(self, dtype: Any, shapes: tuple[Shape, ...], node: Node | None = None) -> None:
        self.dtype = np.dtype(dtype)
        self.shapes = shapes
        """The shape for each sample of the free sizes."""
        self.node = node
        self.value: Any = None
        """The values of a constant, or of an input that has values already; else None."""
        self.is_fed = False
        self.name: str | None = None
        """Its name in the graph: the path of a parameter, the name of an input."""
        self.numbers: Any = None
        """The value for each sample, of a size or a number computed from sizes; else None."""
        self.splat: Any = None
        """The one number that all entries have, if that is known."""

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The sizes, None for one that only the running graph knows."""
        return tuple([sizes[0] if len({*sizes}) == 1 else None for sizes in zip(*self.shapes, strict=True)])

    @property
    def is_constant(self) -> bool:
        """Whether its values are part of the graph."""
        return self.value is not None and not self.is_fed

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shapes[0])

    @property
    def size(self) -> int | None:
        """The number of entries, None if only the running graph knows it."""
        sizes = {int(np.prod(shape, dtype=object)) for shape in self.shapes}
        return sizes.pop() if len(sizes) == 1 else None

    @property
    def device(self) -> str:
        """The one device: where a graph runs is decided by who runs it."""
        return "cpu"

    def __len__(self) -> int:
        size = self.shape[0]
        if size is None:
            raise TypeError("onnx knows a free size only when the graph runs, and no len()")
        return size

    def __iter__(self) -> Iterator[Array]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"luxport_onnx.Array({self.shape}, {self.dtype.name})"


def make_constant(value: Any, name: str | None = None) -> Array:
    """Return an array whose values are part of the graph."""
    host = np.asarray(value)
    made = Array(host.dtype, (host.shape,) * SAMPLES)
    made.value, made.name = host, name
    if host.size and 0 in host.strides and not any(host.strides):
        made.splat = host[(0,) * host.ndim]
    elif host.ndim == 0:
        made.splat = host[()]
        made.numbers = (host[()],) * SAMPLES
    return made


def make_fed(value: Any) -> Array:
    """Return an input of a graph that has values already: the graph is run with them."""
    made = make_constant(np.array(value))
    made.is_fed, made.splat, made.numbers = True, None, None
    return made


def make_placeholder(name: str | None, dtype: Any, shapes: tuple[Shape, ...]) -> Array:
    """Return an input of a graph, without values."""
    made = Array(dtype, shapes)
    made.name = name
    return made


def record(operator: str, *inputs: Array | None, dtype: Any, shapes: Any, **attributes: Any) -> Array:
    """Return the one array that an operator makes."""
    return record_all(operator, inputs, [(dtype, shapes)], **attributes)[0]


def record_all(
    operator: str, inputs: Sequence[Array | None], outputs: Sequence[tuple[Any, Any]], **attributes: Any
) -> tuple[Array, ...]:
    """Return the arrays that an operator makes, of these dtypes and shapes."""
    node = Node(operator, inputs, attributes)
    node.outputs = tuple([Array(dtype, tuple(map(tuple, shapes)), node) for dtype, shapes in outputs])
    return node.outputs


def find_opset() -> int:
    """Return the version of ONNX's operators for which the graph is recorded."""
    return _opset.get()


def is_exporting() -> bool:
    """Tell whether a graph is recorded for export, as opposed to one that is run from Python."""
    return _exporting.get()


@contextmanager
def record_export(version: int) -> Iterator[None]:
    """Record a graph for export, in this version of the operators."""
    kept = _opset.set(version), _exporting.set(True)
    try:
        yield
    finally:
        _opset.reset(kept[0])
        _exporting.reset(kept[1])
