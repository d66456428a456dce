"""MLX's own versions of operations, one file a family."""

from luxport_mlx.ops.looking import *
from luxport_mlx.ops.observe import *
from luxport_mlx.ops.optimizers import *
