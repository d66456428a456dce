"""Layers for which several peers have no counterpart, with the reasons."""

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
"""The reason for layers that contain other layers or a function."""


def list_without(names: str) -> dict[str, str]:
    """Return the reason "has no such layer" for each name of a space-separated list."""
    return dict.fromkeys(names.split(), "has no such layer")
