"""Neural-network layers, written once and run by NumPy, JAX, PyTorch, TensorFlow and MLX.

>>> import luxport
>>> model = luxport.Chain(luxport.Dense(2, 8, luxport.tanh), luxport.Dense(8, 1))
>>> ps, st = luxport.setup(0, model)
>>> y, st = model(luxport.asarray([[1.0, 2.0]], dtype="float32"), ps, st)
>>> y.shape
(1, 1)
"""

from luxport.backend import load_backends_on_arrival
from luxport.lazy import read_lazy_names

# All of the core but `display`, `summary` and `output_shape`, which no program calls as it is compiled.
_CORE = ("layer_base", "calls", "containers", "counts", "flat", "initial_values", "layer", "modes", "setup")
__all__, __getattr__, __dir__ = read_lazy_names(
    __name__,
    at_once=(
        *(".backend", ".errors", ".initializers", ".ops", ".random", ".transforms", ".tree", ".version"),
        *(f".core.{name}" for name in (*_CORE, "stateful", "surgery")),
    ),
)

load_backends_on_arrival()
