"""Looking at numbers in passing on JAX."""

from __future__ import annotations

import jax
from jax.core import Tracer

__all__ = ["may_look"]


def may_look(x: jax.Array) -> bool:
    """Not in a trace, and on the CPU alone, where it is the same memory."""
    return not isinstance(x, Tracer) and x.is_fully_addressable and all([d.platform == "cpu" for d in x.devices()])
