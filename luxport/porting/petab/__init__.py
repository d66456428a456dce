"""Networks of the PEtab SciML format: a graph of calls in YAML, with parameters and arrays in HDF5.

The format writes networks down as PyTorch would trace them, and means what PyTorch means: a layer takes its input
with a batch or without one, kernels are not flipped. What luxport has no counterpart for is refused by name.
Needs the extra ``luxport-nn[petab]``.

    model = petab.load_model("net.yaml")
    ps, st = petab.load_parameters("net_ps_1.hdf5", model)
    y, st = model(petab.load_array("net_input_1.hdf5"), ps, st)

Source: the PEtab SciML specification (https://petab-sciml.readthedocs.io)
"""

from luxport.porting.network import Network
from luxport.porting.petab.files import load_array, load_model, load_parameters

__all__ = ["Network", "load_array", "load_model", "load_parameters"]
