"""Cases of gradients through `flatten` and back, and of gradients of these: Flux's tests of ``destructure``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import flatten
from luxport.backend import dtype_name, namespace
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, computation, draw
from luxport_conformance.cases.flat_parts import MATRIX, ONE, SHARED, TWO, sum_of, with_matrix
from luxport_conformance.cases.models_of_arrays import in_list, nested, pair, tied, with_complex, with_function

FILE = "optimizers:destructure.jl"


def _slope(
    id: str,
    lines: tuple[int, ...],
    loss: Callable[..., Any],
    *arrays: Any,
    expected: Any,
    wrt: int | tuple[int, ...] = 0,
    **options: Any,
) -> Case:
    program = luxport.grad(loss, wrt)
    return computation(
        f"flat.{id}",
        at(FILE, *lines),
        "flatten",
        lambda *arrays: program(*arrays),
        {f"x{i}": np.asarray(array) for i, array in enumerate(arrays)},
        expected=expected,
        differentiates=True,
        **options,
    )


def _squares(x: Any) -> Any:
    return sum_of(x * x)


def _of(model: Callable[..., Any], *arrays: Any) -> Callable[[Any], Any]:
    """Return the model as a function of its vector: its layout is known from arrays of NumPy's, in its dtype."""
    # Beforehand: PyTorch's compiler would take what is done to arrays of NumPy's for a part of the program.
    known = {
        dtype: flatten(model(*[np.asarray(array).astype(dtype) for array in arrays]))[1]
        for dtype in ("float16", "float32", "float64")
    }
    return lambda vector: known[dtype_name(vector)](vector)


