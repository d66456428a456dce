"""Hypothesis strategies for NumPy arrays, and the comparison of tensors with NumPy arrays."""

from typing import Any

import array_api_compat.numpy
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from luxport_tf import xp

oracle: Any = array_api_compat.numpy

__all__ = ["KINDS", "agree", "arrays", "few", "oracle", "shapes", "xp"]

SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")
COMPLEX = ("complex64", "complex128")
KINDS = {
    "bool": ("bool",),
    "integer": SIGNED + UNSIGNED,
    "real floating": FLOATS,
    "floating": FLOATS + COMPLEX,
    "real": SIGNED + UNSIGNED + FLOATS,
    "numeric": SIGNED + UNSIGNED + FLOATS + COMPLEX,
    "all": ("bool", *SIGNED, *UNSIGNED, *FLOATS, *COMPLEX),
}


def few(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )


def shapes(min_dims=0, max_dims=3, min_side=0, max_side=4):
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def elements(dtype, low=-5.0, high=5.0):
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        return st.integers(max(int(low), np.iinfo(dtype).min), int(high))
    width = 32 if dtype.name in ("float32", "complex64") else 64
    parts = st.floats(low, high, width=width, allow_subnormal=False)
    return parts if dtype.kind == "f" else st.builds(complex, parts, parts)


@st.composite
def arrays(draw, dtypes, shape, low=-5.0, high=5.0):
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else shape
    return draw(hnp.arrays(dtype, shape, elements=elements(dtype, low, high)))


# A few units in the last place of sums of a few dozen terms and of library functions.
RTOL = {"float32": 2e-5, "float64": 1e-12, "complex64": 2e-5, "complex128": 1e-12}


def agree(got, want, atol=0.0):
    want = np.asarray(want)
    assert got.dtype.name == want.dtype.name, f"dtype {got.dtype.name}, wanted {want.dtype.name}"
    assert tuple(got.shape) == want.shape, f"shape {tuple(got.shape)}, wanted {want.shape}"
    if want.dtype.kind in "biu":
        np.testing.assert_array_equal(got.numpy(), want)
    else:
        rtol = RTOL[want.dtype.name]
        np.testing.assert_allclose(got.numpy(), want, rtol=rtol, atol=max(atol, 1) * rtol)
