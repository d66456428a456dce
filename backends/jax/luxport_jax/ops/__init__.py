"""JAX's overrides of operations, one file for each family of operations."""

from luxport_jax.ops.activations import *
from luxport_jax.ops.averages import *
from luxport_jax.ops.conv import *
from luxport_jax.ops.flat import *
from luxport_jax.ops.indices import *
from luxport_jax.ops.observe import *
from luxport_jax.ops.optimizers import *
from luxport_jax.ops.random_bits import *
from luxport_jax.ops.readable_values import *
from luxport_jax.ops.recurrent import *
from luxport_jax.ops.segments import *
from luxport_jax.ops.shapes import *
from luxport_jax.ops.sharding import *
