# ruff: noqa: F403
"""The functions of the Array API, recorded as ONNX's operators; there are no complex numbers."""

import sys as _sys
from typing import Any as _Any

from luxport_onnx.graph import Array as _Array

from . import _operators as _operators
from ._bitwise import *
from ._creation import *
from ._dtypes import *
from ._elementwise import *
from ._folding import astype as astype
from ._indexing import *
from ._manipulation import *
from ._reductions import *
from ._searching import *
from ._transcendental import *

__array_api_version__ = "2024.12"


def _find_namespace(self: _Array, *, api_version: str | None = None) -> _Any:
    return _sys.modules[__name__]


_Array.__array_namespace__ = _find_namespace  # type: ignore[attr-defined]
