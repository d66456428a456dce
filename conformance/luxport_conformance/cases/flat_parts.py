"""Arrays, and a tree with a matrix, that the cases of `flatten` share."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport.backend import namespace

ONE, TWO = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
MATRIX = np.array([[4.0, 5.0], [6.0, 7.0]])
SIX = np.arange(4.0, 10.0)


def put_matrix(a: Any, matrix: Any) -> Any:
    return {"a": a, "b": matrix, "c": [matrix, a]}


def sum_up(x: Any) -> Any:
    return namespace(x).sum(x)


SHARED = np.array([7.0, 7.0])
