"""Trees of dicts and tensors alone, walked faster than by `luxport.tree`, which takes other nodes too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["build_like", "collect_tensors"]


def collect_tensors(ps: Any, found: list[torch.Tensor]) -> bool:
    """List the leaves of nested dicts; return False if there is anything but plain tensors."""
    for value in ps.values():
        kind = type(value)
        if kind is torch.Tensor:
            found.append(value)
        elif kind is not dict or not collect_tensors(value, found):
            return False
    return True


def build_like(ps: Any, leaves: Iterator[Any]) -> Any:
    """Return dicts like these with other leaves."""
    return {key: build_like(value, leaves) if type(value) is dict else next(leaves) for key, value in ps.items()}
