"""Cases of `Dropout` and `luxport.ops.dropout`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Chain, Dense, Dropout, ops
from luxport_conformance.case import Case, Property, Shape
from luxport_conformance.cases.declare import check_error, check_function, check_gradient, check_output, cite, draw

LAYER = "flux:layers/normalisation.jl"
OP = "nnlib:dropout.jl"

COMPLEX = np.array([1.0 + 0.0j, 2.0 + 1.0j, 3.0 + 3.0j])
REAL = np.array([1.0, 2.0, 3.0])
UNIT = np.random.Generator(np.random.Philox(5)).uniform(0.1, 1.0, 100)
KEY, COUNTER = np.array([17, -3], np.int32), np.array(0, np.int32)


def _count_zeros(y: Any) -> int:
    return int(np.count_nonzero(y == 0))


MOSTLY_ZERO = Property("more than 50 zeros of 100", lambda y: _count_zeros(y) > 50)
NO_ZERO = Property("no zeros", lambda y: _count_zeros(y) == 0)
SAME_IN_ROWS = Property(
    "as many zeros, but not none or all, in each row", lambda y: _is_alike(_count_zeros(row) for row in y)
)
SAME_IN_COLUMNS = Property(
    "as many zeros, but not none or all, in each column", lambda y: _is_alike(_count_zeros(column) for column in y.T)
)


def _is_alike(counts: Any) -> bool:
    counts = list(counts)
    return min(counts) == max(counts) > 0


def _expect_values(*wanted: float) -> Property:
    return Property(
        f"the values {wanted} and no others", lambda y: np.allclose(np.unique(y), wanted, rtol=1e-6, atol=0.0)
    )


def _check_operation(
    id: str, lines: tuple[str, ...], x: Any, p: float, *, axes: Any = None, expected: Any, **options: Any
) -> Case:
    return check_function(
        id,
        lines,
        lambda x, key, counter: ops.dropout(x, key, counter, p=p, axes=axes),
        *(x, KEY, COUNTER),
        subject="dropout",
        expected=expected,
        **options,
    )


MATRIX = Property("a floating matrix (4, 3)", lambda g: g.shape == (4, 3) and g.dtype.kind == "f")


def _check_operation_gradient(id: str, lines: tuple[int, ...], p: float, expected: Any, axes: Any = None) -> Case:
    return check_gradient(
        id,
        cite(OP, *lines),
        lambda x, key, counter: luxport.namespace(x).sum(ops.dropout(x, key, counter, p=p, axes=axes)),
        {"x": draw(4, 3), "key": KEY, "counter": COUNTER},
        subject="dropout",
        expected=expected,
    )


IN_CHAIN = Chain(Dense(100, 100), Dropout(0.9))

CASES: list[Case] = [
    check_output("dropout.test_complex", cite(LAYER, 6), Dropout(0.1), COMPLEX, y=COMPLEX),
    check_output("dropout.never_complex", cite(LAYER, 7), Dropout(0), COMPLEX, training=True, y=COMPLEX),
    check_output("dropout.always_complex", cite(LAYER, 8), Dropout(1), COMPLEX, training=True, y=np.zeros(3)),
    check_output("dropout.test", cite(LAYER, 11), Dropout(0.1), REAL, y=REAL),
    check_output("dropout.never", cite(LAYER, 12), Dropout(0), REAL, training=True, y=REAL),
    check_output("dropout.always", cite(LAYER, 13), Dropout(1), REAL, training=True, y=np.zeros(3)),
    check_output("dropout.mostly", cite(LAYER, 18, 24, 59), Dropout(0.9), UNIT, training=True, y=MOSTLY_ZERO),
    check_output("dropout.test_keeps_all", cite(LAYER, 21, 29, 56), Dropout(0.9), UNIT, y=NO_ZERO),
    check_output("dropout.in_chain", cite(LAYER, 35), IN_CHAIN, UNIT, training=True, y=MOSTLY_ZERO),
    check_output("dropout.in_chain_test", cite(LAYER, 38), IN_CHAIN, UNIT, y=NO_ZERO),
    *[
        check_output(
            f"dropout.mask_along_{name}",
            cite(LAYER, line),
            Dropout(0.5, axes=axis),
            np.ones((50, 100)),
            training=True,
            y=wanted,
        )
        for axis, (name, line, wanted) in enumerate((("batch", 44, SAME_IN_COLUMNS), ("features", 48, SAME_IN_ROWS)))
    ],
    _check_operation("dropout.op_mostly", cite(LAYER, 62), UNIT, 0.9, expected=MOSTLY_ZERO),
    _check_operation("dropout.op_never", cite(LAYER, 65), UNIT, 0.0, expected=NO_ZERO),
    _check_operation("dropout.op_shape", cite(OP, 7, 10, 15), draw(4, 3), 0.1, expected=Shape(4, 3)),
    _check_operation(
        "dropout.op_shape_one_axis", cite(OP, 8, 11, 16), draw(4, 3), 0.2, axes=(0,), expected=Shape(4, 3)
    ),
    _check_operation("dropout.op_shape_two_axes", cite(OP, 9, 12), draw(4, 3), 0.3, axes=(1, 0), expected=Shape(4, 3)),
    _check_operation("dropout.op_zero", cite(OP, 22), draw(4, 3), 0.0, expected=lambda x, key, counter: x),
    _check_operation("dropout.op_zero_complex", cite(OP, 23), draw(4, 3) + 0j, 0.0, expected=lambda x, key, counter: x),
    _check_operation("dropout.op_one", cite(OP, 24), draw(4, 3), 1.0, expected=np.zeros((4, 3))),
    _check_operation("dropout.op_one_complex", cite(OP, 25), draw(4, 3) + 1j, 1.0, expected=np.zeros((4, 3))),
    _check_operation(
        "dropout.op_mean",
        cite(OP, 28),
        np.ones((100, 100, 100)),
        0.45,
        expected=Property("a mean of 1 to 0.01", lambda y: abs(y.mean(dtype="f8") - 1) < 1e-2),
        dtypes=("float32",),
        compiles=False,  # compiled programs draw the same bits (dropout.same_mask), so their statistics are equal
    ),
    _check_operation(
        "dropout.op_scale", cite(OP, 30), np.full(1000, np.pi), 0.2, expected=_expect_values(0, 5 * np.pi / 4)
    ),
    _check_operation(
        "dropout.op_scale_one_axis",
        cite(OP, 32),
        np.full((1000, 10), 3.0),
        0.3,
        axes=(0,),
        expected=_expect_values(0, 3 / (1 - 0.3)),
    ),
    _check_operation(
        "dropout.op_complex",
        cite(OP, 36, 37),
        COMPLEX,
        0.5,
        expected=Property("complex numbers, dropped or doubled", lambda y: y.dtype.kind == "c" and _is_doubled(y)),
    ),
    _check_operation_gradient("dropout.gradient_never", (55,), 0.0, np.ones((4, 3))),
    _check_operation_gradient("dropout.gradient_always", (56,), 1.0, np.zeros((4, 3))),
    _check_operation_gradient("dropout.gradient_type", (50, 51), 0.3, MATRIX),
    _check_operation_gradient("dropout.gradient_type_one_axis", (52,), 0.3, MATRIX, axes=(1,)),
    check_function(
        "dropout.same_mask",
        ("luxport: bits are Threefry-2x32-20's; these at key (17, -3), counter 0, by the definition on NumPy",),
        lambda key, counter: ops.keep_mask(key, counter, shape=(3, 8), p=0.5),
        *(KEY, COUNTER),
        subject="dropout",
        expected=lambda key, counter: np.asarray(_draw_mask()),
        dtypes=("float32",),
    ),
    check_output(
        "dropout.counter",
        ("lux: each call in training advances the generator",),
        Dropout(0.5),
        UNIT,
        training=True,
        state={"rng": {"counter": np.array(1, np.int32)}, "training": luxport.Static(True)},
    ),
    check_error(
        "dropout.probability",
        ("lux: a probability outside [0, 1] is an error",),
        lambda: Dropout(1.5),
        raises=ValueError,
        message=r"a probability in \[0, 1\], got 1.5",
    ),
]


def _is_doubled(y: Any) -> bool:
    return all(value in (0, 2 * wanted) for value, wanted in zip(y.tolist(), COMPLEX.tolist(), strict=True))


def _draw_mask() -> list[list[bool]]:
    """Compute a mask by an independent implementation of Threefry on Python's integers."""
    rows = []
    for block in range(12):
        rows += [word >= 2**31 for word in _shift(_threefry((17, 2**32 - 3), (0, block)))]
    return [rows[8 * i : 8 * i + 8] for i in range(3)]


def _shift(words: tuple[int, int]) -> list[int]:
    # Comparing an int32 with 0 is comparing the uint32 whose sign bit is flipped with 2**31.
    return [word ^ 2**31 for word in words]


def _threefry(key: tuple[int, int], counter: tuple[int, int]) -> tuple[int, int]:
    keys = (*key, key[0] ^ key[1] ^ 0x1BD11BDA)
    x, y = (counter[0] + keys[0]) % 2**32, (counter[1] + keys[1]) % 2**32
    for round_ in range(20):
        turn = (13, 15, 26, 6, 17, 29, 16, 24)[round_ % 8]
        x = (x + y) % 2**32
        y = (((y << turn) | (y >> (32 - turn))) % 2**32) ^ x
        if round_ % 4 == 3:
            group = round_ // 4 + 1
            x = (x + keys[group % 3]) % 2**32
            y = (y + keys[(group + 1) % 3] + group) % 2**32
    return x, y
