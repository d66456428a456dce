"""Cases of the products in `luxport.ops._batched`: NumPy multiplies one matrix at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import LayerError, ops
from luxport.ops import batched_adjoint, batched_mul, batched_transpose, batched_vec
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_function, check_gradient, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:batchedmul.jl"
SUM = Tolerance(reduction=50)

A, B, C = draw(3, 7, 5), draw(3, 5, 7, seed=1), draw(3, 7, 6, seed=2)
ZA, ZB, ZC = (x + 1j * draw(*x.shape, seed=3) for x in (A, B, C))
SQUARE, MATRIX, VECTOR = draw(3, 3, 3) + 1j * draw(3, 3, 3, seed=1), draw(3, 3, seed=2) + 1j, draw(3, seed=3) + 0j


def _multiply_each(a: Any, b: Any) -> Any:
    """Multiply the matrices of two batches pair by pair; a batch of one is broadcast."""
    n = max(len(x) if x.ndim == 3 else 1 for x in (a, b))
    a, b = (np.broadcast_to(x, (n, *x.shape[-2:])) for x in (a, b))
    return np.stack([x @ y for x, y in zip(a, b, strict=True)])


def _multiply_vectors(a: Any, b: Any) -> Any:
    """Multiply each matrix of a by the corresponding vector of b, over any leading axes."""
    products = [a[place] @ b[place] for place in np.ndindex(b.shape[:-1])]
    return np.reshape(products, a.shape[:-1])


def _turn(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _conjugate_transpose(x: Any) -> Any:
    return np.conj(_turn(x))


def _check_product(
    id: str, lines: tuple[int, ...], f: Callable[..., Any], wanted: Callable[..., Any], *arrays: Any
) -> Case:
    return check_function(f"batched_mul.{id}", cite(FILE, *lines), f, *arrays, expected=wanted, tolerance=SUM)


def _check_turned_products(
    id: str, of_one: str, line: int, turn: Any, turn_on_host: Any, a: Any, b: Any, c: Any
) -> list[Case]:
    """Check turn(a) turn(b), turn(a) b and a product of a matrix with its own turn, where `turn` transposes."""
    return [
        _check_product(
            id,
            (line,),
            lambda a, b: batched_mul(turn(a), turn(b)),
            lambda a, b: _multiply_each(turn_on_host(a), turn_on_host(b)),
            *(a, b),
        ),
        _check_product(
            f"left_{id}",
            (line + 1,),
            lambda a, c: batched_mul(turn(a), c),
            lambda a, c: _multiply_each(turn_on_host(a), c),
            *(a, c),
        ),
        _check_product(
            of_one, (line + 2,), lambda a: batched_mul(a, turn(a)), lambda a: _multiply_each(a, turn_on_host(a)), a
        ),
    ]


def _check_slopes(
    id: str,
    lines: tuple[int, ...],
    f: Callable[[Any, Any], Any],
    formula: str,
    a: Any,
    b: Any,
    subject: str = "batched_mul",
) -> Case:
    """Check the gradients of a weighted sum of ``einsum(formula)``, which are again einsums with exchanged letters."""
    operands, result = formula.split("->")
    left, right = operands.split(",")
    weights = draw(*np.einsum(formula, a, b).shape, seed=9)

    def expect_slopes(a: Any, b: Any, weights: Any) -> Any:
        return np.einsum(f"{result},{right}->{left}", weights, b), np.einsum(f"{result},{left}->{right}", weights, a)

    return check_gradient(
        f"{subject}.gradient_{id}",
        cite(FILE, *lines),
        lambda a, b, weights: luxport.namespace(a).sum(f(a, b) * weights),
        {"a": a, "b": b, "weights": weights},
        expected=expect_slopes,
        wrt=(0, 1),
        tolerance=Tolerance(reduction=50, magnitude=4.0),
    )


def _check_refusal(
    id: str, lines: tuple[int, ...], f: Callable[..., Any], a: tuple[int, ...], b: tuple[int, ...]
) -> Case:
    name = getattr(f, "__name__", "")
    return check_error(
        f"{name}.{id}",
        cite(FILE, *lines),
        lambda: f(np.zeros(a), np.zeros(b)),
        subject=name,
        raises=LayerError,
        message=rf"{name} expects .*, got ",
    )


NK, KM = (3, 4, 2), (3, 2, 3)  # the shapes of two batches of matrices that are multiplied
INTEGERS = np.random.Generator(np.random.Philox(6)).integers(1, 99, (3, 7, 5)).astype(np.int32)

CASES: list[Case] = [
    _check_product("plain", (46,), batched_mul, _multiply_each, A, B),
    *_check_turned_products("transposed", "with_itself", 47, batched_transpose, _turn, A, B, C),
    _check_product("complex", (56,), batched_mul, _multiply_each, ZA, ZB),
    *_check_turned_products("adjoint", "with_its_adjoint", 57, batched_adjoint, _conjugate_transpose, ZA, ZB, ZC),
    _check_product(
        "turned_twice",
        (62, 64),
        lambda a, z: (batched_transpose(batched_transpose(a)), batched_adjoint(batched_adjoint(z))),
        lambda a, z: (a, z),
        *(A, ZA),
    ),
    _check_product(
        "integers",
        (72,),
        lambda a: batched_mul(a, batched_transpose(a)),
        lambda a: _multiply_each(a, _turn(a)).astype(int),
        INTEGERS,
    ),
    _check_refusal("other_batch", (76,), batched_mul, (2, 2, 2), (10, 2, 2)),
    _check_refusal("other_sum", (77,), batched_mul, (2, 2, 2), (2, 10, 2)),
    *[
        _check_product(
            f"permuted_{''.join(map(str, axes))}",
            (84, 85),
            lambda a, b, axes=axes: (
                batched_mul(a, luxport.namespace(b).permute_dims(b, axes)),
                batched_mul(luxport.namespace(a).permute_dims(a, axes), batched_adjoint(b)),
            ),
            lambda a, b, axes=axes: (
                _multiply_each(a, np.transpose(b, axes)),
                _multiply_each(np.transpose(a, axes), _conjugate_transpose(b)),
            ),
            *(draw(4, 4, 4) + 1j, draw(4, 4, 4, seed=1) + 0j),
        )
        for axes in ((1, 0, 2), (0, 2, 1), (2, 1, 0))
    ],
    _check_product("one_on_the_right", (105, 106, 118), batched_mul, _multiply_each, draw(2, 4, 3), draw(1, 3, 5)),
    _check_product("many", (114,), batched_mul, _multiply_each, draw(20, 6, 6), draw(20, 6, 6, seed=1)),
    *[
        _check_product(f"sizes_{n}{k}{m}", (135,), batched_mul, _multiply_each, draw(3, n, k), draw(3, k, m, seed=1))
        for n, k, m in ((1, 1, 1), (1, 3, 1), (3, 1, 3), (1, 1, 3), (3, 3, 1))
    ],
    _check_product(
        "one_matrix",
        (225, 226, 227, 229, 230, 231),
        lambda a, m: (
            *(batched_mul(a, m), batched_mul(a, batched_adjoint(m)), batched_mul(a, batched_transpose(m))),
            *(batched_mul(m, a), batched_mul(batched_adjoint(m), a), batched_mul(batched_transpose(m), a)),
        ),
        lambda a, m: (
            *(_multiply_each(a, m), _multiply_each(a, _conjugate_transpose(m)), _multiply_each(a, _turn(m))),
            *(_multiply_each(m, a), _multiply_each(_conjugate_transpose(m), a), _multiply_each(_turn(m), a)),
        ),
        *(SQUARE, MATRIX),
    ),
    check_function(
        "batched_vec.one_each",
        cite(FILE, 234, 235),
        lambda a, m: (batched_vec(a, m), batched_vec(a, batched_adjoint(m))),
        *(SQUARE, MATRIX),
        expected=lambda a, m: tuple(
            [np.stack([x @ v for x, v in zip(a, vs, strict=True)]) for vs in (m, _conjugate_transpose(m))]
        ),
        tolerance=SUM,
    ),
    *[
        check_function(f"batched_vec.{id}", cite(FILE, *lines), batched_vec, *arrays, expected=expected, tolerance=SUM)
        for id, lines, arrays, expected in (
            ("one_for_all", (236,), (SQUARE, VECTOR), lambda a, v: np.stack([x @ v for x in a])),
            ("two_axes", (343, 347), (draw(2, 3, 4, 5), draw(2, 3, 5)), _multiply_vectors),
            ("three_axes", (355, 358, 359), (draw(2, 3, 2, 3, 4), draw(2, 3, 2, 4)), _multiply_vectors),
        )
    ],
    _check_refusal("fewer_axes", (362,), batched_vec, (2, 2, 3, 4), (3, 4)),
    _check_refusal("other_batch", (363,), batched_vec, (3, 2, 3, 4), (2, 2, 4)),
    _check_slopes("plain", (278,), batched_mul, "bnk,bkm->bnm", draw(*NK), draw(*KM)),
    *[
        _check_slopes(id, lines, f, formula, draw(*a), draw(*b))
        for id, lines, f, formula, a, b in (
            ("left_turned", (279, 288), lambda a, b: batched_mul(batched_adjoint(a), b), "bkn,bkm->bnm", (3, 2, 4), KM),
            (
                "right_turned",
                (280, 285),
                lambda a, b: batched_mul(a, batched_transpose(b)),
                "bnk,bmk->bnm",
                NK,
                (3, 3, 2),
            ),
            ("left_matrix", (283, 284), batched_mul, "nk,bkm->bnm", NK[1:], KM),
            ("right_matrix", (287, 289), batched_mul, "bnk,km->bnm", NK, KM[1:]),
            ("left_alone", (292, 293, 294), lambda a, b: batched_mul(a[None, ...], b), "nk,bkm->bnm", NK[1:], KM),
            ("right_alone", (296, 297, 298), lambda a, b: batched_mul(a, b[None, ...]), "bnk,km->bnm", NK, KM[1:]),
        )
    ],
    _check_slopes("one_each", (301, 302), batched_vec, "bnk,bk->bn", draw(*NK), draw(3, 2), subject="batched_vec"),
    _check_slopes("one_for_all", (304,), batched_vec, "bnk,k->bn", draw(*NK), draw(2), subject="batched_vec"),
    check_function(
        "batched_matmul.einsum",
        ("numpy: einsum says the same sums",),
        lambda a, b: (
            ops.batched_matmul(a, b, contract=(3, 3), batch=((0, 2), (0, 2))),
            ops.batched_matmul(a, b, contract=(-1, -1), batch=((2,), (2,)))[:, 0, ...],
            ops.batched_matmul(a[0, :, 0, ...], b[0, :, 0, ...], contract=(1, 1)),
        ),
        *(draw(2, 3, 4, 5), draw(2, 6, 4, 5, seed=1)),
        expected=lambda a, b: (
            np.einsum("nqhd,nkhd->nhqk", a, b),
            np.einsum("nqhd,mkhd->hnqmk", a, b)[:, 0],
            np.einsum("qd,kd->qk", a[0, :, 0], b[0, :, 0]),
        ),
        tolerance=SUM,
    ),
    check_function(
        "bias_activation.channels",
        ("luxlib: bias_activation adds along axis 1, or along the only one",),
        lambda x, bias: (
            ops.bias_activation(x, bias, activation=ops.relu),
            ops.bias_activation(x[..., 0], bias),
            ops.bias_activation(x[0, :, 0], bias),
            ops.bias_activation(x, None, activation=ops.relu),
        ),
        *(draw(2, 3, 4), draw(3)),
        expected=lambda x, bias: (
            np.maximum(x + bias[:, None], 0),
            x[..., 0] + bias,
            x[0, :, 0] + bias,
            np.maximum(x, 0),
        ),
    ),
    check_error(
        "multigate.uneven",
        ("luxlib: multigate is an error if the parts are not equal",),
        lambda: ops.multigate(np.zeros((2, 5)), 3),
        message="expects a last axis that 3 divides, got",
    ),
    check_function(
        "multigate.parts",
        ("luxlib: multigate cuts the features into equal parts",),
        lambda x: ops.multigate(x, 3),
        draw(2, 6),
        expected=lambda x: tuple(np.split(x, 3, axis=-1)),
    ),
]
