"""Read networks of the PEtab SciML format: a graph of calls in YAML, with parameters and arrays in HDF5.

The format describes networks as PyTorch traces them, with PyTorch's semantics: a layer accepts its input with or
without a batch, and kernels are not flipped. A layer, function or argument without a counterpart in luxport is refused
with its name. Needs the extra ``luxport-nn[petab]``.

    model = petab.load_model("net.yaml")
    ps, st = petab.load_parameters("net_ps_1.hdf5", model)
    y, st = model(petab.load_array("net_input_1.hdf5"), ps, st)

Source: the PEtab SciML specification (https://petab-sciml.readthedocs.io)
"""

from luxport.porting.network import Network
from luxport.porting.petab.files import load_array, load_model, load_parameters

__all__ = ["Network", "load_array", "load_model", "load_parameters"]
