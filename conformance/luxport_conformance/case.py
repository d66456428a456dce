"""`Case`: one check, declared once as data and a function, and run on every backend, in every mode and dtype."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luxport_conformance.arrays import has_complex
from luxport_conformance.compare import Tolerance

_ASSERTION = re.compile(r"(flux|nnlib|optimizers):[\w/]+\.jl:\d+")

__all__ = ["Case", "Property", "Shape"]


@dataclass(frozen=True)
class Shape:
    """An expected leaf of which only the shape is known."""

    sizes: tuple[int, ...]

    def __init__(self, *sizes: int) -> None:
        object.__setattr__(self, "sizes", sizes)

    def judge(self, got: Any) -> str | None:
        """Return a complaint if `got` has another shape, else None."""
        shape = tuple(np.shape(got))
        return None if shape == self.sizes else f"shape {self.sizes} expected, got {shape}"


@dataclass(frozen=True)
class Property:
    """An expected leaf that is given by a condition: `holds` tests it, `text` describes it."""

    text: str
    holds: Callable[[Any], Any]

    def judge(self, got: Any) -> str | None:
        """Return a complaint if `got` does not meet the condition, else None."""
        return None if self.holds(got) else f"{self.text} expected, got {np.asarray(got)!r}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pure function of arrays, its inputs and the expected result.

    `program` is called with the values of `inputs` by position, as arrays of the backend. `expected` is a tree of
    numbers, `Shape`s and `Property`s, or a function that computes such a tree independently, in float64, from the
    inputs as the backend has rounded them. With `raises` the program must raise that error instead, with a message
    that matches `message`. `subject` is the layer or operation that the case tests: its row in the table.
    `traces`: the program can be compiled; a program that reads values of arrays or calls a compiler itself cannot.
    `compiles`: the program is compiled even where compiling takes longer than running it. `complex_inside`: the
    program computes complex numbers from real ones. `integers`: integer dtypes that the program names, which a
    framework may lack. `looks`: the expected result needs values of the inputs to be read, for example an error
    about an index. `source` tells where the expectation comes from, such as ``flux:layers/conv.jl:139`` for an
    assertion of the account.
    """

    id: str
    subject: str
    source: tuple[str, ...]
    program: Callable[..., Any]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    raises: type[Exception] | None = None
    message: str = ""
    tolerance: Tolerance = Tolerance()
    dtypes: tuple[str, ...] = ("float32", "float64")
    differentiates: bool = False
    compiles: bool = True
    traces: bool = True
    complex_inside: bool = False
    integers: tuple[str, ...] = ()
    looks: bool = False

    @property
    def on_host(self) -> bool:
        """Whether the case has no input arrays, and so needs no backend."""
        return not self.inputs

    @property
    def is_complex(self) -> bool:
        """Whether the case uses complex numbers, as inputs or within the program."""
        return self.complex_inside or has_complex(self.inputs)

    @property
    def may_trace(self) -> bool:
        """Whether the case can be compiled at all; cases that expect an error run eagerly."""
        return self.traces and self.raises is None

    @property
    def may_compile(self) -> bool:
        """Whether the case is to be compiled on every backend that has a compiler."""
        return self.compiles and self.may_trace

    @property
    def assertions(self) -> tuple[str, ...]:
        """The upstream assertions that this case ports."""
        return tuple([source for source in self.source if _ASSERTION.fullmatch(source)])
