"""What `luxport port` writes, executed."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport.porting.translate import translate

__all__ = ["execute", "execute_in_flux", "execute_python", "output"]


def execute(source: str, **options: Any) -> dict[str, Any]:
    """Return what is defined by the Python that is made of a source, all of which must be understood."""
    translation = translate(source, **options)
    assert translation.holes == (), translation.python
    return execute_python(translation.python)


def execute_python(python: str, name: str = "__main__") -> dict[str, Any]:
    """Return what is defined by a module that is called so."""
    names: dict[str, Any] = {"__name__": name}
    exec(compile(python, "ported.py", "exec", dont_inherit=True), names)
    return names


def output(model: Any, *shape: int) -> tuple[Any, Any, Any]:
    """Return numbers of a shape, a model's first parameters, and what it makes of the numbers with them."""
    x = np.linspace(-1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)
    ps, st = luxport.setup(0, model)
    return x, ps, model(x, ps, st)[0]


def execute_in_flux(source: str) -> dict[str, Any]:
    """Return the same where the source uses Flux."""
    return execute(f"using Flux\n{source}")
