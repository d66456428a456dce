"""NumPy's own versions of operations, one file a family."""

from luxport_numpy.ops.activations import *
from luxport_numpy.ops.conv import *
from luxport_numpy.ops.indices import *
from luxport_numpy.ops.pooling import *
from luxport_numpy.ops.random_bits import *
from luxport_numpy.ops.segments import *
from luxport_numpy.ops.softmax import *
