"""Images in other sizes."""

from __future__ import annotations

__all__: list[str] = []
