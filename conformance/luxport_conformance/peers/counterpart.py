"""`Peer`: tables from luxport's names to a library's own layers, operations, losses, optimizers and initializers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from luxport_conformance.peers.difference_kinds import KINDS

__all__ = ["Build", "Counterpart", "NoCounterpartError", "Peer", "refuse", "rename_options", "require_symmetric"]


class NoCounterpartError(Exception):
    """The peer lacks the layer, or an option of it; the message names which."""


@dataclass(frozen=True)
class Counterpart:
    """A peer's own layer as a function ``call(x, ps) -> y`` of the peer's arrays, in luxport's layout.

    `ps` are luxport's parameters, and the function converts them with the peer's operations, so that gradients are
    with respect to luxport's parameters. In training a layer with running statistics returns ``(y, statistics)``.
    `remark` describes what is different by design; `differences` are keys of
    `luxport_conformance.peers.difference_kinds.KINDS`.

    Raises: ValueError if a difference is not one of these keys
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
"""A builder of a counterpart, called with a layer (or a rule, or the options of an operation or loss), x and state.

Raises: NoCounterpartError
"""


@dataclass(frozen=True)
class Peer:
    """A library's own layers and functions, by luxport's names.

    Args:
        name: the name in tables, such as "flax.linen"
        backend: luxport's backend for the arrays that the library takes: "numpy", "jax", "torch", "tf", "mlx"
        modules: the modules that must be installed
        packages: the distributions whose versions are reported, the library's own first
        layers: builders by the names of luxport's layers
        operations: builders by the names of operations, given their options in place of a layer
        losses: builders by the names of losses, given their options; ``call(y_hat, (y, ...))``
        optimizers: builders by the names of rules, given the rule; ``call(x, gradients)`` returns x after each step
        initializers: functions of a shape and a seed by the names of initializers, to a host array
        none: the reasons for layers without a counterpart, by the names of these layers
        environment: environment variables of the peer's process, set before anything is imported
        gradients: whether `backend` can differentiate the library's functions

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
        """Return the names of the modules that are not installed."""
        return [name for name in self.modules if find_spec(name) is None]


def refuse(reason: str) -> Build:
    """Return a builder for a layer that the peer lacks; it raises `NoCounterpartError` with the reason."""

    def build(subject: Any, x: Any, st: Any) -> Counterpart:
        raise NoCounterpartError(reason)

    return build


def rename_options(options: Mapping[str, Any], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return luxport's options under the peer's names, which `names` gives.

    Raises: NoCounterpartError if an option is not in `names`
    """
    names = names or {}
    if unknown := sorted(set(options) - set(names)):
        raise NoCounterpartError(f"has no {', '.join(unknown)}")
    return {names[key]: value for key, value in options.items()}


def require_symmetric(pairs: Any) -> tuple[int, ...]:
    """Return the padding of each axis as one number.

    Raises: NoCounterpartError if the padding of an axis differs between its two sides
    """
    if any(low != high for low, high in pairs):
        raise NoCounterpartError("pads both sides alike")
    return tuple([low for low, _ in pairs])
