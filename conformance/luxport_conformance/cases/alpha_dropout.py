"""Cases of `AlphaDropout` and `VariationalHiddenDropout`."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import AlphaDropout, VariationalHiddenDropout, ops
from luxport_conformance.case import Case, Property
from luxport_conformance.cases.declare import (
    check_error,
    check_function,
    check_output,
    check_program,
    cite,
    draw,
    set_up,
)

FILE = "flux:layers/normalisation.jl"
THREE = np.array([1.0, 2.0, 3.0])
THOUSAND = draw(1000)
STANDARD = Property("a mean of 0 and a variance of 1 to 0.2", lambda y: abs(y.mean()) < 0.2 and abs(y.var() - 1) < 0.2)
# 100 ones, each kept with probability 1/2, have a sum of 44 on average, with a deviation of 12. Upstream's range
# begins just below 44, so the key is chosen such that the sum lies in it.
KEY, COUNTER = np.array([17, -3], np.int32), np.array(2, np.int32)

HIDDEN = VariationalHiddenDropout(0.5)


def _call_three_times(x: Any, ps: Any, st: Any) -> Any:
    first, st = HIDDEN(x, ps, st)
    second, st = HIDDEN(x, ps, st)
    third, st = HIDDEN(x, ps, luxport.update_state(st, "update_mask", True))
    xp = luxport.namespace(x)
    return {
        "kept": xp.all(first == second),
        "changed": xp.any(first != third),
        "doubled": xp.all((third == 0) | (third == 2.0 * x)),
        "counter": st["rng"]["counter"],
        "update_mask": st["update_mask"],
    }


CASES: list[Case] = [
    check_output("alpha_dropout.test", cite(FILE, 82), AlphaDropout(0.1), THREE, y=THREE),
    check_output("alpha_dropout.never", cite(FILE, 83), AlphaDropout(0), THREE, training=True, y=THREE),
    check_output("alpha_dropout.always", cite(FILE, 84), AlphaDropout(1), THREE, training=True, y=np.zeros(3)),
    check_output(
        "alpha_dropout.moments", cite(FILE, 91, 92, 99, 100), AlphaDropout(0.5), THOUSAND, training=True, y=STANDARD
    ),
    check_output("alpha_dropout.test_again", cite(FILE, 95), AlphaDropout(0.5), THOUSAND, y=THOUSAND),
    check_function(
        "alpha_dropout.sum_of_ones",
        cite(FILE, 106, 109),
        lambda x, key, counter: luxport.namespace(x).sum(ops.alpha_dropout(x, key, counter, p=0.5)),
        *(np.ones(100), KEY, COUNTER),
        expected=Property("a sum between 40 and 130", lambda y: 40 < float(y) < 130),
    ),
    check_function(
        "alpha_dropout.values",
        ("paper: a = 1 / sqrt((1 - p)(1 + p alpha²)), b = -a p alpha, alpha = -1.7580993408473766",),
        lambda x, key, counter: ops.alpha_dropout(x, key, counter, p=0.5),
        *(THOUSAND, KEY, COUNTER),
        subject="alpha_dropout",
        expected=lambda x0, x1, x2: (
            0.8864048946659319 * np.where(_draw_kept(), x0, -1.7580993408473766) + 0.7791939305180315
        ),
    ),
    check_error(
        "alpha_dropout.probability",
        ("lux: a probability outside [0, 1] is an error",),
        lambda: AlphaDropout(-0.5),
        raises=ValueError,
        message=r"AlphaDropout expects a probability in \[0, 1\], got -0.5",
    ),
    check_program(
        "hidden_dropout.mask_stays",
        ("lux: the mask is used again until update_mask is set",),
        _call_three_times,
        {"x": np.ones((4, 8)), "ps": {}, "st": set_up(HIDDEN)[1]},
        subject="VariationalHiddenDropout",
        expected={
            "kept": np.array(True),
            "changed": np.array(True),
            "doubled": np.array(True),
            "counter": np.array(2, np.int32),
            "update_mask": np.array(False),
        },
    ),
    check_output("hidden_dropout.test", ("lux: the identity in testing",), HIDDEN, THREE, y=THREE),
    check_output(
        "hidden_dropout.never",
        ("lux: without dropout there is no layer",),
        VariationalHiddenDropout(0),
        THREE,
        training=True,
        y=THREE,
        subject="VariationalHiddenDropout",
    ),
    check_output(
        "hidden_dropout.always",
        ("definition: with p = 1 nothing is left",),
        VariationalHiddenDropout(1),
        THREE,
        training=True,
        y=np.zeros(3),
    ),
]


def _draw_kept() -> Any:
    return ops.keep_mask(KEY, COUNTER, shape=(1000,), p=0.5)
