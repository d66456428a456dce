"""Why a peer's table has no counterpart of a layer: reasons that several have in common."""

from __future__ import annotations

__all__ = ["COMPOSED", "list_without"]

_COMPOSED = (
    "AlternatePrecision BranchLayer Chain CompactLayer DebugLayer FrozenLayer Maxout NoOpLayer PairwiseFold "
    "PairwiseFusion Parallel RepeatedLayer ReverseSequence SelectDim SkipConnection "
    "StatefulRecurrentCell Tied WrappedFunction"
)
COMPOSED = dict.fromkeys(
    _COMPOSED.split(), "is made of other layers or functions, which each library does in its own way"
)
"""Layers that hold others, or a function."""


def list_without(names: str) -> dict[str, str]:
    """Say that the library has no layers like these, words of a text."""
    return dict.fromkeys(names.split(), "has no such layer")
