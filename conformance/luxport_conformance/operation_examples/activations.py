"""Examples of the operations in `luxport.ops.activations`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.cases.activations import ELEMENTWISE, WITH_PARAMETER
from luxport_conformance.operation_examples.example import COUNTER, KEY, OverrideExample, draw

# Points on both sides of the activations' kinks, but not at the kinks, and points far from 0.
_POINTS = np.array([-20.0, -5.5, -3.2, -1.5, -0.7, -0.2, 0.1, 0.4, 0.9, 1.6, 2.5, 3.3, 6.5, 20.0])

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    **dict.fromkeys((*ELEMENTWISE, "sigmoid_fast", "tanh_fast", "thresholdrelu"), (OverrideExample((_POINTS,)),)),
    **{
        name: (OverrideExample((_POINTS,)), OverrideExample((_POINTS,), {parameter: 0.3}))
        for name, parameter in WITH_PARAMETER.items()
    },
    "rrelu": (OverrideExample((_POINTS, KEY, COUNTER)),),
    "glu": (OverrideExample((draw(3, 6),)), OverrideExample((draw(4, 3, 2),), {"axis": 0})),
    "erf": (OverrideExample((_POINTS / 4,)),),
}
