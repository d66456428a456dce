"""Cases of `luxport.flatten`: Optimisers.jl's own tests of ``destructure``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import flatten
from luxport.backend import dtype_name, namespace
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, computation, draw, fact, fails
from luxport_conformance.cases.models_of_arrays import in_list, nested, pair, tied, with_complex, with_function

FILE = "optimizers:destructure.jl"

ONE, TWO = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
MATRIX = np.array([[4.0, 5.0], [6.0, 7.0]])
SIX = np.arange(4.0, 10.0)


def _with_matrix(a: Any, matrix: Any) -> Any:
    return {"a": a, "b": matrix, "c": [matrix, a]}


def _flat(id: str, lines: tuple[int, ...], model: Callable[..., Any], *arrays: Any, expected: Any) -> Case:
    return computation(
        f"flat.{id}",
        at(FILE, *lines),
        "flatten",
        lambda *arrays: flatten(model(*arrays))[0],
        {f"x{i}": array for i, array in enumerate(arrays)},
        expected=np.asarray(expected),
    )


def _rebuilt(
    id: str,
    lines: tuple[int, ...],
    model: Callable[..., Any],
    arrays: tuple[Any, ...],
    vector: Any,
    shown: Callable[[Any], Any],
    expected: Any,
    **options: Any,
) -> Case:
    def program(vector: Any, *arrays: Any) -> Any:
        return shown(flatten(model(*arrays))[1](vector))

    inputs = {"vector": np.asarray(vector)} | {f"x{i}": array for i, array in enumerate(arrays)}
    return computation(f"flat.{id}", at(FILE, *lines), "flatten", program, inputs, expected=expected, **options)


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


def _sum(x: Any) -> Any:
    return namespace(x).sum(x)


def _squares(x: Any) -> Any:
    return _sum(x * x)


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
WITH_MATRIX = _of(_with_matrix, ONE, MATRIX)
FIVE = _of(lambda a, b: {"x": a, "y": b}, np.array([1.0, 2.0]), ONE)
SHARED = np.array([7.0, 7.0])
FOUR = _of(lambda a, b: {"x": a, "y": b, "z": a}, SHARED, np.array([3.0, 4.0]))


def _is_kept(vector: Any) -> bool:
    """Tell that neither flattening nor a part of the tree promotes small floats."""
    whole = [{"x": None, "y": 0}, {"x": vector, "y": vector + 1.0}]
    flat = flatten(whole)[0]
    return dtype_name(flat) == dtype_name(vector) and flat.shape[0] == 2 * vector.shape[0]


def _pulled(x: Any, y: Any) -> Any:
    vector, unflatten = flatten({"x": x, "y": y})
    _, pull = luxport.vjp(unflatten, vector)
    return pull({"x": x, "y": y})[0]


CASES: list[Case] = [
    _flat("array", (18,), lambda a: a, ONE, expected=ONE),
    _flat("pair", (19,), pair, ONE, TWO, expected=np.arange(1.0, 7.0)),
    _flat("with_function", (20,), with_function, ONE, TWO, expected=np.arange(1.0, 7.0)),
    _flat("tied", (21,), tied, ONE, TWO, expected=np.arange(1.0, 7.0)),
    _flat("nested", (22,), nested, ONE, TWO, TWO + 0.0, expected=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.0, 5.0, 6.0]),
    _flat("with_complex", (23,), with_complex, ONE, np.array([4.0 + 1.0j]), expected=[1.0, 2.0, 3.0, 4.0 + 1.0j]),
    _flat("with_matrix", (24,), _with_matrix, ONE, MATRIX, expected=np.arange(1.0, 8.0)),
    _flat("in_list", (48,), in_list, ONE, np.array([4.0]), np.array([5.0]), expected=np.arange(1.0, 6.0)),
    _flat("shared", (165,), lambda a, b: {"x": a, "y": b, "z": a}, SHARED, ONE[:2], expected=[7.0, 7.0, 1.0, 2.0]),
    _rebuilt("array_again", (26,), lambda a: a, (ONE,), [7.0, 8.0, 9.0], lambda m: m, np.array([7.0, 8.0, 9.0])),
    _rebuilt("pair_again", (27,), pair, (ONE, TWO), SIX, lambda m: m, (SIX[:3], SIX[3:])),
    _rebuilt(
        "with_function_again",
        (28,),
        with_function,
        (ONE, TWO),
        SIX,
        lambda m: {"x": m["x"], "same": m["y"] is np.sin, "z": m["z"]},
        {"x": SIX[:3], "same": True, "z": SIX[3:]},
    ),
    _rebuilt(
        "tied_again",
        (30, 31),
        tied,
        (ONE, TWO),
        SIX,
        lambda m: {**m, "one": m["x"] is m["y"]},
        {"x": SIX[:3], "y": SIX[:3], "z": SIX[3:], "one": True},
    ),
    _rebuilt(
        "nested_again",
        (33, 34),
        nested,
        (ONE, TWO, TWO + 0.0),
        np.arange(9.0)[::-1].copy(),
        lambda m: (m["a"][0]["x"] is m["b"][0], m["b"][1] is False),
        (True, True),
    ),
    _rebuilt(
        "with_complex_again",
        (36, 37, 38, 39),
        with_complex,
        (ONE, np.array([4.0 + 0.0j])),
        np.array([4.0 + 1.0j, 5.0 + 2.0j, 6.0 + 3.0j, 7.0 + 4.0j]),
        lambda m: {"real": "complex" not in dtype_name(m["a"]), "a": m["a"], "one": m["a"] is m["c"], "b": m["b"]},
        {"real": True, "a": TWO, "one": True, "b": np.array([7.0 + 4.0j])},
    ),
    _rebuilt(
        "in_list_again",
        (50, 51, 52),
        in_list,
        (ONE, np.array([4.0]), np.array([5.0])),
        np.arange(1.0, 6.0),
        lambda m: (m[0]["x"] is m[0]["y"], m[1]["b"]["y"] is False, m[2][0][0]),
        (True, True, np.array([5.0])),
    ),
    _rebuilt(
        "with_matrix_again",
        (55, 56),
        lambda a, matrix: _with_matrix(a, namespace(matrix).astype(matrix, namespace(matrix).float32)),
        (ONE, MATRIX),
        10.0 * np.arange(1.0, 8.0),
        lambda m: (m["b"] is m["c"][0], dtype_name(m["b"]) == "float32", m["b"]),
        (True, True, 10.0 * MATRIX),
    ),
    _rebuilt(
        "shared_again",
        (166,),
        lambda a, b: {"x": a, "y": b, "z": a},
        (SHARED, ONE[:2]),
        np.array([1.0, 10.0, 100.0, 1000.0]),
        lambda m: m,
        {"x": np.array([1.0, 10.0]), "y": np.array([100.0, 1000.0]), "z": np.array([1.0, 10.0])},
    ),
    *(
        fails(
            f"flat.{size}_numbers",
            at(FILE, line),
            lambda size=size: PAIR(np.zeros(size)),
            message=rf"unflatten expects a vector of 6 numbers, got shape \({size},\)",
            raises=ValueError,
            subject="flatten",
        )
        for line, size in ((59, 5), (60, 7))
    ),
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
        lambda v, w: _sum(luxport.grad(lambda a: _sum(flatten((a, w))[0]) ** 3)(v)),
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
        lambda w: (lambda m: 5.0 * _sum(m["x"]) + 7.0 * _sum(m["y"]))(FIVE(w)),
        np.zeros(5),
        expected=np.array([5.0, 5.0, 7.0, 7.0, 7.0]),
    ),
    _slope(
        "slope_to_one_of_two",
        (161,),
        lambda w: _sum(FIVE(w)["x"]),
        np.zeros(5),
        expected=np.array([1.0, 1.0, 0.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_shared",
        (168,),
        lambda w: (lambda m: 3.0 * _sum(m["x"]) + 13.0 * _sum(m["z"]))(FOUR(w)),
        np.zeros(4),
        expected=np.array([16.0, 16.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_shared_alike",
        (173,),
        lambda w: (lambda m: 4.0 * (_sum(m["x"]) + _sum(m["z"])))(FOUR(w)),
        np.zeros(4),
        expected=np.array([8.0, 8.0, 0.0, 0.0]),
    ),
    _slope(
        "slope_to_shared_and_not",
        (178,),
        lambda w: (lambda m: 4.0 * (_sum(m["x"]) + _sum(m["y"])) + 13.0 * _sum(m["z"]))(FOUR(w)),
        np.zeros(4),
        expected=np.array([17.0, 17.0, 4.0, 4.0]),
    ),
    computation(
        "flat.pulled_back",
        at(FILE, 194, 195, 196),
        "flatten",
        lambda *pairs: tuple([_pulled(*pair) for pair in pairs]),
        {
            "zeros": (np.zeros(2), np.zeros(3)),
            "second": (np.zeros(2), 10.0 * ONE),
            "both": (np.array([1.2, 3.4]), np.array([5.0, 6.0, 7.0])),
        },
        expected=lambda *pairs: tuple([np.concatenate(pair) for pair in pairs]),
        differentiates=True,
    ),
    fact(
        "flat.empty",
        at(FILE, 228),
        "flatten",
        lambda: flatten((None, np.sin, "text"))[1](np.zeros(0, np.float32)) == (None, np.sin, "text"),
    ),
    fails(
        "flat.empty_refuses_numbers",
        at(FILE, 229),
        lambda: flatten((None, np.sin))[1](np.ones(1)),
        message=r"unflatten expects a vector of 0 numbers, got shape \(1,\)",
        raises=ValueError,
        subject="flatten",
    ),
    computation(
        "flat.no_promotion",
        at(FILE, 235, 236),
        "flatten",
        _is_kept,
        {"vector": ONE},
        expected=True,
        dtypes=("float16", "float32", "float64"),
        compiles=False,
    ),
]
