"""Bring models over: read what Flux.jl and Lux.jl saved with BSON.jl and JLD2.

>>> from luxport import porting
>>> porting.read(b"\\x05\\x00\\x00\\x00\\x00").values
{}
"""

from luxport.lazy import lazy_names

__all__, __getattr__, __dir__ = lazy_names(__name__)
