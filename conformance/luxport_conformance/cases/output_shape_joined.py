"""Cases of `output_shape` of models that take or join several arrays."""

from __future__ import annotations

from typing import Any

import luxport
from luxport import Bilinear, Chain, Conv, Dense, Maxout, Parallel, SkipConnection, WrappedFunction, ops, relu, tanh
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_fact, cite

FILE = "flux:outputsize.jl"


def _make_join(axis: int) -> Any:
    return lambda *arrays: luxport.namespace(*arrays).concat(arrays, axis=axis)


def _add_channel_axis(x: Any) -> Any:
    return luxport.namespace(x).expand_dims(x, axis=1)


BILINEAR = Bilinear((10, 10), 7)
BESIDE = Parallel(_make_join(-1), Dense(2, 4, relu), Dense(3, 6, relu))
BEHIND = Chain(BESIDE, Dense(10, 13, tanh), ops.softmax)
SAME = Conv((3, 3), 3, 16, padding=1)

# (id, model, shape or shapes of the inputs, shape of the output, lines of upstream's test)
TOLD: tuple[tuple[str, Any, Any, tuple[int, ...], tuple[int, ...]], ...] = (
    ("maxout", Maxout(Conv((3, 3), 3, 16), Conv((3, 3), 3, 16)), (1, 3, 10, 10), (1, 16, 8, 8), (20,)),
    ("new_axis", WrappedFunction(_add_channel_axis), (13, 7, 5), (13, 1, 7, 5), (26,)),
    ("bilinear_single", BILINEAR, (10,), (7,), (29,)),
    ("bilinear", BILINEAR, (32, 10), (32, 7), (30,)),
    ("skip", SkipConnection(SAME, _make_join(1)), (1, 3, 10, 10), (1, 19, 10, 10), (37,)),
    ("parallel", Parallel(_make_join(1), SAME, luxport.identity), (1, 3, 10, 10), (1, 19, 10, 10), (40,)),
    ("beside_single", BESIDE, ((2,), (3,)), (10,), (45, 46)),
    ("beside_one", BESIDE, ((1, 2), (1, 3)), (1, 10), (47,)),
    ("beside", BESIDE, ((7, 2), (7, 3)), (7, 10), (48,)),
    ("behind_single", BEHIND, ((2,), (3,)), (13,), (51, 52)),
    ("behind_one", BEHIND, ((1, 2), (1, 3)), (1, 13), (53,)),
    ("behind", BEHIND, ((7, 2), (7, 3)), (7, 13), (54,)),
)

CASES: list[Case] = [
    check_fact(
        f"output_shape.{name}",
        cite(FILE, *lines),
        lambda model=model, shape=shape: luxport.output_shape(model, shape),
        expected,
        subject=type(model).__name__,
    )
    for name, model, shape, expected, lines in TOLD
]
