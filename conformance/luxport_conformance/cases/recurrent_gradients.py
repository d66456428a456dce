"""Cases of gradients of recurrent layers, compared with complex-step derivatives of the formulas in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, cite, draw
from luxport_conformance.cases.recurrent import (
    BATCH,
    CELLS,
    GPU,
    IN,
    LAYERS,
    OUT,
    RECURRENT,
    STEPS,
    draw_carries,
    draw_parameters,
    make_states,
    run_by_formula,
    step_by_formula,
)
from luxport_conformance.compare import Tolerance


def estimate_slopes(f: Callable[..., Any], *arguments: Any) -> Any:
    """Differentiate by complex steps, which for analytic functions has no cancellation error."""
    leaves = [np.asarray(leaf, np.complex128) for leaf in tree.leaves(arguments)]

    def estimate_slope(position: int, entry: tuple[int, ...]) -> float:
        moved = [leaf.copy() for leaf in leaves]
        moved[position][entry] += 1e-30j
        return f(*tree.unflatten(tree.structure(arguments), iter(moved))).imag / 1e-30

    found = [[estimate_slope(i, entry) for entry in np.ndindex(leaf.shape)] for i, leaf in enumerate(leaves)]
    shaped = [np.array(values).reshape(leaf.shape) for values, leaf in zip(found, leaves, strict=True)]
    return tree.unflatten(tree.structure(arguments), iter(shaped))


def _differentiate(f: Callable[..., Any], *arguments: Any) -> Any:
    return luxport.grad(f, tuple(range(len(arguments))))(*arguments)


def _drop_bias(ps: Any) -> Any:
    return {name: value for name, value in ps.items() if "bias" not in name}


def _check_cell_gradients(kind: str, *sources: str) -> Case:
    """Check gradients of loops over time steps as users write them, with each of the losses in Flux's tests.

    The initial carry and the inputs are batches or vectors, and the cells have a bias or not.
    """
    cells = (CELLS[kind], type(CELLS[kind])(IN, OUT, use_bias=False))

    def compute_loss(step: Any, mean: Any, x: Any, start: Any) -> Any:
        total, carry = 0.0, start
        for t in range(2):
            alone = step(x[t, ...], start)[0]
            carry = step(x[t, ...], carry)
            total = total + mean(carry[0] * carry[0]) + 0.7 * mean(carry[0]) + 0.3 * mean(alone)
        return total + mean(carry[0][..., 0])

    def sum_losses(steps: Any, mean: Any, x: Any, batch: Any, vector: Any) -> Any:
        (biased, plain), alone = steps, x[:, 0, :]
        return (
            compute_loss(biased, mean, x, batch)
            + compute_loss(biased, mean, x, vector)
            + compute_loss(biased, mean, alone, vector)
            + compute_loss(plain, mean, alone, vector)
        )

    def program(ps: Any, x: Any, batch: Any, vector: Any, st: Any) -> Any:
        mean = luxport.namespace(x).mean

        def sum_up(ps: Any, x: Any, batch: Any, vector: Any) -> Any:
            pairs = zip(cells, (ps, _drop_bias(ps)), strict=True)
            steps = [lambda x, carry, cell=cell, ps=own: cell((x, carry), ps, st)[0][1] for cell, own in pairs]
            return sum_losses(steps, mean, x, batch, vector)

        return _differentiate(sum_up, ps, x, batch, vector)

    def expected(ps: Any, x: Any, batch: Any, vector: Any, st: Any) -> Any:
        def sum_up(ps: Any, x: Any, batch: Any, vector: Any) -> Any:
            plain = _drop_bias(ps)
            steps = [lambda x, carry, ps=each: step_by_formula(kind, ps, x, carry) for each in (ps, plain)]
            return sum_losses(steps, np.mean, x, batch, vector)

        return estimate_slopes(sum_up, ps, x, batch, vector)

    return check_program(
        f"{kind}_cell.gradients",
        sources,
        program,
        {
            "ps": draw_parameters(cells[0]),
            "x": draw(STEPS, BATCH, IN),
            "batch": draw_carries(kind, BATCH, OUT),
            "vector": draw_carries(kind, OUT),
            "st": make_states(cells[0]),
        },
        subject=type(cells[0]).__name__,
        expected=expected,
        tolerance=Tolerance(reduction=100),
        dtypes=("float64",),
        differentiates=True,
        compiles=False,
    )


def _check_sequence_gradients(kind: str, *sources: str) -> Case:
    """Check gradients through a layer, batched or not, also with respect to the initial carry."""
    layer = LAYERS[kind]
    unbiased = type(layer)(IN, OUT, use_bias=False)

    def program(ps: Any, x: Any, vector: Any, st: Any) -> Any:
        mean = luxport.namespace(x).mean

        def sum_up(ps: Any, x: Any, vector: Any) -> Any:
            y, last = layer((x, vector), ps, st)[0]
            alone, _ = layer((x[0, ...], vector), ps, st)[0]
            plain, _ = unbiased(x, _drop_bias(ps), st)
            return mean(y * y) + mean(last[-1]) + mean(alone * alone) + mean(plain * plain)

        return _differentiate(sum_up, ps, x, vector)

    def expected(ps: Any, x: Any, vector: Any, st: Any) -> Any:
        def sum_up(ps: Any, x: Any, vector: Any) -> Any:
            no_bias = {name: value for name, value in ps.items() if "bias" not in name}
            y, last = run_by_formula(kind, ps, x, vector)
            plain, _ = run_by_formula(kind, no_bias, x, tree.map(np.zeros_like, vector))
            return np.mean(y * y) + np.mean(last[-1]) + np.mean(y[0] * y[0]) + np.mean(plain * plain)

        return estimate_slopes(sum_up, ps, x, vector)

    return check_program(
        f"{kind}.gradients",
        sources,
        program,
        {
            "ps": draw_parameters(layer),
            "x": draw(BATCH, STEPS, IN),
            "vector": draw_carries(kind, OUT),
            "st": make_states(layer),
        },
        subject=type(layer).__name__,
        expected=expected,
        tolerance=Tolerance(reduction=100),
        dtypes=("float64",),
        differentiates=True,
        compiles=False,
    )


CASES: list[Case] = [
    _check_cell_gradients("rnn", *cite(RECURRENT, 42, 43, 44, 45, 57, 62, 68), *cite(GPU, 18, 22)),
    _check_cell_gradients("lstm", *cite(RECURRENT, 127, 128), *cite(GPU, 54, 58)),
    _check_cell_gradients("gru", *cite(RECURRENT, 209, 219, 224), *cite(GPU, 89, 92)),
    _check_cell_gradients("gru_v3", *cite(RECURRENT, 282, 292, 297), *cite(GPU, 122, 125)),
    _check_sequence_gradients("rnn", *cite(RECURRENT, 87, 100), *cite(GPU, 40, 43)),
    _check_sequence_gradients("lstm", *cite(RECURRENT, 163, 169), *cite(GPU, 77, 80)),
    _check_sequence_gradients("gru", *cite(RECURRENT, 247, 260), *cite(GPU, 110, 113)),
    _check_sequence_gradients("gru_v3", *cite(RECURRENT, 316), *cite(GPU, 143, 146)),
]
