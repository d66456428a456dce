"""Attention by products and a softmax."""

from __future__ import annotations

__all__: list[str] = []
