"""`Counterpart`: a peer's own layer behind luxport's interface, and what there is to say about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Build", "Counterpart", "NoCounterpartError", "Peer", "symmetric"]


class NoCounterpartError(Exception):
    """The peer has no such layer, or its layer no such option: the message says which."""


@dataclass(frozen=True)
class Counterpart:
    """A peer's own layer as a function ``call(x, ps) -> y`` of the peer's arrays, in luxport's layout.

    Parameters are luxport's, turned into the peer's within the function, by operations of the peer: so that its
    gradients are with respect to luxport's parameters, too. In training a layer that keeps statistics returns
    ``(y, statistics)``. `remark` says what is different by design.
    """

    call: Callable[[Any, Any], Any]
    remark: str = ""


Build = Callable[[Any, Any, Any], Counterpart]
"""From luxport's layer, its input and its state, both on the host. Raises: NoCounterpartError"""


@dataclass(frozen=True)
class Peer:
    """A framework's own layers: builders by the names of luxport's layers and operations.

    `backend` names luxport's backend that has the peer's arrays.
    """

    name: str
    backend: Callable[[], str]
    layers: Mapping[str, Build]
    operations: Mapping[str, Build]


def symmetric(pairs: Any) -> tuple[int, ...]:
    """Return the padding of each axis, the same on both sides.

    Raises: NoCounterpartError if it is not
    """
    if any(low != high for low, high in pairs):
        raise NoCounterpartError("pads both sides alike")
    return tuple([low for low, _ in pairs])