ARRAY = _of(lambda a: a, ONE)
PAIR = _of(pair, ONE, TWO)
WITH_FUNCTION = _of(with_function, ONE, TWO)
TIED = _of(tied, ONE, TWO)
IN_LIST = _of(in_list, ONE, np.array([4.0]), np.array([5.0]))
WITH_MATRIX = _of(with_matrix, ONE, MATRIX)
FIVE = _of(lambda a, b: {"x": a, "y": b}, np.array([1.0, 2.0]), ONE)
FOUR = _of(lambda a, b: {"x": a, "y": b, "z": a}, SHARED, np.array([3.0, 4.0]))
CASES: list[Case] = [
    _slope("slope_of_array", (64,), lambda a: flatten(a)[0][0], ONE, expected=np.array([1.0, 0.0, 0.0])),
    _slope(
        "slope_of_pair",
        (65,),
        lambda a, b: flatten((a, b))[0][1],
        *(ONE, TWO),
        wrt=(0, 1),
        expected=(np.array([0.0, 1.0, 0.0]), np.zeros(3)),
    ),
    _slope("slope_of_twice", (66,), lambda a: flatten((a, a))[0][2], ONE, expected=np.array([0.0, 0.0, 1.0])),
    _slope(
        "slope_with_function",
        (67,),
        lambda a, b: flatten(with_function(a, b))[0][0],
        *(ONE, TWO),
        wrt=(0, 1),
        expected=(np.array([1.0, 0.0, 0.0]), np.zeros(3)),
    ),
    _slope(
        "slope_of_tied",
        (68,),
        lambda a, b: flatten(tied(a, b))[0][1],
        *(ONE, TWO),
        wrt=(0, 1),
        expected=(np.array([0.0, 1.0, 0.0]), np.zeros(3)),
    ),
    _slope(
        "slope_of_nested",
        (71,),
        lambda a, b, c: flatten(nested(a, b, c))[0][2],
        *(ONE, TWO, TWO),
        expected=np.array([0.0, 0.0, 1.0]),
    ),
    _slope(
        "slope_of_real_beside_complex",
        (75, 76),
        lambda a, z: namespace(z).imag(flatten(with_complex(a, z))[0])[3],
        *(ONE, np.array([4.0 + 1.0j])),
        expected=np.zeros(3),
    ),
    _slope(
        "slope_in_list",
        (80, 81, 82),
        lambda a, b, c: _squares(flatten(in_list(a, b, c))[0]),
        *(ONE, np.array([4.0]), np.array([5.0])),
        wrt=(0, 1, 2),
        expected=(2.0 * ONE, np.array([8.0]), np.array([10.0])),
    ),
    _slope(
        "second_slope",
        (88,),
        lambda v: _squares(luxport.grad(lambda a: _squares(flatten((a, v * 0.0 + 4.0))[0]))(v)),
        ONE,
        expected=8.0 * ONE,
    ),
    _slope(
        "second_slope_of_cube",
        (97,),
        lambda v, w: sum_of(luxport.grad(lambda a: sum_of(flatten((a, w))[0]) ** 3)(v)),
        *(ONE, TWO),
        expected=np.full(3, 378.0),
    ),
    _slope(
        "second_slope_with_function",
        (101,),
        lambda v, w: _squares(luxport.grad(lambda a: _squares(flatten(with_function(a, w))[0]))(v)),
        *(ONE, TWO),
        expected=8.0 * ONE,
    ),
    _slope("slope_to_array", (111,), lambda v: ARRAY(v)[0], draw(3), expected=np.eye(3)[0]),
    _slope("slope_to_pair", (113,), lambda v: PAIR(v)[0][1], draw(6), expected=np.eye(6)[1]),
    _slope("slope_past_function", (115,), lambda v: WITH_FUNCTION(v)["x"][2], draw(6), expected=np.eye(6)[2]),
    _slope("slope_past_function_last", (116,), lambda v: WITH_FUNCTION(v)["z"][0], draw(6), expected=np.eye(6)[3]),
    _slope("slope_to_tied", (119,), lambda v: TIED(v)["x"][0], draw(6), expected=np.eye(6)[0]),
    _slope("slope_to_tied_again", (120,), lambda v: TIED(v)["y"][1], draw(6), expected=np.eye(6)[1]),
    _slope(
        "slope_to_all_of_tied",
        (121,),
        lambda v: (lambda m: m["x"][0] + 2.0 * m["y"][1] + 3.0 * m["z"][2])(TIED(v)),
        draw(6),
        expected=np.array([1.0, 2.0, 0.0, 0.0, 0.0, 3.0]),
    ),
    _slope(
        "slope_to_list",
        (132,),
        lambda v: _squares(IN_LIST(v)[0]["y"]),
        np.arange(1.0, 6.0),
        expected=np.array([2.0, 4.0, 6.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_list_in_list",
        (133,),
        lambda v: _squares(IN_LIST(v)[2][0][0]),
        np.arange(1.0, 6.0),
        expected=np.array([0.0, 0.0, 0.0, 0.0, 10.0]),
    ),
    _slope(
        "slope_to_matrix",
        (136,),
        lambda v: _squares(WITH_MATRIX(v)["c"][0]),
        np.arange(1.0, 8.0),
        expected=np.array([0.0, 0.0, 0.0, 8.0, 10.0, 12.0, 14.0]),
    ),
    _slope(
        "second_slope_to_pair",
        (139,),
        lambda y: _squares(luxport.grad(lambda x: _squares(PAIR(x)[0]))(y)),
        np.arange(1.0, 7.0),
        expected=np.array([8.0, 16.0, 24.0, 0.0, 0.0, 0.0]),
    ),
    _slope(
        "second_slope_past_function",
        (146,),
        lambda y: _squares(luxport.grad(lambda x: _squares(WITH_FUNCTION(x)["z"]))(y)),
        np.arange(1.0, 7.0),
        expected=np.array([0.0, 0.0, 0.0, 32.0, 40.0, 48.0]),
    ),
    _slope(
        "slope_to_both",
        (156,),
        lambda w: (lambda m: 5.0 * sum_of(m["x"]) + 7.0 * sum_of(m["y"]))(FIVE(w)),
        np.zeros(5),
        expected=np.array([5.0, 5.0, 7.0, 7.0, 7.0]),
    ),
    _slope(
        "slope_to_one_of_two",
        (161,),
        lambda w: sum_of(FIVE(w)["x"]),
        np.zeros(5),
        expected=np.array([1.0, 1.0, 0.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_shared",
        (168,),
        lambda w: (lambda m: 3.0 * sum_of(m["x"]) + 13.0 * sum_of(m["z"]))(FOUR(w)),
        np.zeros(4),
        expected=np.array([16.0, 16.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_shared_alike",
        (173,),
        lambda w: (lambda m: 4.0 * (sum_of(m["x"]) + sum_of(m["z"])))(FOUR(w)),
        np.zeros(4),
        expected=np.array([8.0, 8.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_shared_and_not",
        (178,),
        lambda w: (lambda m: 4.0 * (sum_of(m["x"]) + sum_of(m["y"])) + 13.0 * sum_of(m["z"]))(FOUR(w)),
        np.zeros(4),
        expected=np.array([17.0, 17.0, 4.0, 4.0]),
    ),
]
