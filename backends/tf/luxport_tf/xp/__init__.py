# ruff: noqa: F403
"""The Python array API standard, version 2025.12, over plain `tf.Tensor`s.

>>> import tensorflow as tf
>>> from luxport_tf import xp
>>> x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
>>> xp.sum(x, axis=-1).numpy().tolist()
[3.0, 7.0]

Importing it changes nothing in TensorFlow. Dtypes promote inside the functions, as the standard has it.
"""

from types import FunctionType as _FunctionType

from . import fft as fft
from . import linalg as linalg
from ._arithmetic import *
from ._conversion import *
from ._creation import *
from ._dtypes import *
from ._float_parts import *
from ._indexing import *
from ._info import *
from ._logic import *
from ._manipulation import *
from ._operators import *
from ._products import *
from ._searching import *
from ._sets import *
from ._sorting import *
from ._statistical import *
from ._transcendental import *

# TensorFlow's AutoGraph rewrites nothing in here, nor warns that it cannot.
for _names in (globals(), vars(fft), vars(linalg)):
    for _function in list(_names.values()):
        if isinstance(_function, _FunctionType) and _function.__module__.startswith(__name__):
            _function.autograph_info__ = True
