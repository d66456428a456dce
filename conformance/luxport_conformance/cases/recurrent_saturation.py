"""Cases of values and gradients of recurrent cells with saturated gates: inputs or biases are huge or infinite.

The gradient of a weight that is multiplied by an infinite input is 0 times infinity, which is NaN as in any product
of matrices: the gradients of those rows of weight_ih are not compared.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import luxport
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import draw, set_up
from luxport_conformance.compare import Tolerance

CELLS: dict[str, luxport.RNNCell | luxport.LSTMCell | luxport.GRUCell | luxport.GRUv3Cell] = {
    "rnn": luxport.RNNCell(3, 2),
    "lstm": luxport.LSTMCell(3, 2),
    "gru": luxport.GRUCell(3, 2),
    "gru_v3": luxport.GRUv3Cell(3, 2),
}
STATES = {name: set_up(cell)[1] for name, cell in CELLS.items()}
SWEEPS = {name: luxport.Recurrence(cell, return_sequence=True) for name, cell in CELLS.items()}
STEP = 1e-3


def _draw_away_from_0(*shape: int, seed: int) -> Any:
    x = draw(*shape, seed=seed)
    return np.round((np.sign(x) * (0.25 + 0.25 * np.abs(x))) * 64) / 64  # exact in every dtype


def _make_inputs(at: float, where: str) -> Any:
    """Return x (N, T, in), the carry and the parameters of each cell, one of whose numbers is large."""
    found = {}
    for seed, (name, cell) in enumerate(CELLS.items()):
        n = 2 * cell.gates
        x, ps = _draw_away_from_0(2, 2, 3, seed=seed), {}
        ps = {"weight_ih": (3, n), "weight_hh": (2, n), "bias_ih": (n,)} | (
            {"weight_hn": (2, 2)} if name == "gru_v3" else {"bias_hh": (n,)}
        )
        ps = {key: _draw_away_from_0(*shape, seed=10 * seed + i) for i, (key, shape) in enumerate(ps.items())}
        if where == "x":
            x[0, 0, 0] = at
        else:
            ps["bias_ih"][0], ps["bias_ih"][-1] = at, -at
        carry = tuple([_draw_away_from_0(2, 2, seed=90 + i) for i in range(2 if name == "lstm" else 1)])
        found[name] = {"x": x, "carry": carry, "ps": ps}
    return found


def _run(name: str, x: Any, carry: Any, ps: Any) -> Any:
    step = CELLS[name]((x[:, 0, :], carry), ps, STATES[name])[0][0]
    return step, SWEEPS[name]((x, carry), ps, STATES[name])[0]


def _compute_values_and_slopes(inputs: Any) -> Any:
    def compute_both(name: str, x: Any, carry: Any, ps: Any) -> Any:
        xp = luxport.namespace(x)

        def make_total(part: int) -> Any:
            return lambda x, carry, ps: xp.sum(_run(name, x, carry, ps)[part])

        slopes = [luxport.grad(make_total(part), (0, 1, 2))(x, carry, ps) for part in (0, 1)]
        for _, _, of_ps in slopes:
            of_ps["weight_ih"] = of_ps["weight_ih"][1:, :]
        step, sweep = _run(name, x, carry, ps)
        return {"step": {"y": step, "slopes": slopes[0]}, "sweep": {"y": sweep, "slopes": slopes[1]}}

    return {name: compute_both(name, **parts) for name, parts in inputs.items()}


def _expect_values_and_slopes(inputs: Any) -> Any:
    """Compute outputs by the formulas in float64, with 1e30 for infinity, and gradients by differences."""
    found = {}
    for name, parts in inputs.items():
        x, carry, ps = (luxport.tree.map(_clip, parts[key]) for key in ("x", "carry", "ps"))
        found[name] = {}
        for part, take in (("step", lambda ys: ys[0]), ("sweep", lambda ys: np.stack(ys, 1))):

            def sum_up(name: str = name, take: Any = take, x: Any = x, carry: Any = carry, ps: Any = ps) -> float:
                return float(take(_run_by_formula(name, x, carry, ps)).sum())  # fmt: skip

            slopes = luxport.tree.map(lambda leaf, total=sum_up: _estimate_slopes(total, leaf), (x, carry, ps))
            slopes[2]["weight_ih"] = slopes[2]["weight_ih"][1:]
            found[name][part] = {"y": take(_run_by_formula(name, x, carry, ps)), "slopes": slopes}
    return found


def _clip(leaf: Any) -> Any:
    return np.clip(leaf.astype(np.float64), -1e30, 1e30)


def _estimate_slopes(total: Any, leaf: Any) -> Any:
    """Differentiate with respect to a leaf by fourth-order differences, changing its entries in place."""
    slopes = np.zeros_like(leaf)
    for i in np.ndindex(*leaf.shape):
        kept, ends = leaf[i], []
        for step in (-2, -1, 1, 2):
            leaf[i] = kept + step * STEP
            ends.append(total())
        leaf[i] = kept
        slopes[i] = (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12 * STEP)
    return slopes


def _run_by_formula(name: str, x: Any, carry: Any, ps: Any) -> list[Any]:
    """Return the outputs of all steps by the formulas in the layers' docstrings."""

    def sigmoid(x: Any) -> Any:
        return 0.5 + 0.5 * np.tanh(x / 2)

    h, *c = carry
    outputs = []
    for t in range(x.shape[1]):
        of_x, of_h = x[:, t] @ ps["weight_ih"] + ps["bias_ih"], h @ ps["weight_hh"] + ps.get("bias_hh", 0.0)
        if name == "rnn":
            h = np.tanh(of_x + of_h)
        elif name == "lstm":
            i, f, g, o = np.split(of_x + of_h, 4, axis=-1)
            c = [sigmoid(f) * c[0] + sigmoid(i) * np.tanh(g)]
            h = sigmoid(o) * np.tanh(c[0])
        else:
            (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(of_x, 3, axis=-1), np.split(of_h, 3, axis=-1)
            r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
            n = np.tanh(n_x + (r * n_h if name == "gru" else (r * h) @ ps["weight_hn"]))
            h = (1 - z) * n + z * h
        outputs.append(h)
    return outputs


CASES: list[Case] = [
    Case(
        id=f"recurrent_cells.saturated_by_{where}_{at:g}",
        subject="RNNCell",
        source=("mathematics: the formulas of the cells, where sigmoid and tanh have reached their limits",),
        program=_compute_values_and_slopes,
        inputs={"inputs": _make_inputs(at, where)},
        expected=_expect_values_and_slopes,
        dtypes=dtypes,
        differentiates=True,
        compiles=False,  # JAX compiles its loops over time anyway; PyTorch's compiler takes seconds for each cell
        tolerance=Tolerance(
            reduction=16, magnitude=1.0, rounding=1e-9, reason="four-point differences with steps of 1e-3"
        ),
    )
    for where in ("x", "bias")
    for at, dtypes in (
        (-math.inf, ("float16", "bfloat16", "float32", "float64")),
        (2.0**15, ("float16",)),
        (2.0**100, ("bfloat16", "float32", "float64")),
    )
]
