"""`Case`: one check, declared once as data and a function, for every backend, mode and dtype."""

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
    """A leaf wanted of which only the shape is known."""

    sizes: tuple[int, ...]

    def __init__(self, *sizes: int) -> None:
        object.__setattr__(self, "sizes", sizes)

    def judge(self, got: Any) -> str | None:
        """Complain about another shape."""
        shape = tuple(np.shape(got))
        return None if shape == self.sizes else f"shape {self.sizes} expected, got {shape}"


@dataclass(frozen=True)
class Property:
    """A leaf wanted that is described rather than known."""

    text: str
    holds: Callable[[Any], Any]

    def judge(self, got: Any) -> str | None:
        """Complain if the description does not fit."""
        return None if self.holds(got) else f"{self.text} expected, got {np.asarray(got)!r}"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pure function of arrays, its inputs and what must come out.

    `program` is called with the values of `inputs` by position, as arrays of the backend. `expected` is a tree of
    numbers, `Shape`s and `Property`s, or a function that computes it from the inputs (as the backend has rounded
    them, in float64): an independent computation. With `raises` the program must fail instead, with a message
    that matches `message`. `subject` is the layer or operation, the row of the table that the case counts for.
    `traces`: it can be compiled, which a program that looks at its numbers, or calls a compiler itself, cannot.
    `compiles`: it is compiled also where that takes longer than running it. `complex_inside`: real numbers become
    complex ones on the way. `integers`: types of integers that it asks for by name, which a framework need not have.
    `looks`: what it asks for depends on numbers of its inputs, as an error for an index does.
    `source` says where the expectation comes from: ``flux:layers/conv.jl:139`` for an assertion of the account.
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
        """Whether the case needs no arrays, and so no backend."""
        return not self.inputs

    @property
    def is_complex(self) -> bool:
        """Whether it takes complex numbers, in its inputs or on the way."""
        return self.complex_inside or has_complex(self.inputs)

    @property
    def may_trace(self) -> bool:
        """Whether the case can be compiled at all: an error is looked for where it is raised."""
        return self.traces and self.raises is None

    @property
    def may_compile(self) -> bool:
        """Whether the case is to be compiled wherever there is a compiler."""
        return self.compiles and self.may_trace

    @property
    def assertions(self) -> tuple[str, ...]:
        """The upstream assertions that this case ports."""
        return tuple([source for source in self.source if _ASSERTION.fullmatch(source)])
