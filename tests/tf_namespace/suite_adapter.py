"""`luxport_tf.xp` as data-apis/array-api-tests can use it: ``ARRAY_API_TESTS_MODULE=suite_adapter``.

The suite compares ``x.shape`` with tuples in ways that a `tf.TensorShape` does not support, so eager
tensors show their shape as a tuple here (with a TensorShape's methods, which TensorFlow itself calls).
With LUXPORT_TF_OPERATORS=1 in the environment the tensors' operators are patched too.
"""

import os
from typing import Any

import tensorflow as tf

from luxport_tf import xp

TensorShape = tf.TensorShape


class TupleShape(tuple):
    __slots__ = ()

    def __getattr__(self, name):
        return getattr(TensorShape(self), name)


def _show_shapes_as_tuples():
    eager: Any = type(tf.constant(0))
    shape = eager.shape.fget
    eager.shape = property(lambda x: TupleShape(shape(x)))


_show_shapes_as_tuples()
if os.environ.get("LUXPORT_TF_OPERATORS") == "1":
    xp.patch_operators()
globals().update(vars(xp))
