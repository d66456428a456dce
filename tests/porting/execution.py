"""Translate Julia with `luxport port` and run the result."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport.porting.translate import translate

__all__ = ["execute", "execute_in_flux", "execute_python", "compute_output"]


def execute(source: str, **options: Any) -> dict[str, Any]:
    """Translate a source, all of which must be understood, run it, and return its names."""
    translation = translate(source, **options)
    assert translation.holes == (), translation.python
    return execute_python(translation.python)


def execute_python(python: str, name: str = "__main__") -> dict[str, Any]:
    """Run a module under this name and return its names."""
    names: dict[str, Any] = {"__name__": name}
    exec(compile(python, "ported.py", "exec", dont_inherit=True), names)
    return names


def compute_output(model: Any, *shape: int) -> tuple[Any, Any, Any]:
    """Return an input of this shape, a model's initial parameters, and its output."""
    x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    ps, st = luxport.setup(0, model)
    return x, ps, model(x, ps, st)[0]


def execute_in_flux(source: str) -> dict[str, Any]:
    """Do the same for a source that uses Flux."""
    return execute(f"using Flux\n{source}")
