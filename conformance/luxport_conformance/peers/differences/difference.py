"""`Difference`: one of the kinds, shown with a library, and the line of Python that makes luxport's numbers its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

import luxport
from luxport import losses, ops, optimizers
from luxport.porting.keras import conventions as keras_conventions
from luxport.porting.torch import conventions as torch_conventions
from luxport_conformance.peers import jax_conventions
from luxport_conformance.peers.difference_kinds import KINDS

__all__ = ["CONVENTIONS", "Difference", "Shown"]

CONVENTIONS: tuple[ModuleType, ...] = (torch_conventions, keras_conventions, jax_conventions)
"""Whose functions converters call: `from_torch` and `from_keras` read by them, and the peers' tables write by them."""


class Shown(NamedTuple):
    """What luxport gives, what the library gives with the same numbers, and what the converter's line speaks of."""

    here: Any
    there: Any
    given: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Difference:
    """A kind of difference and where it is seen.

    `converter` is a line of Python that gives what the library gives, or with `gives="here"` makes the library give
    what luxport does: by luxport, NumPy, the functions of the conventions, and the names that are `given` where it is
    shown. It is empty where there is no way over.
    """

    kind: str
    module: str
    subject: str
    show: Callable[[Any], Shown]
    converter: str = ""
    gives: Literal["there", "here"] = "there"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(
                f"Difference expects a kind of luxport_conformance.peers.difference_kinds.KINDS, got {self.kind!r}"
            )

    def run(self) -> Shown:
        """Import the library and run both."""
        return self.show(import_module(self.module))

    def convert(self, shown: Shown) -> Any:
        """Run the converter's line."""
        return eval(self.converter, {**_NAMES, **shown.given})


_NAMES: Mapping[str, Any] = {
    "losses": losses,
    "luxport": luxport,
    "np": np,
    "ops": ops,
    "optimizers": optimizers,
    **{name: getattr(module, name) for module in CONVENTIONS for name in module.__all__},
}
