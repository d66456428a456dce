"""`Peer`, the one interface of a library's own layers: tables from luxport's names to the library's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from luxport_conformance.peers.difference_kinds import KINDS

__all__ = ["Build", "Counterpart", "NoCounterpartError", "Peer", "refuse", "rename_options", "require_symmetric"]


class NoCounterpartError(Exception):
    """The peer has no such layer, or its layer no such option: the message says which."""


@dataclass(frozen=True)
class Counterpart:
    """A peer's own layer as a function ``call(x, ps) -> y`` of the peer's arrays, in luxport's layout.

    Parameters are luxport's, turned into the peer's within the function, by operations of the peer: so that its
    gradients are with respect to luxport's parameters, too. In training a layer that keeps statistics returns
    ``(y, statistics)``. `remark` says what is different by design, `differences` names it by the keys of
    `luxport_conformance.peers.difference_kinds.KINDS`.

    Raises: ValueError for a difference that has no such name
    """

    call: Callable[[Any, Any], Any]
    remark: str = ""
    differences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind in self.differences:
            if kind not in KINDS:
                raise ValueError(
                    "Counterpart expects differences by their names in "
                    f"luxport_conformance.peers.difference_kinds.KINDS, got {kind!r}: say it as remark={kind!r}"
                )


Build = Callable[[Any, Any, Any], Counterpart]
"""From luxport's layer (or rule, or the options of an operation or a loss), its input and its state, on the host.

Raises: NoCounterpartError
"""


@dataclass(frozen=True)
class Peer:
    """A library's own layers, by the names of luxport's.

    Args:
        name: what it is called in tables, as "flax.linen"
        backend: luxport's backend that has its arrays: "numpy", "jax", "torch", "tf", "mlx"
        modules: what must be importable
        packages: the distributions whose versions are told, its own first
        layers: builders by the names of luxport's layers
        operations: builders by the names of operations, given their options in place of a layer
        losses: builders by the names of losses, given their options; ``call(y_hat, (y, ...))``
        optimizers: builders by the names of rules, given the rule; ``call(x, gradients)`` returns x after each step
        initializers: functions of a shape and a seed by the names of initializers, to a host array
        none: why it has none, by the names of layers without a counterpart
        environment: what its process has in its environment before anything is imported
        gradients: whether `backend` differentiates what it calls

    >>> Peer("mylib", "numpy", layers={"Dense": lambda layer, x, st: Counterpart(lambda x, ps: x @ ps["weight"])}).name
    'mylib'
    """

    name: str
    backend: str
    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    layers: Mapping[str, Build] = field(default_factory=dict)
    operations: Mapping[str, Build] = field(default_factory=dict)
    losses: Mapping[str, Build] = field(default_factory=dict)
    optimizers: Mapping[str, Build] = field(default_factory=dict)
    initializers: Mapping[str, Callable[[tuple[int, ...], int], Any]] = field(default_factory=dict)
    none: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    gradients: bool = True

    def list_missing(self) -> list[str]:
        """Name the modules that are not installed."""
        return [name for name in self.modules if find_spec(name) is None]


def refuse(reason: str) -> Build:
    """Return a builder for what the peer has not, which says why."""

    def build(subject: Any, x: Any, st: Any) -> Counterpart:
        raise NoCounterpartError(reason)

    return build


def rename_options(options: Mapping[str, Any], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return luxport's options by the names that the peer has for them.

    Raises: NoCounterpartError for those that have none
    """
    names = names or {}
    if unknown := sorted(set(options) - set(names)):
        raise NoCounterpartError(f"has no {', '.join(unknown)}")
    return {names[key]: value for key, value in options.items()}


def require_symmetric(pairs: Any) -> tuple[int, ...]:
    """Return the padding of each axis, the same on both sides.

    Raises: NoCounterpartError if it is not
    """
    if any(low != high for low, high in pairs):
        raise NoCounterpartError("pads both sides alike")
    return tuple([low for low, _ in pairs])
