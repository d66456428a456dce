"""Cases of `luxport.trainables`: Optimisers.jl's own tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import trainables
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import at, computation, draw, fact
from luxport_conformance.cases.models_of_arrays import in_list, nested, pair, tied, with_complex, with_function
from luxport_conformance.compare import Tolerance

FILE = "optimizers:trainables.jl"

ONE, TWO = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
FOUR, FIVE = np.array([4.0]), np.array([5.0])
MATRIX = np.array([[4.0, 5.0], [6.0, 7.0]])
COMPLEX = np.array([4.0 + 1.0j])


def _alone(a: Any) -> Any:
    return a


def _with_matrix(a: Any, matrix: Any) -> Any:
    return {"a": a, "b": matrix, "c": (matrix, a)}


def _listed(id: str, lines: tuple[int, ...], model: Callable[..., Any], *arrays: Any) -> Case:
    """Each array once, in order."""
    return computation(
        f"trainables.{id}",
        at(FILE, *lines),
        "trainables",
        lambda *arrays: tuple(trainables(model(*arrays))),
        {f"x{i}": array for i, array in enumerate(arrays)},
        expected=arrays,
    )


def _squares(ps: Any) -> Any:
    xp = luxport.namespace(*trainables(ps))
    terms = [
        xp.sum(xp.real(p * xp.conj(p)) if xp.isdtype(p.dtype, "complex floating") else p * p) for p in trainables(ps)
    ]
    return sum(terms[1:], start=terms[0])


def _slope(id: str, lines: tuple[int, ...], model: Callable[..., Any], *arrays: Any) -> Case:
    """The gradient of all squares with respect to the arrays of the model, of which each counts once."""
    return computation(
        f"trainables.{id}",
        at(FILE, *lines),
        "trainables",
        lambda *arrays: luxport.grad(lambda *arrays: _squares(model(*arrays)), tuple(range(len(arrays))))(*arrays),
        {f"x{i}": array for i, array in enumerate(arrays)},
        expected=tuple([2 * array for array in arrays]),
        differentiates=True,
    )


def _tree_slope(id: str, lines: tuple[int, ...], model: Any) -> Case:
    """The gradient of all squares with respect to the model itself: every place of an array has one."""
    return computation(
        f"trainables.{id}",
        at(FILE, *lines),
        "trainables",
        luxport.grad(_squares),
        {"ps": model},
        expected=luxport.tree.map(lambda leaf: 2 * leaf, model),
        differentiates=True,
    )


def _complex_slope(a: Any, re: Any, im: Any) -> Any:
    """By real and imaginary part: free of any convention for complex gradients."""

    def loss(a: Any, re: Any, im: Any) -> Any:
        xp = luxport.namespace(a)
        dtype = xp.result_type(a.dtype, xp.complex64)
        return _squares(with_complex(a, xp.astype(re, dtype) + xp.astype(im, dtype) * 1j))

    return luxport.grad(loss, (0, 1, 2))(a, re, im)


def _two_of_a_dict(ps: Any) -> Any:
    xp = luxport.namespace(*trainables(ps))
    first, second = trainables(ps)
    return xp.sum(first * first) / 2 + xp.sum(second)


def _second_order(ps: Any) -> Any:
    return luxport.grad(lambda ps: _squares(luxport.grad(_squares)(ps)))(ps)


def _paths() -> list[Any]:
    return [(path, array.tolist()) for path, array in trainables(tied(ONE, TWO), path=True)]


def _first_squared(a: Any, b: Any) -> Any:
    """The square of the first array of a model in which it stands twice: upstream shows it in both places."""

    def loss(a: Any) -> Any:
        _, first = trainables(tied(a, b), path=True)[0]
        return luxport.namespace(first).sum(first * first)

    gradient = luxport.grad(loss)(a)
    return {"x": gradient, "y": gradient}


DICT = {"a": draw(2), "b": np.ones(2)}
DENSE = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.zeros(2)}

CASES: list[Case] = [
    _listed("array", (18, 19, 20), _alone, ONE),
    _listed("pair", (23, 24, 25, 26), pair, ONE, TWO),
    _listed("function", (29, 30, 31), with_function, ONE, TWO),
    _listed("tied", (34, 35, 36), tied, ONE, TWO),
    _listed("nested", (39, 40, 41, 42), nested, ONE, TWO, TWO),
    _listed("complex", (45, 46, 47), with_complex, ONE, COMPLEX),
    _listed("list", (54, 55, 56, 57), in_list, ONE, FOUR, FIVE),
    _listed("matrix", (60, 61, 62), _with_matrix, ONE, MATRIX),
    _slope("array_gradient", (68,), _alone, ONE),
    _slope("pair_gradient", (71,), pair, ONE, TWO),
    _slope("function_gradient", (74, 76), with_function, ONE, TWO),
    _slope("nested_gradient", (83,), nested, ONE, TWO, TWO),
    _slope("list_gradient", (92, 93, 94), in_list, ONE, FOUR, FIVE),
    _tree_slope("tied_gradient", (79,), tied(ONE, TWO)),
    _tree_slope("matrix_gradient", (97,), _with_matrix(ONE, MATRIX)),
    computation(
        "trainables.complex_gradient",
        at(FILE, 86),
        "trainables",
        _complex_slope,
        {"a": ONE, "re": np.real(COMPLEX), "im": np.imag(COMPLEX)},
        expected=(2 * ONE, np.array([8.0]), np.array([2.0])),
        differentiates=True,
    ),
    computation(
        "trainables.dict",
        at(FILE, 103, 104, 105),
        "trainables",
        lambda ps: tuple(trainables(ps)),
        {"ps": DICT},
        expected=lambda ps: (ps["a"], ps["b"]),
    ),
    computation(
        "trainables.dict_gradient",
        at(FILE, 108, 109),
        "trainables",
        luxport.grad(_two_of_a_dict),
        {"ps": DICT},
        expected=lambda ps: {"a": ps["a"], "b": np.ones(2)},
        differentiates=True,
    ),
    computation(
        "trainables.second_order",
        at(FILE, 125, 126),
        "trainables",
        _second_order,
        {"ps": DENSE},
        expected={"w": np.array([[8.0, 16.0], [24.0, 32.0]]), "b": np.zeros(2)},
        differentiates=True,
        tolerance=Tolerance(reduction=2),
    ),
    fact(
        "trainables.paths",
        at(FILE, 133, 134, 135),
        "trainables",
        lambda: repr(_paths()),
        repr([(("x",), [1.0, 2.0, 3.0]), (("z",), [4.0, 5.0, 6.0])]),
    ),
    computation(
        "trainables.path_gradient",
        at(FILE, 138, 139),
        "trainables",
        _first_squared,
        {"a": ONE, "b": TWO},
        expected={"x": 2 * ONE, "y": 2 * ONE},
        differentiates=True,
    ),
]
