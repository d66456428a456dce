"""Cases of `luxport.flatten`: Optimisers.jl's tests of ``destructure``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import flatten
from luxport.backend import dtype_name, namespace
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_program, cite
from luxport_conformance.cases.flat_parts import MATRIX, ONE, SHARED, SIX, TWO, put_matrix
from luxport_conformance.cases.models_of_arrays import list_parts, nest, pair, put_complex, put_function, tie

FILE = "optimizers:destructure.jl"


def _check_flat(id: str, lines: tuple[int, ...], model: Callable[..., Any], *arrays: Any, expected: Any) -> Case:
    return check_program(
        f"flat.{id}",
        cite(FILE, *lines),
        lambda *arrays: flatten(model(*arrays))[0],
        {f"x{i}": array for i, array in enumerate(arrays)},
        subject="flatten",
        expected=np.asarray(expected),
    )


def _check_rebuilt(
    id: str,
    lines: tuple[int, ...],
    model: Callable[..., Any],
    arrays: tuple[Any, ...],
    vector: Any,
    shown: Callable[[Any], Any],
    expected: Any,
) -> Case:
    def program(vector: Any, *arrays: Any) -> Any:
        return shown(flatten(model(*arrays))[1](vector))

    inputs = {"vector": np.asarray(vector)} | {f"x{i}": array for i, array in enumerate(arrays)}
    return check_program(f"flat.{id}", cite(FILE, *lines), program, inputs, subject="flatten", expected=expected)


def _is_kept(vector: Any) -> bool:
    """Return whether flattening keeps the dtype of small floats, also beside integers and None."""
    whole = [{"x": None, "y": 0}, {"x": vector, "y": vector + 1.0}]
    flat = flatten(whole)[0]
    return dtype_name(flat) == dtype_name(vector) and flat.shape[0] == 2 * vector.shape[0]


def _pull_back(x: Any, y: Any) -> Any:
    vector, unflatten = flatten({"x": x, "y": y})
    _, pull = luxport.vjp(unflatten, vector)
    return pull({"x": x, "y": y})[0]


CASES: list[Case] = [
    _check_flat("array", (18,), lambda a: a, ONE, expected=ONE),
    _check_flat("pair", (19,), pair, ONE, TWO, expected=np.arange(1.0, 7.0)),
    _check_flat("with_function", (20,), put_function, ONE, TWO, expected=np.arange(1.0, 7.0)),
    _check_flat("tied", (21,), tie, ONE, TWO, expected=np.arange(1.0, 7.0)),
    _check_flat("nested", (22,), nest, ONE, TWO, TWO + 0.0, expected=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 4.0, 5.0, 6.0]),
    _check_flat("with_complex", (23,), put_complex, ONE, np.array([4.0 + 1.0j]), expected=[1.0, 2.0, 3.0, 4.0 + 1.0j]),
    _check_flat("with_matrix", (24,), put_matrix, ONE, MATRIX, expected=np.arange(1.0, 8.0)),
    _check_flat("in_list", (48,), list_parts, ONE, np.array([4.0]), np.array([5.0]), expected=np.arange(1.0, 6.0)),
    _check_flat(
        "shared", (165,), lambda a, b: {"x": a, "y": b, "z": a}, SHARED, ONE[:2], expected=[7.0, 7.0, 1.0, 2.0]
    ),
    _check_rebuilt("array_again", (26,), lambda a: a, (ONE,), [7.0, 8.0, 9.0], lambda m: m, np.array([7.0, 8.0, 9.0])),
    _check_rebuilt("pair_again", (27,), pair, (ONE, TWO), SIX, lambda m: m, (SIX[:3], SIX[3:])),
    _check_rebuilt(
        "with_function_again",
        (28,),
        put_function,
        (ONE, TWO),
        SIX,
        lambda m: {"x": m["x"], "same": m["y"] is np.sin, "z": m["z"]},
        {"x": SIX[:3], "same": True, "z": SIX[3:]},
    ),
    _check_rebuilt(
        "tied_again",
        (30, 31),
        tie,
        (ONE, TWO),
        SIX,
        lambda m: {**m, "one": m["x"] is m["y"]},
        {"x": SIX[:3], "y": SIX[:3], "z": SIX[3:], "one": True},
    ),
    _check_rebuilt(
        "nested_again",
        (33, 34),
        nest,
        (ONE, TWO, TWO + 0.0),
        np.arange(9.0)[::-1].copy(),
        lambda m: (m["a"][0]["x"] is m["b"][0], m["b"][1] is False),
        (True, True),
    ),
    _check_rebuilt(
        "with_complex_again",
        (36, 37, 38, 39),
        put_complex,
        (ONE, np.array([4.0 + 0.0j])),
        np.array([4.0 + 1.0j, 5.0 + 2.0j, 6.0 + 3.0j, 7.0 + 4.0j]),
        lambda m: {"real": "complex" not in dtype_name(m["a"]), "a": m["a"], "one": m["a"] is m["c"], "b": m["b"]},
        {"real": True, "a": TWO, "one": True, "b": np.array([7.0 + 4.0j])},
    ),
    _check_rebuilt(
        "in_list_again",
        (50, 51, 52),
        list_parts,
        (ONE, np.array([4.0]), np.array([5.0])),
        np.arange(1.0, 6.0),
        lambda m: (m[0]["x"] is m[0]["y"], m[1]["b"]["y"] is False, m[2][0][0]),
        (True, True, np.array([5.0])),
    ),
    _check_rebuilt(
        "with_matrix_again",
        (55, 56),
        lambda a, matrix: put_matrix(a, namespace(matrix).astype(matrix, namespace(matrix).float32)),
        (ONE, MATRIX),
        10.0 * np.arange(1.0, 8.0),
        lambda m: (m["b"] is m["c"][0], dtype_name(m["b"]) == "float32", m["b"]),
        (True, True, 10.0 * MATRIX),
    ),
    _check_rebuilt(
        "shared_again",
        (166,),
        lambda a, b: {"x": a, "y": b, "z": a},
        (SHARED, ONE[:2]),
        np.array([1.0, 10.0, 100.0, 1000.0]),
        lambda m: m,
        {"x": np.array([1.0, 10.0]), "y": np.array([100.0, 1000.0]), "z": np.array([1.0, 10.0])},
    ),
    *[
        check_error(
            f"flat.{id}",
            cite(FILE, line),
            lambda model=model, size=size: flatten(model)[1](np.ones(size)),
            message=rf"unflatten expects a vector of {count} numbers, got shape \({size},\)",
            raises=ValueError,
            subject="flatten",
        )
        for id, line, model, size, count in (
            ("5_numbers", 59, pair(ONE, TWO), 5, 6),
            ("7_numbers", 60, pair(ONE, TWO), 7, 6),
            ("empty_refuses_numbers", 229, (None, np.sin), 1, 0),
        )
    ],
    check_program(
        "flat.pulled_back",
        cite(FILE, 194, 195, 196),
        lambda *pairs: tuple([_pull_back(*pair) for pair in pairs]),
        {
            "zeros": (np.zeros(2), np.zeros(3)),
            "second": (np.zeros(2), 10.0 * ONE),
            "both": (np.array([1.2, 3.4]), np.array([5.0, 6.0, 7.0])),
        },
        subject="flatten",
        expected=lambda *pairs: tuple([np.concatenate(pair) for pair in pairs]),
        differentiates=True,
    ),
    check_fact(
        "flat.empty",
        cite(FILE, 228),
        lambda: flatten((None, np.sin, "text"))[1](np.zeros(0, np.float32)) == (None, np.sin, "text"),
        subject="flatten",
    ),
    check_program(
        "flat.no_promotion",
        cite(FILE, 235, 236),
        _is_kept,
        {"vector": ONE},
        subject="flatten",
        expected=True,
        dtypes=("float16", "float32", "float64"),
        compiles=False,
    ),
]
