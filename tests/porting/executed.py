"""What `luxport port` writes, executed."""

from __future__ import annotations

from typing import Any

from luxport.porting.translate import translate

__all__ = ["execute", "execute_in_flux"]


def execute(source: str) -> dict[str, Any]:
    """Return what is defined by the Python that is made of a source, all of which must be understood."""
    translation = translate(source)
    assert translation.holes == (), translation.python
    names: dict[str, Any] = {"__name__": "ported"}
    exec(compile(translation.python, "ported", "exec", dont_inherit=True), names)
    return names


def execute_in_flux(source: str) -> dict[str, Any]:
    """Return the same where the source uses Flux."""
    return execute(f"using Flux\n{source}")
