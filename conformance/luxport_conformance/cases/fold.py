"""Cases of `unfold` and `fold`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, check_function, check_program, cite, draw
from luxport_conformance.compare import Tolerance

FILE = "nnlib:testsuite/fold.jl"
ROWS: tuple[tuple[int, dict[str, Any], int], ...] = (
    (10, {}, 144),
    (11, {"padding": ((2, 2), (2, 2))}, 256),
    (12, {"stride": (2, 2)}, 36),
    (13, {"dilation": (2, 2)}, 64),
)


def _make_options(rank: int, **changed: Any) -> dict[str, Any]:
    return {"stride": (1,) * rank, "padding": ((0, 0),) * rank, "dilation": (1,) * rank} | changed


UNEVEN = _make_options(2, window=(2, 3), stride=(2, 1), padding=((1, 0), (0, 2)), dilation=(1, 2))


def _copy_windows(x: Any) -> Any:
    """Compute `unfold` with the options UNEVEN by copying each window."""
    x = np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 2)))
    places = list(itertools.product(range(0, x.shape[2] - 1, 2), range(x.shape[3] - 4)))
    columns = [x[:, :, [h, h + 1]][:, :, :, [w, w + 2, w + 4]].reshape(len(x), -1) for h, w in places]
    return np.stack(columns, axis=2)


def _check_inverse(rank: int) -> Case:
    sizes = (8,) * rank
    both = [_make_options(rank, window=(3,) * rank, padding=((1, 1),) * rank, stride=(s,) * rank) for s in (1, 2)]

    def program(x: Any) -> Any:
        ones = luxport.namespace(x).ones_like(x)
        return [
            ops.fold(ops.unfold(x, **options), output_size=sizes, **options)
            / ops.fold(ops.unfold(ones, **options), output_size=sizes, **options)
            for options in both
        ]

    return check_function(
        f"fold.inverse_{rank}d",
        cite(FILE, 26, 33),
        program,
        draw(2, 3, *sizes),
        expected=lambda x0: (x0, x0),
        tolerance=Tolerance(reduction=3**rank),
    )


def _compute_products(x: Any, columns: Any) -> Any:
    """Return <unfold(x), columns> and <x, fold(columns)>, which are equal as both are transposes, and gradients."""
    xp = luxport.namespace(x)

    def multiply_unfolded(x: Any, columns: Any) -> Any:
        return xp.sum(ops.unfold(x, **UNEVEN) * columns)

    def multiply_folded(x: Any, columns: Any) -> Any:
        return xp.sum(ops.fold(columns, output_size=(5, 4), **UNEVEN) * x)

    return {
        "unfolded": multiply_unfolded(x, columns),
        "folded": multiply_folded(x, columns),
        "slopes": luxport.grad(multiply_unfolded, (0, 1))(x, columns),
        "other_slopes": luxport.grad(multiply_folded, (0, 1))(x, columns),
    }


def _expect_products(x: Any, columns: Any) -> Any:
    out = _copy_windows(x)
    matrix = np.stack([_copy_windows(one.reshape(1, 2, 5, 4)).ravel() for one in np.eye(40)])
    back = (columns.reshape(len(x), -1) @ matrix.T).reshape(x.shape)
    product = np.sum(out * columns)
    return {"unfolded": product, "folded": product, "slopes": (back, out), "other_slopes": (back, out)}


CASES: list[Case] = [
    *(
        check_fact(
            f"unfold.line_{line}",
            cite(FILE, line),
            lambda options=options: (
                ops.unfold(np.ones((10, 3, 16, 16)), **_make_options(2, window=(5, 5), **options)).shape
            ),
            (10, 75, rows),
        )
        for line, options, rows in ROWS
    ),
    *map(_check_inverse, (1, 2, 3)),
    check_function(
        "unfold.elements",
        ("numpy, window by window",),
        lambda x: {"y": ops.unfold(x, **UNEVEN), "flipped": ops.unfold(x, **UNEVEN, flip=True)},
        draw(2, 2, 5, 4),
        expected=lambda x0: {
            "y": _copy_windows(x0),
            "flipped": _copy_windows(x0).reshape(2, 2, 6, -1)[:, :, ::-1].reshape(2, 12, -1),
        },
    ),
    check_program(
        "fold.transpose_of_unfold",
        (*cite(FILE, 42, 46), "the matrix of unfold"),
        _compute_products,
        {"x": draw(2, 2, 5, 4), "columns": draw(2, 12, 6, seed=1)},
        expected=_expect_products,
        differentiates=True,
        tolerance=Tolerance(reduction=144, magnitude=10.0),
    ),
]
