"""Functions of luxport's layers that the files of several peers use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport.tree.static import Static
from luxport_conformance.peers.counterpart import NoCounterpartError

__all__ = [
    "count_groups",
    "is_training",
    "list_kernel_differences",
    "list_levels",
    "list_padding_differences",
    "pick_activation",
    "rename",
    "require_identity",
    "require_indices",
    "take_sequence_apart",
]


def pick_activation(layer: Any, known: Mapping[str, Any]) -> Any:
    """Return the function for a layer's activation from `known`, the library's functions by luxport's names.

    Raises: NoCounterpartError if it is not among them
    """
    name = layer.activation.__name__ if "activation" in getattr(layer, "__dataclass_fields__", ()) else "identity"
    known = {"identity": lambda x: x, **known}
    if name not in known:
        raise NoCounterpartError(f"is asked of activations {', '.join(known)}")
    return known[name]


def require_identity(layer: Any, name: str) -> None:
    """Check that a cell has the activation of this name, the only one that the library's cell has.

    Raises: NoCounterpartError if it has another one
    """
    if "activation" in layer.__dataclass_fields__ and layer.activation.__name__ != name:
        raise NoCounterpartError(f"is asked of the activation {name}")


def require_indices(x: Any) -> None:
    """Check that an embedding's input is a single array of indices.

    Raises: NoCounterpartError if it is not
    """
    if isinstance(x, tuple) or x.dtype.kind != "i":
        raise NoCounterpartError("takes one array of indices")


def is_training(st: Any) -> bool:
    """Return whether the state of a layer is in training mode."""
    return st.get("training") == Static(True)


def count_groups(layer: Any) -> int:
    """Return the number of groups of a convolution; for a `DepthwiseConv` the number of input channels."""
    return layer.in_channels if type(layer).__name__ == "DepthwiseConv" else layer.groups


def list_kernel_differences(layer: Any) -> tuple[str, ...]:
    """Return the difference "flipped kernel" if the layer flips its kernel, as no other library does."""
    return () if layer.cross_correlation else ("flipped kernel",)


def list_padding_differences(layer: Any) -> tuple[str, ...]:
    """Return the difference "no padding row" if an embedding has one, for libraries whose embeddings do not."""
    return ("no padding row",) if layer.padding_idx is not None else ()


def rename(ps: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Return the existing parameters under the library's names, as in ``rename(ps, weight="w", bias="b")``."""
    return {theirs: ps[ours] for ours, theirs in names.items() if ours in ps}


def take_sequence_apart(layer: Any, x: Any) -> tuple[Any, Any, Any]:
    """Return x, its lengths or mask, and the carry; the last two are None if they are not given."""
    x, *more = x if isinstance(x, tuple) else (x,)
    steps = more.pop(0) if layer.masked else None
    return x, steps, more[0] if more else None


def list_levels(layer: Any, ps: Any) -> list[Any]:
    """Return the parameters of each of a recurrent layer's stacked layers."""
    return [ps] if layer.num_layers == 1 else [ps[f"layer_{i + 1}"] for i in range(layer.num_layers)]
