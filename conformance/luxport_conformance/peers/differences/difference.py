"""`Difference`: a kind of difference, demonstrated with a library, and a line of Python that converts the numbers."""

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
"""The modules whose functions the converters use; `from_torch`, `from_keras` and the peers use the same functions."""


class Shown(NamedTuple):
    """luxport's result, the library's result from the same numbers, and the variables that the converter uses."""

    here: Any
    there: Any
    given: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Difference:
    """A kind of difference, with the library's module and luxport's function that `show` demonstrates it with.

    `converter` is a line of Python that computes the library's result with luxport or, with `gives="here"`, luxport's
    result with the library. It may use luxport, NumPy, the functions of `CONVENTIONS`, and the variables `given` in
    `Shown`. It is empty if no conversion is possible.
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
        """Import the library and return the results of both."""
        return self.show(import_module(self.module))

    def convert(self, shown: Shown) -> Any:
        """Evaluate `converter` and return the result."""
        return eval(self.converter, {**_NAMES, **shown.given})


_NAMES: Mapping[str, Any] = {
    "losses": losses,
    "luxport": luxport,
    "np": np,
    "ops": ops,
    "optimizers": optimizers,
    **{name: getattr(module, name) for module in CONVENTIONS for name in module.__all__},
}
