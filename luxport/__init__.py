"""Neural-network layers, written once and run by NumPy, JAX, PyTorch and TensorFlow.

>>> import luxport
>>> model = luxport.Chain(luxport.Dense(2, 8, luxport.tanh), luxport.Dense(8, 1))
>>> ps, st = luxport.setup(0, model)
>>> y, st = model(luxport.asarray([[1.0, 2.0]], dtype="float32"), ps, st)
>>> y.shape
(1, 1)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport import (
    backend,
    derivatives,
    device,
    errors,
    initializers,
    layer,
    layers,
    losses,
    move,
    ops,
    optimisers,
    precision,
    random,
    static,
    surgery,
    transforms,
    tree,
)
from luxport.backend import *
from luxport.derivatives import *
from luxport.device import *
from luxport.display import display
from luxport.errors import *
from luxport.initializers import *
from luxport.layer import *
from luxport.lazy import lazy_names
from luxport.move import *
from luxport.ops import activations
from luxport.ops.activations import *
from luxport.precision import *
from luxport.random import Rng, rng
from luxport.stateful import StatefulLayer
from luxport.static import *
from luxport.surgery import *
from luxport.transforms import *
from luxport.version import __version__

if TYPE_CHECKING:
    from luxport import porting as porting
    from luxport import schedules as schedules
    from luxport.batching import *
    from luxport.custom_gradient import *
    from luxport.data_loader import *
    from luxport.flat import *
    from luxport.intermediate import *
    from luxport.layers import *
    from luxport.loss_scaling import *
    from luxport.losses.objects import *
    from luxport.metrics import *
    from luxport.model_summary import *
    from luxport.moving_average import *
    from luxport.one_hot import *
    from luxport.porting.keras.layers import *
    from luxport.porting.saving import *
    from luxport.porting.torch.modules import *
    from luxport.stopping import *
    from luxport.training import *

__all__ = ["Rng", "StatefulLayer", "__version__", "display", "losses", "ops", "optimisers", "random", "rng", "tree"]
__all__ += activations.__all__
__all__ += backend.__all__
__all__ += derivatives.__all__
__all__ += device.__all__
__all__ += errors.__all__
__all__ += initializers.__all__
__all__ += layer.__all__
__all__ += move.__all__
__all__ += precision.__all__
__all__ += static.__all__
__all__ += surgery.__all__
__all__ += transforms.__all__

_LATER = {
    "batching": ["batch", "unbatch"],
    "custom_gradient": ["custom_vjp"],
    "data_loader": ["DataLoader"],
    "flat": ["FlatParameters", "flatten"],
    "intermediate": ["intermediate_outputs"],
    "layers": layers.__all__,
    "loss_scaling": ["DynamicLossScale", "all_finite", "select"],
    "losses": losses.OBJECTS,
    "metrics": ["accuracy"],
    "model_summary": ["LayerSummary", "ModelSummary", "summary"],
    "moving_average": ["MovingAverage"],
    "one_hot": ["onecold", "onehot", "onehotbatch"],
    "porting": [],
    "porting.keras.layers": ["from_keras", "to_keras"],
    "porting.saving": ["load", "save"],
    "porting.torch.modules": ["from_torch", "to_torch"],
    "schedules": [],
    "stopping": ["early_stopping", "patience", "plateau", "throttle"],
    "training": ["train", "train_step"],
}
_names, __getattr__, __dir__ = lazy_names(__name__, _LATER)
if not TYPE_CHECKING:
    __all__ += _names

backend.load_backends_on_arrival()
