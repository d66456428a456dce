"""Neural-network layers, written once and run by NumPy, JAX, PyTorch and TensorFlow.

>>> import luxport
>>> model = luxport.Chain(luxport.Dense(2, 8, luxport.tanh), luxport.Dense(8, 1))
>>> ps, st = luxport.setup(0, model)
>>> y, st = model(luxport.asarray([[1.0, 2.0]], dtype="float32"), ps, st)
>>> y.shape
(1, 1)
"""

from luxport import ops, optimisers, random, tree
from luxport.backend import (
    Backend,
    asarray,
    available_backends,
    backend_of,
    default_backend,
    get_backend,
    namespace,
    register_backend,
    set_backend,
    using,
)
from luxport.display import display
from luxport.errors import BackendNotFoundError, LayerError, LayerTypeError
from luxport.initializers import (
    Initializer,
    glorot_normal,
    glorot_uniform,
    kaiming_normal,
    kaiming_uniform,
    normal,
    ones,
    uniform,
    zeros,
)
from luxport.layer import (
    ContainerLayer,
    Layer,
    NamedLayers,
    WrapperLayer,
    apply,
    initial_parameters,
    initial_states,
    output_shape,
    parameter_length,
    setup,
    state_length,
    stateless_apply,
    test_mode,
    train_mode,
    update_state,
)
from luxport.layers import (
    BatchNorm,
    Chain,
    Dense,
    Diagonal,
    Dropout,
    FlattenLayer,
    NoOpLayer,
    ReshapeLayer,
    Scale,
    SelectDim,
    WrappedFunction,
)
from luxport.move import to
from luxport.ops import identity, relu, sigmoid, tanh
from luxport.random import Rng, rng
from luxport.static import Static
from luxport.transforms import grad, jacobian, jit, jvp, stop_gradient, value_and_grad, vjp
from luxport.version import __version__
