"""Convert models from Flux.jl, Lux.jl, PyTorch, Keras 3 and PEtab SciML, and to Flux.jl, PyTorch and Keras 3.

- `read`, `load_model` (or `load`), `load_parameters`: read a BSON.jl or JLD2 file as values, as a model, as parameters
- `save_flux_state`: write parameters and states to a file for Flux
- `luxport.porting.translate`: translate Julia source code to Python
- `luxport.porting.torch`, `luxport.porting.keras`: convert models of these frameworks to luxport, and back
- `luxport.porting.petab`: read networks in the files of PEtab SciML
- `luxport.porting.julia`: the Python classes for Julia's values

>>> from luxport import porting
>>> porting.read(b"\\x05\\x00\\x00\\x00\\x00").values
{}
"""

from luxport.lazy import read_lazy_names

__all__, __getattr__, __dir__ = read_lazy_names(__name__)
