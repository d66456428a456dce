"""Cases of `flatten` on the parameters of layers: Flux's tests of ``destructure``."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import BatchNorm, flatten
from luxport_conformance.case import Case, Shape
from luxport_conformance.cases.declare import at, draw

__all__ = ["CASES"]

FILE = "flux:utils.jl"
NORM = BatchNorm(3)
_, STATES = luxport.setup(0, NORM, backend="numpy")


def _pulled_back(x: Any, scale: Any, bias: Any, st: Any) -> Any:
    vector, unflatten = flatten({"scale": scale, "bias": bias})
    xp = luxport.namespace(x)
    dx, dp = luxport.grad(lambda x, vector: xp.sum(NORM(x, unflatten(vector), st)[0]), (0, 1))(x, vector)
    return {"vector": vector, "dx": dx, "dp": dp}


CASES: list[Case] = [
    Case(
        id="flat.batch_norm",
        subject="flatten",
        source=at(FILE, 628, 637, 638),
        program=_pulled_back,
        inputs={"x": draw(4, 3), "scale": np.ones(3), "bias": np.zeros(3), "st": luxport.test_mode(STATES)},
        expected={"vector": Shape(6), "dx": Shape(4, 3), "dp": Shape(6)},
        differentiates=True,
    ),
]
