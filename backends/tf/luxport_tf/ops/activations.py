"""Activation functions by TensorFlow."""

import tensorflow as tf

__all__ = ["relu", "sigmoid", "tanh"]

relu = tf.nn.relu
sigmoid = tf.math.sigmoid
tanh = tf.math.tanh
