"""Cases of layers that reshape arrays."""

from __future__ import annotations

import numpy as np

from luxport import FlattenLayer, NoOpLayer, ReshapeLayer, SelectDim
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_output, cite, draw

COUNT = np.arange(24.0).reshape(2, 3, 4)

CASES: list[Case] = [
    check_output(
        "flatten.images",
        cite("flux:layers/stateless.jl", 4),
        FlattenLayer(),
        draw(2, 3, 10, 10),
        y=lambda x, ps, st: x.reshape(2, 300),
    ),
    check_output(
        "flatten.last_two",
        ("lux: FlattenLayer(N) keeps all but the last N axes",),
        FlattenLayer(2),
        draw(2, 3, 4, 5),
        y=lambda x, ps, st: x.reshape(2, 3, 20),
    ),
    check_error(
        "flatten.one_axis", ("luxport",), FlattenLayer(2), draw(3, 2), message=r"FlattenLayer expects at least 3 axes"
    ),
    check_output(
        "reshape.inferred", ("lux: ReshapeLayer",), ReshapeLayer(2, -1), COUNT, y=np.arange(24.0).reshape(2, 2, 6)
    ),
    check_output("select.middle", ("lux: SelectDim",), SelectDim(1, 2), COUNT, y=COUNT[:, 2]),
    check_output("select.from_the_end", ("lux: SelectDim",), SelectDim(-1, -2), COUNT, y=COUNT[..., -2]),
    check_error("select.no_such_index", ("luxport",), SelectDim(1, 3), COUNT, message="SelectDim expects an index 3"),
    check_output("no_op", ("lux: NoOpLayer",), NoOpLayer(), COUNT, y=COUNT),
]
