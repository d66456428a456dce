"""Whether the numbers of an array may be looked at in passing: `may_look`."""

from __future__ import annotations

from luxport.backend import Array
from luxport.ops._operation import operation

__all__ = ["may_look"]


@operation
def may_look(x: Array) -> bool:
    """Tell whether x holds numbers that are quickly at hand.

    Not while a program is compiled or transformed, nor where an accelerator would be waited for.
    """
    return True
