"""Cases of first and second derivatives through `flatten` and `unflatten`: Flux's tests of ``destructure``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import flatten
from luxport.backend import dtype_name, namespace
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_gradient, cite, draw
from luxport_conformance.cases.flat_parts import MATRIX, ONE, SHARED, TWO, put_matrix, sum_up
from luxport_conformance.cases.models_of_arrays import list_parts, nest, pair, put_complex, put_function, tie

FILE = "optimizers:destructure.jl"


def _check_slope(
    id: str, lines: tuple[int, ...], loss: Callable[..., Any], *arrays: Any, expected: Any, wrt: Any = 0
) -> Case:
    inputs = {f"x{i}": np.asarray(array) for i, array in enumerate(arrays)}
    return check_gradient(f"flat.{id}", cite(FILE, *lines), loss, inputs, subject="flatten", expected=expected, wrt=wrt)


def _sum_squares(x: Any) -> Any:
    return sum_up(x * x)


def _make_model_of_vector(model: Callable[..., Any], *arrays: Any) -> Callable[[Any], Any]:
    """Return the model as a function of its flat vector, unflattened by the layout of NumPy arrays of its dtype."""
    # Computed outside of the function: PyTorch's compiler would trace operations on NumPy arrays into the program.
    known = {
        dtype: flatten(model(*[np.asarray(array).astype(dtype) for array in arrays]))[1]
        for dtype in ("float16", "float32", "float64")
    }
    return lambda vector: known[dtype_name(vector)](vector)


ARRAY = _make_model_of_vector(lambda a: a, ONE)
PAIR = _make_model_of_vector(pair, ONE, TWO)
WITH_FUNCTION = _make_model_of_vector(put_function, ONE, TWO)
TIED = _make_model_of_vector(tie, ONE, TWO)
IN_LIST = _make_model_of_vector(list_parts, ONE, np.array([4.0]), np.array([5.0]))
WITH_MATRIX = _make_model_of_vector(put_matrix, ONE, MATRIX)
FIVE = _make_model_of_vector(lambda a, b: {"x": a, "y": b}, np.array([1.0, 2.0]), ONE)
FOUR = _make_model_of_vector(lambda a, b: {"x": a, "y": b, "z": a}, SHARED, np.array([3.0, 4.0]))
RISING = np.arange(1.0, 8.0)
NO_SLOPE = np.zeros(3)
CASES: list[Case] = [
    *[
        _check_slope(id, (line,), loss, *arrays, expected=np.array(expected))
        for id, line, loss, arrays, expected in (
            ("slope_of_array", 64, lambda a: flatten(a)[0][0], (ONE,), [1.0, 0.0, 0.0]),
            ("slope_of_twice", 66, lambda a: flatten((a, a))[0][2], (ONE,), [0.0, 0.0, 1.0]),
            ("slope_of_nested", 71, lambda a, b, c: flatten(nest(a, b, c))[0][2], (ONE, TWO, TWO), [0.0, 0.0, 1.0]),
        )
    ],
    *[
        _check_slope(id, (line,), loss, *(ONE, TWO), wrt=(0, 1), expected=(np.array(first), NO_SLOPE))
        for id, line, loss, first in (
            ("slope_of_pair", 65, lambda a, b: flatten((a, b))[0][1], [0.0, 1.0, 0.0]),
            ("slope_with_function", 67, lambda a, b: flatten(put_function(a, b))[0][0], [1.0, 0.0, 0.0]),
            ("slope_of_tied", 68, lambda a, b: flatten(tie(a, b))[0][1], [0.0, 1.0, 0.0]),
        )
    ],
    _check_slope(
        "slope_of_real_beside_complex",
        (75, 76),
        lambda a, z: namespace(z).imag(flatten(put_complex(a, z))[0])[3],
        *(ONE, np.array([4.0 + 1.0j])),
        expected=NO_SLOPE,
    ),
    _check_slope(
        "slope_in_list",
        (80, 81, 82),
        lambda a, b, c: _sum_squares(flatten(list_parts(a, b, c))[0]),
        *(ONE, np.array([4.0]), np.array([5.0])),
        wrt=(0, 1, 2),
        expected=(2.0 * ONE, np.array([8.0]), np.array([10.0])),
    ),
    _check_slope(
        "second_slope",
        (88,),
        lambda v: _sum_squares(luxport.grad(lambda a: _sum_squares(flatten((a, v * 0.0 + 4.0))[0]))(v)),
        ONE,
        expected=8.0 * ONE,
    ),
    _check_slope(
        "second_slope_of_cube",
        (97,),
        lambda v, w: sum_up(luxport.grad(lambda a: sum_up(flatten((a, w))[0]) ** 3)(v)),
        *(ONE, TWO),
        expected=np.full(3, 378.0),
    ),
    _check_slope(
        "second_slope_with_function",
        (101,),
        lambda v, w: _sum_squares(luxport.grad(lambda a: _sum_squares(flatten(put_function(a, w))[0]))(v)),
        *(ONE, TWO),
        expected=8.0 * ONE,
    ),
    *[
        _check_slope(id, (line,), loss, draw(size), expected=np.eye(size)[place])
        for id, line, loss, size, place in (
            ("slope_to_array", 111, lambda v: ARRAY(v)[0], 3, 0),
            ("slope_to_pair", 113, lambda v: PAIR(v)[0][1], 6, 1),
            ("slope_past_function", 115, lambda v: WITH_FUNCTION(v)["x"][2], 6, 2),
            ("slope_past_function_last", 116, lambda v: WITH_FUNCTION(v)["z"][0], 6, 3),
            ("slope_to_tied", 119, lambda v: TIED(v)["x"][0], 6, 0),
            ("slope_to_tied_again", 120, lambda v: TIED(v)["y"][1], 6, 1),
        )
    ],
    _check_slope(
        "slope_to_all_of_tied",
        (121,),
        lambda v: (lambda m: m["x"][0] + 2.0 * m["y"][1] + 3.0 * m["z"][2])(TIED(v)),
        draw(6),
        expected=np.array([1.0, 2.0, 0.0, 0.0, 0.0, 3.0]),
    ),
    *[
        _check_slope(id, (line,), loss, RISING[: len(expected)], expected=np.array(expected, float))
        for id, line, loss, expected in (
            ("slope_to_list", 132, lambda v: _sum_squares(IN_LIST(v)[0]["y"]), [2, 4, 6, 0, 0]),
            ("slope_to_list_in_list", 133, lambda v: _sum_squares(IN_LIST(v)[2][0][0]), [0, 0, 0, 0, 10]),
            ("slope_to_matrix", 136, lambda v: _sum_squares(WITH_MATRIX(v)["c"][0]), [0, 0, 0, 8, 10, 12, 14]),
            (
                "second_slope_to_pair",
                139,
                lambda y: _sum_squares(luxport.grad(lambda x: _sum_squares(PAIR(x)[0]))(y)),
                [8, 16, 24, 0, 0, 0],
            ),
            (
                "second_slope_past_function",
                146,
                lambda y: _sum_squares(luxport.grad(lambda x: _sum_squares(WITH_FUNCTION(x)["z"]))(y)),
                [0, 0, 0, 32, 40, 48],
            ),
        )
    ],
    *[
        _check_slope(
            id,
            (line,),
            lambda w, rebuild=rebuild, factors=factors: sum(
                [factor * sum_up(rebuild(w)[name]) for name, factor in factors.items()]
            ),
            np.zeros(len(expected)),
            expected=np.array(expected, float),
        )
        for id, line, rebuild, factors, expected in (
            ("slope_to_both", 156, FIVE, {"x": 5.0, "y": 7.0}, [5, 5, 7, 7, 7]),
            ("slope_to_one_of_two", 161, FIVE, {"x": 1.0}, [1, 1, 0, 0, 0]),
            ("slope_to_shared", 168, FOUR, {"x": 3.0, "z": 13.0}, [16, 16, 0, 0]),
            ("slope_to_shared_alike", 173, FOUR, {"x": 4.0, "z": 4.0}, [8, 8, 0, 0]),
            ("slope_to_shared_and_not", 178, FOUR, {"x": 4.0, "y": 4.0, "z": 13.0}, [17, 17, 4, 4]),
        )
    ],
]
