"""Bring models over from Flux.jl and Lux.jl, PyTorch, Keras 3 and PEtab SciML.

- `read`, `load_model` (or `load`), `load_parameters`: what BSON.jl and JLD2 saved, as values, as a model, as parameters
- `save_flux_state`: parameters and states in a file for Flux
- `luxport.porting.translate`: Julia's source code as Python
- `luxport.porting.torch`, `luxport.porting.keras`: a module or model of these frameworks as layers, and back
- `luxport.porting.petab`: networks in the files of PEtab SciML
- `luxport.porting.julia`: Julia's values as plain Python

>>> from luxport import porting
>>> porting.read(b"\\x05\\x00\\x00\\x00\\x00").values
{}
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
