"""TensorFlow's overrides of operations, one file for each family of operations."""

from luxport_tf.ops.activations import *
from luxport_tf.ops.affine import *
from luxport_tf.ops.conv import *
from luxport_tf.ops.embedding import *
from luxport_tf.ops.flat import *
from luxport_tf.ops.logarithms import *
from luxport_tf.ops.normalization import *
from luxport_tf.ops.observe import *
from luxport_tf.ops.optimizers import *
from luxport_tf.ops.pooling import *
from luxport_tf.ops.random_bits import *
from luxport_tf.ops.readable_values import *
from luxport_tf.ops.segments import *
from luxport_tf.ops.shapes import *
from luxport_tf.ops.softmax import *
