"""Cases of `luxport.trainables`: Optimisers.jl's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import trainables
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, check_program, cite, draw
from luxport_conformance.cases.models_of_arrays import list_parts, nest, pair, put_complex, put_function, tie
from luxport_conformance.compare import Tolerance

FILE = "optimizers:trainables.jl"

ONE, TWO = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
FOUR, FIVE = np.array([4.0]), np.array([5.0])
MATRIX = np.array([[4.0, 5.0], [6.0, 7.0]])
COMPLEX = np.array([4.0 + 1.0j])


def _pass_on(a: Any) -> Any:
    return a


def _put_matrix(a: Any, matrix: Any) -> Any:
    return {"a": a, "b": matrix, "c": (matrix, a)}


def _check_list(id: str, lines: tuple[int, ...], model: Callable[..., Any], *arrays: Any) -> Case:
    """Check that `trainables` returns each array once, in order."""
    return check_program(
        f"trainables.{id}",
        cite(FILE, *lines),
        lambda *arrays: tuple(trainables(model(*arrays))),
        {f"x{i}": array for i, array in enumerate(arrays)},
        expected=arrays,
    )


def _sum_squares(ps: Any) -> Any:
    xp = luxport.namespace(*trainables(ps))
    terms = [
        xp.sum(xp.real(p * xp.conj(p)) if xp.isdtype(p.dtype, "complex floating") else p * p) for p in trainables(ps)
    ]
    return sum(terms[1:], start=terms[0])


def _check_slope(id: str, lines: tuple[int, ...], model: Callable[..., Any], *arrays: Any) -> Case:
    """Check the gradient of the sum of squares with respect to the arrays of a model, each of which counts once."""
    return check_program(
        f"trainables.{id}",
        cite(FILE, *lines),
        lambda *arrays: luxport.grad(lambda *arrays: _sum_squares(model(*arrays)), tuple(range(len(arrays))))(*arrays),
        {f"x{i}": array for i, array in enumerate(arrays)},
        expected=tuple([2 * array for array in arrays]),
        differentiates=True,
    )


def _check_tree_slope(id: str, lines: tuple[int, ...], model: Any) -> Case:
    """Check the gradient of the sum of squares with respect to the model, which has a gradient for every leaf."""
    return check_program(
        f"trainables.{id}",
        cite(FILE, *lines),
        luxport.grad(_sum_squares),
        {"ps": model},
        expected=luxport.tree.map(lambda leaf: 2 * leaf, model),
        differentiates=True,
    )


def _compute_complex_slope(a: Any, re: Any, im: Any) -> Any:
    """Differentiate by real and imaginary parts, which depends on no convention for complex gradients."""

    def sum_squares(a: Any, re: Any, im: Any) -> Any:
        xp = luxport.namespace(a)
        dtype = xp.result_type(a.dtype, xp.complex64)
        return _sum_squares(put_complex(a, xp.astype(re, dtype) + xp.astype(im, dtype) * 1j))

    return luxport.grad(sum_squares, (0, 1, 2))(a, re, im)


def _sum_two_of_a_dict(ps: Any) -> Any:
    xp = luxport.namespace(*trainables(ps))
    first, second = trainables(ps)
    return xp.sum(first * first) / 2 + xp.sum(second)


def _compute_second_order(ps: Any) -> Any:
    return luxport.grad(lambda ps: _sum_squares(luxport.grad(_sum_squares)(ps)))(ps)


def _list_paths() -> list[Any]:
    return [(path, array.tolist()) for path, array in trainables(tie(ONE, TWO), path=True)]


def _compute_first_squared(a: Any, b: Any) -> Any:
    """Return the gradient of the squared first array, which is tied to a second place, for both places as upstream."""

    def sum_squares(a: Any) -> Any:
        _, first = trainables(tie(a, b), path=True)[0]
        return luxport.namespace(first).sum(first * first)

    gradient = luxport.grad(sum_squares)(a)
    return {"x": gradient, "y": gradient}


DICT = {"a": draw(2), "b": np.ones(2)}
DENSE = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.zeros(2)}

CASES: list[Case] = [
    _check_list("array", (18, 19, 20), _pass_on, ONE),
    _check_list("pair", (23, 24, 25, 26), pair, ONE, TWO),
    _check_list("function", (29, 30, 31), put_function, ONE, TWO),
    _check_list("tied", (34, 35, 36), tie, ONE, TWO),
    _check_list("nested", (39, 40, 41, 42), nest, ONE, TWO, TWO),
    _check_list("complex", (45, 46, 47), put_complex, ONE, COMPLEX),
    _check_list("list", (54, 55, 56, 57), list_parts, ONE, FOUR, FIVE),
    _check_list("matrix", (60, 61, 62), _put_matrix, ONE, MATRIX),
    _check_slope("array_gradient", (68,), _pass_on, ONE),
    _check_slope("pair_gradient", (71,), pair, ONE, TWO),
    _check_slope("function_gradient", (74, 76), put_function, ONE, TWO),
    _check_slope("nested_gradient", (83,), nest, ONE, TWO, TWO),
    _check_slope("list_gradient", (92, 93, 94), list_parts, ONE, FOUR, FIVE),
    _check_tree_slope("tied_gradient", (79,), tie(ONE, TWO)),
    _check_tree_slope("matrix_gradient", (97,), _put_matrix(ONE, MATRIX)),
    check_program(
        "trainables.complex_gradient",
        cite(FILE, 86),
        _compute_complex_slope,
        {"a": ONE, "re": np.real(COMPLEX), "im": np.imag(COMPLEX)},
        expected=(2 * ONE, np.array([8.0]), np.array([2.0])),
        differentiates=True,
    ),
    check_program(
        "trainables.dict",
        cite(FILE, 103, 104, 105),
        lambda ps: tuple(trainables(ps)),
        {"ps": DICT},
        expected=lambda ps: (ps["a"], ps["b"]),
    ),
    check_program(
        "trainables.dict_gradient",
        cite(FILE, 108, 109),
        luxport.grad(_sum_two_of_a_dict),
        {"ps": DICT},
        expected=lambda ps: {"a": ps["a"], "b": np.ones(2)},
        differentiates=True,
    ),
    check_program(
        "trainables.second_order",
        cite(FILE, 125, 126),
        _compute_second_order,
        {"ps": DENSE},
        expected={"w": np.array([[8.0, 16.0], [24.0, 32.0]]), "b": np.zeros(2)},
        differentiates=True,
        tolerance=Tolerance(reduction=2),
    ),
    check_fact(
        "trainables.paths",
        cite(FILE, 133, 134, 135),
        lambda: repr(_list_paths()),
        repr([(("x",), [1.0, 2.0, 3.0]), (("z",), [4.0, 5.0, 6.0])]),
    ),
    check_program(
        "trainables.path_gradient",
        cite(FILE, 138, 139),
        _compute_first_squared,
        {"a": ONE, "b": TWO},
        expected={"x": 2 * ONE, "y": 2 * ONE},
        differentiates=True,
    ),
]
