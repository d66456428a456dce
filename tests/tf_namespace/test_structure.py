"""Creation, manipulation, indexing, reductions, sorting, searching and sets against NumPy."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from .strategies import KINDS, agree, arrays, few, oracle, shapes, xp


def some_array(kind="all", **sizes):
    return arrays(KINDS[kind], shapes(**sizes))


def axis_of(x, none=False, several=False):
    axis = st.integers(-x.ndim, x.ndim - 1) if x.ndim else st.nothing()
    if several:
        axis |= st.lists(st.integers(0, x.ndim - 1), unique=True).map(tuple) if x.ndim else st.just(())
    return axis | st.none() if none else axis


REDUCTIONS = {
    "sum": "numeric",
    "prod": "numeric",
    "mean": "floating",
    "max": "real",
    "min": "real",
    "var": "real floating",
    "std": "real floating",
    "all": "all",
    "any": "all",
    "count_nonzero": "all",
}


@pytest.mark.parametrize("name", REDUCTIONS)
@few(15)
@given(data=st.data())
def test_reductions(name, data):
    x = data.draw(some_array(REDUCTIONS[name], min_side=1))
    axis = data.draw(axis_of(x, none=True, several=True))
    keepdims = data.draw(st.booleans())
    kw = {"correction": data.draw(st.sampled_from([0, 0.5]))} if name in ("var", "std") else {}
    want = getattr(oracle, name)(x, axis=axis, keepdims=keepdims, **kw)
    # Sums may cancel, so errors are relative to the sum of the magnitudes.
    agree(getattr(xp, name)(xp.asarray(x), axis=axis, keepdims=keepdims, **kw), want, atol=float(np.abs(x).sum()))


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@few(20)
@given(data=st.data())
def test_arg_extremes(name, data):
    x = data.draw(some_array("real", min_side=1))
    axis, keepdims = data.draw(axis_of(x, none=True)), data.draw(st.booleans())
    want = np.asarray(getattr(oracle, name)(x, axis=axis, keepdims=keepdims))
    agree(getattr(xp, name)(xp.asarray(x), axis=axis, keepdims=keepdims), want)


@pytest.mark.parametrize("name", ["cumulative_sum", "cumulative_prod"])
@few(20)
@given(data=st.data())
def test_cumulative(name, data):
    x = data.draw(some_array("numeric", min_dims=1))
    axis, initial = data.draw(axis_of(x)), data.draw(st.booleans())
    want = getattr(oracle, name)(x, axis=axis, include_initial=initial)
    agree(
        getattr(xp, name)(xp.asarray(x), axis=axis, include_initial=initial),
        want,
        atol=float(np.abs(want).max(initial=0)),
    )


@few(20)
@given(data=st.data())
def test_diff(data):
    x = data.draw(some_array("numeric", min_dims=1, min_side=1))
    axis, n = data.draw(axis_of(x)), data.draw(st.integers(0, 2))
    ends = {k: x for k in ("prepend", "append") if data.draw(st.booleans())}
    want = np.diff(x, n=n, axis=axis, **ends)
    agree(xp.diff(xp.asarray(x), n=n, axis=axis, **{k: xp.asarray(v) for k, v in ends.items()}), want, atol=40)


@few(20)
@given(data=st.data())
def test_axes(data):
    x = data.draw(some_array(min_dims=2))
    t = xp.asarray(x)
    order = tuple(data.draw(st.permutations(range(x.ndim))))
    axis, to = data.draw(axis_of(x)), data.draw(axis_of(x))
    agree(xp.permute_dims(t, order), np.transpose(x, order))
    agree(xp.matrix_transpose(t), np.swapaxes(x, -1, -2))
    agree(xp.moveaxis(t, axis, to), np.moveaxis(x, axis, to))
    agree(xp.moveaxis(t, (0, 1), (-1, 0)), np.moveaxis(x, (0, 1), (-1, 0)))
    agree(xp.expand_dims(t, axis), np.expand_dims(x, axis))
    agree(xp.expand_dims(t, (0, -1)), np.expand_dims(x, (0, -1)))
    agree(xp.squeeze(xp.expand_dims(t, (0, 2)), (0, 2)), x)
    agree(xp.flip(t, axis=axis), np.flip(x, axis=axis))
    agree(xp.flip(t), np.flip(x))
    for got, want in zip(xp.unstack(t, axis=axis), np.moveaxis(x, axis, 0), strict=True):
        agree(got, want)


@few(15)
@given(data=st.data())
def test_joining_and_repeating(data):
    x = data.draw(some_array(min_dims=1))
    y = data.draw(arrays((x.dtype.name,), x.shape))
    t, u = xp.asarray(x), xp.asarray(y)
    axis, count = data.draw(axis_of(x)), data.draw(st.integers(0, 3))
    counts = data.draw(hnp.arrays(np.int64, x.shape[axis], elements=st.integers(0, 3)))
    times = tuple(data.draw(st.lists(st.integers(0, 3), max_size=4)))
    agree(xp.concat([t, u], axis=axis), np.concatenate([x, y], axis=axis))
    agree(xp.concat([t, u], axis=None), np.concatenate([x, y], axis=None))
    agree(xp.stack([t, u], axis=axis), np.stack([x, y], axis=axis))
    agree(xp.repeat(t, count, axis=axis), np.repeat(x, count, axis=axis))
    agree(xp.repeat(t, count), np.repeat(x, count))
    agree(xp.repeat(t, xp.asarray(counts), axis=axis), np.repeat(x, counts, axis=axis))
    agree(xp.tile(t, times), np.tile(x, times))
    agree(xp.roll(t, count, axis=axis), np.roll(x, count, axis=axis))
    agree(xp.roll(t, -count), np.roll(x, -count))
    agree(xp.reshape(t, (-1,)), x.reshape(-1))
    agree(xp.reshape(t, (*x.shape, 1)), x.reshape(*x.shape, 1))


@few(15)
@given(data=st.data())
def test_broadcasting(data):
    common = data.draw(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=3, max_side=3, min_side=0))
    xs = [data.draw(arrays(KINDS["all"], shape)) for shape in common.input_shapes]
    ts = [xp.asarray(x) for x in xs]
    for got, want in zip(xp.broadcast_arrays(*ts), np.broadcast_arrays(*xs), strict=True):
        agree(got, want)
    agree(xp.broadcast_to(ts[0], common.result_shape), np.broadcast_to(xs[0], common.result_shape))
    assert xp.broadcast_shapes(*common.input_shapes) == common.result_shape


@few(15)
@given(data=st.data())
def test_indexing(data):
    x = data.draw(some_array(min_dims=1, min_side=1))
    axis = data.draw(axis_of(x))
    size = x.shape[axis]
    places = data.draw(hnp.arrays(np.int64, shapes(max_dims=2), elements=st.integers(-size, size - 1)))
    agree(xp.take(xp.asarray(x), xp.asarray(places), axis=axis), np.take(x, places, axis=axis))
    shape = list(x.shape)
    shape[axis] = data.draw(st.integers(1, 5))
    expect_picked(x, data.draw(hnp.arrays(np.int32, tuple(shape), elements=st.integers(-size, size - 1))), axis)


def expect_picked(x, places, axis):
    picked = xp.take_along_axis(xp.asarray(x), xp.asarray(places), axis=axis)
    agree(picked, np.take_along_axis(x, places.astype(np.int64), axis=axis))


@pytest.mark.parametrize(("shape", "picked", "axis"), [((0, 0), (0, 1), -1), ((0, 0), (1, 0), 0), ((2, 0), (2, 0), 1)])
def test_nothing_is_picked_from_nothing(shape, picked, axis):
    expect_picked(np.zeros(shape, np.float32), np.zeros(picked, np.int32), axis)


@few(20)
@given(data=st.data())
def test_sorting(data):
    x = data.draw(some_array("real", min_dims=1))
    if x.dtype.kind == "f" and x.size and data.draw(st.booleans()):
        x.flat[0] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, -0.0]))
    axis, descending = data.draw(axis_of(x)), data.draw(st.booleans())
    agree(xp.sort(xp.asarray(x), axis=axis), np.sort(x, axis=axis))
    agree(xp.argsort(xp.asarray(x), axis=axis), np.argsort(x, axis=axis, kind="stable"))
    order = xp.argsort(xp.asarray(x), axis=axis, descending=descending).numpy()
    kept = np.take_along_axis(x, order, axis=axis)
    agree(xp.sort(xp.asarray(x), axis=axis, descending=descending), kept)
    if not np.isnan(x).any():
        downwards = np.flip(np.sort(x, axis=axis), axis=axis)
        np.testing.assert_array_equal(kept, downwards if descending else np.sort(x, axis=axis))


@few(20)
@given(data=st.data())
def test_searching(data):
    x = np.sort(data.draw(arrays(KINDS["real"], shapes(min_dims=1, max_dims=1))))
    y = data.draw(arrays((x.dtype.name,), shapes(max_dims=2)))
    side = data.draw(st.sampled_from(["left", "right"]))
    agree(xp.searchsorted(xp.asarray(x), xp.asarray(y), side=side), np.asarray(np.searchsorted(x, y, side=side)))
    z = data.draw(some_array(min_dims=1))
    for got, want in zip(xp.nonzero(xp.asarray(z)), np.nonzero(z), strict=True):
        agree(got, want)


@few(20)
@given(data=st.data())
def test_sets(data):
    x = data.draw(some_array())
    got, want = xp.unique_all(xp.asarray(x)), np.unique_all(x)
    for field in ("values", "indices", "inverse_indices", "counts"):
        agree(getattr(got, field), getattr(want, field))
    agree(xp.unique_values(xp.asarray(x)), np.sort(np.unique_values(x)))
    assert xp.unique_counts(xp.asarray(x)).counts.shape == want.counts.shape
    agree(xp.unique_inverse(xp.asarray(x)).inverse_indices, want.inverse_indices)
    y = data.draw(arrays((x.dtype.name,), shapes(max_dims=1)))
    for invert in (False, True):
        agree(xp.isin(xp.asarray(x), xp.asarray(y), invert=invert), np.isin(x, y, invert=invert))


@few(20)
@given(data=st.data())
def test_triangles_and_diagonals(data):
    x = data.draw(some_array(min_dims=2))
    k = data.draw(st.integers(-5, 5))
    t = xp.asarray(x)
    agree(xp.tril(t, k=k), np.tril(x, k=k))
    agree(xp.triu(t, k=k), np.triu(x, k=k))
    agree(xp.linalg.diagonal(t, offset=k), np.linalg.diagonal(x, offset=k))
    assume(x.dtype.kind != "b")
    agree(xp.linalg.trace(t, offset=k), oracle.linalg.trace(x, offset=k), atol=20)


@few(20)
@given(
    start=st.integers(-20, 20), stop=st.integers(-20, 20), step=st.sampled_from([-3, -1, 1, 2, 7]),
    dtype=st.sampled_from([None, "int8", "int32", "float32", "float64"]),
)  # fmt: skip
def test_arange(start, stop, step, dtype):
    want = np.arange(start, stop, step, dtype=dtype)
    agree(xp.arange(start, stop, step, dtype=None if dtype is None else getattr(xp, dtype)), want)
    want = np.arange(start / 4, stop / 4, step / 4, dtype=np.float64)
    agree(xp.arange(start / 4, stop / 4, step / 4, dtype=xp.float64), want, atol=5)


@few(20)
@given(
    shape=shapes(), dtype=st.sampled_from(KINDS["all"]), n=st.integers(0, 6), m=st.integers(0, 6), k=st.integers(-7, 7),
    endpoint=st.booleans(),
)  # fmt: skip
def test_filled_arrays(shape, dtype, n, m, k, endpoint):
    kind = getattr(xp, dtype)
    x = xp.zeros(shape, dtype=kind)
    agree(x, np.zeros(shape, dtype))
    agree(xp.ones(shape, dtype=kind), np.ones(shape, dtype))
    agree(xp.full(shape, True, dtype=kind), np.full(shape, True, dtype))
    agree(xp.zeros_like(x), np.zeros(shape, dtype))
    agree(xp.ones_like(x, dtype=xp.int16), np.ones(shape, np.int16))
    agree(xp.full_like(x, 1, dtype=xp.float64), np.ones(shape))
    assert xp.empty(shape, dtype=kind).dtype == xp.empty_like(x).dtype == kind
    agree(xp.eye(n, m, k=k, dtype=kind), np.eye(n, m, k=k, dtype=dtype))
    agree(xp.linspace(-1, k, n, dtype=xp.float64, endpoint=endpoint), np.linspace(-1, k, n, endpoint=endpoint))
    grids = np.meshgrid(np.arange(n), np.arange(m), indexing="ij")
    for got, want in zip(xp.meshgrid(xp.arange(n), xp.arange(m), indexing="ij"), grids, strict=True):
        agree(got, want)


@few(20)
@given(data=st.data(), to=st.sampled_from(KINDS["all"]))
def test_asarray_and_astype(data, to):
    x = data.draw(some_array())
    agree(xp.asarray(x), x)
    if x.size:
        agree(xp.asarray(x.tolist(), dtype=getattr(xp, x.dtype.name)), x)
    positive = np.abs(x)  # casting a negative number to an unsigned dtype is undefined
    with np.errstate(all="ignore"):
        want = (positive.real if to not in (*KINDS["floating"][2:], "bool") else positive).astype(to)
    agree(xp.astype(xp.asarray(positive), getattr(xp, to)), want)


@pytest.mark.parametrize("target", ["int8", "int32", "int64", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("source", ["bool", "int8", "uint8", "int32", "float32", "float64", "complex64"])
def test_can_cast_as_numpy_promotes(source, target):
    # By the standard a cast is allowed if the two dtypes promote to the target; it defines no other promotions.
    kinds = {np.dtype(source).kind, np.dtype(target).kind}
    if kinds <= {"i", "u"} or kinds <= {"f", "c"} or len(kinds) == 1:
        expected = np.can_cast(source, target)
        assert xp.can_cast(getattr(xp, source), getattr(xp, target)) == expected
    else:
        assert xp.can_cast(getattr(xp, source), getattr(xp, target)) in (False, np.can_cast(source, target))
