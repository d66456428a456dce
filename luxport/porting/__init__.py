"""Bring models over: read what Flux.jl and Lux.jl saved with BSON.jl and JLD2.

>>> from luxport import porting
>>> porting.read(b"\\x05\\x00\\x00\\x00\\x00").values
{}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.lazy import lazy_names

if TYPE_CHECKING:
    from luxport.porting import julia as julia
    from luxport.porting.errors import FileFormatError
    from luxport.porting.flux_state import save_flux_state
    from luxport.porting.loading import load
    from luxport.porting.parameters import load_parameters
    from luxport.porting.reading import SavedFile, read

FAMILIES = {
    "errors": ("FileFormatError",),
    "flux_state": ("save_flux_state",),
    "julia": (),
    "loading": ("load",),
    "parameters": ("load_parameters",),
    "reading": ("SavedFile", "read"),
}
"""The public names of each file: one that imported them itself would wait for files that wait for this one."""

_names, __getattr__, __dir__ = lazy_names(__name__, FAMILIES)

if TYPE_CHECKING:
    __all__ = ["FileFormatError", "SavedFile", "julia", "load", "load_parameters", "read", "save_flux_state"]
else:
    __all__ = _names
