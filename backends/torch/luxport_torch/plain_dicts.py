"""Functions on trees that have only dicts and tensors: faster than `luxport.tree`, which handles other nodes too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

__all__ = ["build_like", "collect_tensors"]


def collect_tensors(ps: Any, found: list[torch.Tensor]) -> bool:
    """Append the leaves of nested dicts to `found`; return False if a leaf is not a plain tensor."""
    for value in ps.values():
        kind = type(value)
        if kind is torch.Tensor:
            found.append(value)
        elif kind is not dict or not collect_tensors(value, found):
            return False
    return True


def build_like(ps: Any, leaves: Iterator[Any]) -> Any:
    """Return nested dicts with the keys of `ps` and the given leaves."""
    return {key: build_like(value, leaves) if type(value) is dict else next(leaves) for key, value in ps.items()}
