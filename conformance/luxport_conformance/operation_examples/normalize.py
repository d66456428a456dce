"""Examples of the operations in `luxport.ops.normalize`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "batch_norm": tuple(
        OverrideExample(
            (draw(*shape), draw(3), draw(3), draw(3), np.abs(draw(3)) + 0.1),
            {"training": training, "momentum": 0.1, "epsilon": 1e-5},
            Tolerance(reduction=6 * 4),
        )
        for shape in ((6, 3), (6, 3, 2, 2))
        for training in (True, False)
    ),
    "group_norm": tuple(
        OverrideExample((draw(*shape), *parameters), {"groups": 2, "epsilon": 1e-3}, Tolerance(reduction=4 * 6))
        for shape in ((3, 8), (2, 8, 3, 2))
        for parameters in ((draw(8), draw(8, seed=4)), (None, None))
    ),
    "instance_norm": tuple(
        OverrideExample(
            (draw(2, 3, 4, 2), *parameters, *statistics),
            {"training": training, "momentum": 0.1, "epsilon": 1e-3},
            Tolerance(reduction=2 * 4 * 2),
        )
        for parameters, statistics in (
            ((draw(3), draw(3, seed=4)), (draw(3), np.abs(draw(3)) + 0.1)),
            ((None, None), (None, None)),
        )
        for training in (True, False)
    ),
    "layer_norm": tuple(
        OverrideExample((draw(4, 3, 5), scale, bias), {"axes": axes, "epsilon": 1e-3}, Tolerance(reduction=15))
        for scale, bias, axes in (
            (draw(5), draw(5, seed=4), (-1,)),
            (draw(3, 5), draw(3, 5, seed=4), (-2, -1)),
            (draw(5), None, (2,)),
            (draw(3, 1), draw(5), (1,)),
            (None, None, (0, 2)),
        )
    ),
    "normalize": (
        OverrideExample((draw(4, 3),), {}, Tolerance(reduction=4)),
        OverrideExample((draw(4, 3, 2),), {"axis": (0, -1), "epsilon": 1e-3}, Tolerance(reduction=8)),
    ),
    "rms_norm": tuple(
        OverrideExample((draw(4, 3, 5), scale), {"axes": axes, "epsilon": 1e-3}, Tolerance(reduction=15))
        for scale, axes in ((draw(5), (-1,)), (draw(3, 5), (-2, -1)), (draw(3, 1), (1,)), (None, (0, 2)))
    ),
}
