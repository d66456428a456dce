"""Cases of `glu` and `dropout` in NNlib's tests that belong to no other file: values, gradients and errors."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import ops
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_function, check_program, check_refusal, cite, draw

GLU, DROPOUT = "nnlib:functions.jl", "nnlib:dropout.jl"

# The transpose of upstream's matrix, as all axes are reversed.
COUNTING = np.arange(1.0, 13.0).reshape(4, 3).T
KEY, COUNTER = np.array([3, 4], np.int32), np.array(0, np.int32)


def _compute_glu_gradient(x: Any, c: Any) -> Any:
    xp = luxport.namespace(x)
    return luxport.grad(lambda x: xp.sum(ops.glu(x) * c))(x)


def _expect_glu_gradient(x: Any, c: Any) -> Any:
    left, gate = x[:, :2], 1 / (1 + np.exp(-x[:, 2:]))
    return np.concatenate([c * gate, c * left * gate * (1 - gate)], axis=1)


def _differentiate_dropout_twice(x: Any, key: Any, counter: Any) -> Any:
    """Return the rows of the Hessian of the sum, which are 0; the term 0 * x makes each gradient depend on x."""
    xp = luxport.namespace(x)
    inner = luxport.grad(lambda x: xp.sum(ops.dropout(x, key, counter, p=0.5)))
    return tuple([luxport.grad(lambda x, i=i: inner(x)[i] + 0 * xp.sum(x))(x) for i in range(3)])


CASES: list[Case] = [
    check_function(
        "glu.counting",
        cite(GLU, 6),
        lambda x: luxport.namespace(x).ceil(ops.glu(x)),
        COUNTING,
        expected=COUNTING[:, :2],
    ),
    check_refusal("glu.odd", cite(GLU, 7), lambda x: ops.glu(x, axis=0), {"x": COUNTING}),
    check_program(
        "glu.gradient",
        cite(GLU, 12),
        _compute_glu_gradient,
        {"x": draw(3, 4), "c": draw(3, 2, seed=1)},
        expected=_expect_glu_gradient,
        differentiates=True,
    ),
    check_program(
        "dropout.second_order",
        cite(DROPOUT, 61),
        _differentiate_dropout_twice,
        {"x": np.array([1.0, 2.0, 3.0]), "key": KEY, "counter": COUNTER},
        subject="dropout",
        expected=(np.zeros(3),) * 3,
        differentiates=True,
    ),
    *(
        check_refusal(
            f"dropout.refuses_line_{line}",
            cite(DROPOUT, line),
            lambda x, key, counter, p=p: ops.dropout(x, key, counter, p=p),
            {"x": np.ones((3, 4)), "key": KEY, "counter": COUNTER},
            subject="dropout",
            message="p",
        )
        for line, p in ((72, -1), (73, 2))
    ),
]
