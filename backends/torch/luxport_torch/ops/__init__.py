"""PyTorch's overrides of operations, one file for each family of operations."""

from luxport_torch.ops.activations import *
from luxport_torch.ops.affine import *
from luxport_torch.ops.attention import *
from luxport_torch.ops.conv import *
from luxport_torch.ops.crossentropy import *
from luxport_torch.ops.ctc import *
from luxport_torch.ops.embedding import *
from luxport_torch.ops.flat import *
from luxport_torch.ops.normalization import *
from luxport_torch.ops.observe import *
from luxport_torch.ops.optimizers import *
from luxport_torch.ops.pooling import *
from luxport_torch.ops.random_bits import *
from luxport_torch.ops.recurrent import *
from luxport_torch.ops.regression import *
from luxport_torch.ops.sampling import *
from luxport_torch.ops.segments import *
from luxport_torch.ops.shapes import *
from luxport_torch.ops.softmax import *
from luxport_torch.readable_values import *
