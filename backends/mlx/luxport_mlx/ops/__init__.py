"""MLX's own versions of operations, one file a family."""

from luxport_mlx.ops.attention import *
from luxport_mlx.ops.conv import *
from luxport_mlx.ops.normalization import *
from luxport_mlx.ops.observe import *
from luxport_mlx.ops.optimizers import *
from luxport_mlx.ops.readable_values import *
from luxport_mlx.ops.softmax import *
