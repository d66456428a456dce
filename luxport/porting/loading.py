"""`load`: a model in a file of Julia's, as a layer with its parameters and states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import Backend, default_backend, get_backend
from luxport.layer import Layer
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux import is_model, port
from luxport.porting.reading import read

__all__ = ["load", "placed"]


def load(
    path: str | PathLike[str],
    *,
    name: str | None = None,
    functions: Mapping[str, Callable[..., Any]] | None = None,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Read a Flux model that was saved whole: ``model, ps, st``, on the default backend or the one named.

    `name` chooses among several models in the file. A function that the file has only by name becomes a `Hole`,
    which says so when it is called; `functions` fills holes, by the Julia name or the path in the model.

    Raises: FileFormatError if the file cannot be read, or holds no model: parameters alone are for
            `load_parameters`
    """
    saved = read(path)
    models = _models(saved.values)
    if name is not None:
        if name not in models:
            raise FileFormatError(f"no model {name!r}; there are {', '.join(models) or 'none'}", path=str(path))
        models = {name: models[name]}
    if len(models) != 1:
        advice = f"choose one by name: {', '.join(models)}" if models else "for parameters alone, see load_parameters"
        raise FileFormatError(f"one model expected, got {len(models) or 'none'}; {advice}", path=str(path))
    try:
        ported = port(next(iter(models.values())), functions or {})
    except FileFormatError as error:
        raise FileFormatError(error.reason, offset=error.offset, path=str(path)) from None
    except (ValueError, TypeError) as error:
        raise FileFormatError(f"no layer can be built: {error}", path=str(path)) from None
    return ported.layer, *placed((ported.ps, ported.st), backend, device, dtype)


def placed(values: Any, backend: str | Backend | None, device: str | None, dtype: str | None) -> Any:
    """Copy the arrays of a tree to a backend, floating ones in a dtype."""
    owner = default_backend() if backend is None else get_backend(backend)

    def place(value: Any) -> Any:
        if not isinstance(value, (np.ndarray, np.generic)):
            return value
        return owner.asarray(value, dtype=dtype if value.dtype.kind in "fc" else None, device=device)

    return tree.map(place, values)


def _models(values: Any) -> dict[str, Any]:
    """Find the models at the top of a file, or in what is there by name."""
    if is_model(values):
        return {"": values}
    found = {}
    named = values.items() if isinstance(values, dict) else ()
    for key, value in named:
        if is_model(value):
            found[key] = value
        elif isinstance(value, julia.NamedTuple):
            inner = dict(zip(value.names, value.values, strict=True))
            found |= {f"{key}.{part}": model for part, model in inner.items() if is_model(model)}
    return found
