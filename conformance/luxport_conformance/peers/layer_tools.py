"""What peers' tables ask of luxport's layers, whichever library they are for."""

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
    """Return the library's own function for a layer's activation, as the library's layers have none.

    Raises: NoCounterpartError
    """
    name = layer.activation.__name__ if "activation" in getattr(layer, "__dataclass_fields__", ()) else "identity"
    known = {"identity": lambda x: x, **known}
    if name not in known:
        raise NoCounterpartError(f"is asked of activations {', '.join(known)}")
    return known[name]


def require_identity(layer: Any, name: str) -> None:
    """Refuse a cell with another activation than its own.

    Raises: NoCounterpartError
    """
    if "activation" in layer.__dataclass_fields__ and layer.activation.__name__ != name:
        raise NoCounterpartError(f"is asked of the activation {name}")


def require_indices(x: Any) -> None:
    """Refuse an embedding's input that is not one array of indices.

    Raises: NoCounterpartError
    """
    if isinstance(x, tuple) or x.dtype.kind != "i":
        raise NoCounterpartError("takes one array of indices")


def is_training(st: Any) -> bool:
    """Tell whether a layer is asked in training."""
    return st.get("training") == Static(True)


def count_groups(layer: Any) -> int:
    """Return the number of groups of a convolution."""
    return layer.in_channels if type(layer).__name__ == "DepthwiseConv" else layer.groups


def list_kernel_differences(layer: Any) -> tuple[str, ...]:
    """Name the difference where a layer flips its kernel: no library does."""
    return () if layer.cross_correlation else ("flipped kernel",)


def list_padding_differences(layer: Any) -> tuple[str, ...]:
    """Name the difference of libraries whose embeddings have no row of padding."""
    return ("no padding row",) if layer.padding_idx is not None else ()


def rename(ps: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """Return the parameters that there are by the library's names, as ``rename(ps, weight="w", bias="b")``."""
    return {theirs: ps[ours] for ours, theirs in names.items() if ours in ps}


def take_sequence_apart(layer: Any, x: Any) -> tuple[Any, Any, Any]:
    """Return x, the lengths or flags of its steps and the carry; of the last two None where there is none."""
    x, *more = x if isinstance(x, tuple) else (x,)
    steps = more.pop(0) if layer.masked else None
    return x, steps, more[0] if more else None


def list_levels(layer: Any, ps: Any) -> list[Any]:
    """List the parameters of each of the layers that a recurrent layer stacks."""
    return [ps] if layer.num_layers == 1 else [ps[f"layer_{i + 1}"] for i in range(layer.num_layers)]
