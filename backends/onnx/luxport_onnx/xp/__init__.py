# ruff: noqa: F403
"""The functions of the Array API, recorded as ONNX's operators; there are no complex numbers."""

from . import _operators as _operators
from ._creation import *
from ._dtypes import *
from ._elementwise import *
from ._indexing import *
from ._manipulation import *
from ._reductions import *
from ._searching import *

__array_api_version__ = "2024.12"
