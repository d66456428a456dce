"""Cases of tied parameters: an array in several places of a tree is updated once."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import optimizers
from luxport.backend import namespace
from luxport.optimizers import Momentum
from luxport.optimizers._state import Tied
from luxport.tree.static import Static
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_program, cite
from luxport_conformance.cases.optimizer_parts import MAIN, TIED
from luxport_conformance.compare import Tolerance


def _update_tied_pair(ps: Any, grads: Any) -> Any:
    twice, other = ps
    model = (twice, (other, twice))
    state, new = optimizers.update(optimizers.setup(Momentum(0.1), model), model, grads)
    return {"ps": new, "one": new[1][1] is new[0], "state": state}


def _update_tied_three(ps: Any, drop: bool) -> Any:
    thrice, y, x = ps["thrice"], ps["y"], ps["x"]
    model = {"a": {"x": thrice, "y": y, "z": True}, "b": ({"m": (0, 1, thrice)},), "c": {"x": x, "y": thrice}}
    # Gradients of a sum of squares in which the square of the array at each place has a power of 2 as its weight.
    grads = {
        "a": {"x": 4.0 * thrice, "y": 4.0 * y, "z": None},
        "b": None if drop else ({"m": (None, None, 8.0 * thrice)},),
        "c": {"x": 4.0 * x, "y": 4.0 * thrice},
    }
    _, new = optimizers.update(optimizers.setup(Momentum(0.1, 0.9), model), model, grads)
    return {
        "x": new["a"]["x"],
        "one": new["a"]["x"] is new["b"][0]["m"][2] and new["a"]["x"] is new["c"]["y"],
        "tied_before": model["a"]["x"] is model["b"][0]["m"][2],
    }


def _sum_tied_by_hand(ps: Any, grads: Any) -> Any:
    state = optimizers.setup(Momentum(0.1), ps)
    separate = not isinstance(state.leaves["b"], Tied)
    state.leaves["b"] = Tied(Static(("a",)))
    state = state._replace(groups=(state.groups[0]._replace(size=Static(3)),))
    for _ in range(2):
        state, ps = optimizers.update(state, ps, grads)
    xp = namespace(ps["a"])
    return {
        "as_summed": ps["a"] - ps["d"],
        "the_same": ps["a"] - ps["b"],
        "unlike": xp.any(xp.abs(ps["a"] - ps["c"]) > 0.1),
        "separate": separate,
        "still": state.leaves["b"] == Tied(Static(("a",))),
    }


SEVENS, THREES, TENS = np.array([7.0, 7.0]), np.array([3.0, 3.0]), np.array([10.0, 10.0])


def _check_tie(id: str, lines: tuple[int, ...], grads: Any, expected: Any) -> Case:
    return check_program(
        f"optimizers.{id}",
        cite(MAIN, *lines),
        _update_tied_pair,
        {"ps": (TIED, TIED), "grads": grads},
        subject="update",
        expected=expected,
    )


CASES: list[Case] = [
    _check_tie(
        "tied_sum", (392, 393), (THREES, (TENS, SEVENS)), {"ps": (TIED - 1.0, (TIED - 1.0, TIED - 1.0)), "one": True}
    ),
    _check_tie("tied_first_only", (396, 397), (THREES, None), {"ps": (TIED - 0.3, (TIED, TIED - 0.3)), "one": True}),
    _check_tie(
        "tied_second_only",
        (400,),
        (None, (np.array([5.0, 5.0]), SEVENS)),
        {"ps": (TIED - 0.7, (TIED - 0.5, TIED - 0.7))},
    ),
    check_program(
        "optimizers.tied_thrice",
        cite(MAIN, 407, 414),
        lambda ps: _update_tied_three(ps, False),
        {"ps": {"thrice": np.array([3.0]), "y": np.array([4.0, 5.0, 6.0]), "x": np.array([7.0, 8.0])}},
        subject="update",
        expected={"x": np.array([3.0 - 0.1 * 48.0]), "one": True, "tied_before": True},
    ),
    check_program(
        "optimizers.tied_thrice_without_one",
        cite(MAIN, 419),
        lambda ps: _update_tied_three(ps, True),
        {"ps": {"thrice": np.array([3.0]), "y": np.array([4.0, 5.0, 6.0]), "x": np.array([7.0, 8.0])}},
        subject="update",
        expected={"x": np.array([3.0 - 0.1 * 24.0]), "one": True},
    ),
    check_program(
        "optimizers.tied_by_hand",
        cite(MAIN, 458, 465, 466, 467),
        _sum_tied_by_hand,
        {"ps": {name: TIED for name in "abcd"}, "grads": {"a": THREES, "b": SEVENS, "c": THREES, "d": TENS}},
        subject="update",
        expected={
            "as_summed": np.zeros(2),
            "the_same": np.zeros(2),
            "unlike": np.array(True),
            "separate": True,
            "still": True,
        },
        tolerance=Tolerance(magnitude=3.0),
    ),
]
