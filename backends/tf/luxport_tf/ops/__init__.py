"""TensorFlow's own versions of operations, one file a family."""

from luxport_tf.ops.activations import relu, sigmoid, tanh
from luxport_tf.ops.affine import dense

__all__ = ["dense", "relu", "sigmoid", "tanh"]
