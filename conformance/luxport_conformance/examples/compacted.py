"""Examples of the layers in `luxport.layers._compact`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

import luxport
from luxport_conformance.compare import Tolerance
from luxport_conformance.examples.example import Example, tolerate_sum


@luxport.compact(
    hidden=luxport.Dense(3, 4),
    drops=(luxport.Dropout(0.5), luxport.Dropout(0.25)),
    scale=np.full(4, 0.5),
    shift=luxport.non_trainable(np.ones(4)),
    act=luxport.tanh,
    training=True,
)
def block(x: Any, *, hidden: Any, drops: Any, scale: Any, shift: Any, act: Any, training: bool) -> Any:
    """Return a result that uses a layer, dropouts, a parameter, a fixed array, an activation and the mode."""
    y = drops[0](act(hidden(x)) * scale + shift)
    return drops[1](y) if training else y


@luxport.compact("Linear", weight=luxport.parameter(luxport.initializers.glorot_uniform, (3, 2)))
def linear(x: Any, weight: Any) -> Any:
    """Return the matrix product of x and a weight."""
    return x @ weight


EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "CompactLayer": (
        Example(
            layer=block, x=(5, 3), parameters=(3 * 4 + 4) + 4, states=2 + 2 + 4 + 1 + 1, tolerance=tolerate_sum(3 + 4)
        ),
        Example(
            layer=luxport.compact(inner=linear, last=luxport.BatchNorm(2))(lambda x, inner, last: last(inner(x))),
            x=(5, 3),
            parameters=3 * 2 + (2 + 2),
            states=2 + 2 + 1,
            tolerance=Tolerance(3 * 5, magnitude=4.0),  # BatchNorm subtracts the mean of gradients of size 4
        ),
    )
}
