"""Bring models over: read what Flux.jl and Lux.jl saved with BSON.jl and JLD2.

>>> from luxport import porting
>>> porting.read(b"\\x05\\x00\\x00\\x00\\x00").values
{}
"""

from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux_state import save_flux_state
from luxport.porting.loading import load
from luxport.porting.parameters import load_parameters
from luxport.porting.reading import SavedFile, read

__all__ = ["FileFormatError", "SavedFile", "julia", "load", "load_parameters", "read", "save_flux_state"]
