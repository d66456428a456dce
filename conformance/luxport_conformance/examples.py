"""An example or more of every public layer: what the laws are tried on.

A layer that is public has an example here, or the suite fails. Counts are written out from the formulas of Lux's
documentation (a Dense has in x out + out parameters), not asked of the layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport import tree
from luxport.layer import Layer
from luxport_conformance.compare import Tolerance

__all__ = ["EXAMPLES", "Example"]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A layer, the shape of an input for it, and its counts of parameters and states.

    `per_sample`: in test mode the first axes of input and output are the batch, and samples do not meet.
    """

    layer: Layer
    x: tuple[int, ...]
    parameters: int = 0
    states: int = 0
    tolerance: Tolerance = Tolerance()
    per_sample: bool = True

    def __str__(self) -> str:
        return repr(self.layer)

    def values(self) -> tuple[Any, Any, Any]:
        """Draw x, the parameters and the states, as host arrays.

        Floats are moved off their initial values, where a bias of 0 or a variance of 1 would hide a mistake.
        """
        draw = np.random.Generator(np.random.Philox(7))
        ps, st = luxport.setup(1, self.layer, backend="numpy")

        def moved(leaf: Any) -> Any:
            return leaf + draw.uniform(0.05, 0.45, leaf.shape) if leaf.dtype.kind == "f" else leaf

        return draw.normal(size=self.x), tree.map(moved, ps), tree.map(moved, st)


def _sum_of(n: int) -> Tolerance:
    return Tolerance(reduction=n)


def double(x: Any) -> Any:
    """Return 2 x, a user's own function."""
    return 2.0 * x


EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "Dense": (
        Example(layer=luxport.Dense(3, 2), x=(5, 3), parameters=3 * 2 + 2, tolerance=_sum_of(3)),
        Example(layer=luxport.Dense(3, 4, luxport.tanh), x=(5, 3), parameters=3 * 4 + 4, tolerance=_sum_of(3)),
        Example(layer=luxport.Dense(3, 2, luxport.relu, use_bias=False), x=(5, 3), parameters=6, tolerance=_sum_of(3)),
        Example(layer=luxport.Dense(3, 2, luxport.sigmoid), x=(5, 4, 3), parameters=3 * 2 + 2, tolerance=_sum_of(3)),
    ),
    "Scale": (
        Example(layer=luxport.Scale(3, luxport.tanh), x=(5, 3), parameters=3 + 3),
        Example(layer=luxport.Scale(2, 3, use_bias=False), x=(5, 2, 3), parameters=2 * 3),
    ),
    "Diagonal": (Example(layer=luxport.Diagonal(3), x=(5, 3), parameters=3 + 3),),
    "Chain": (
        Example(
            layer=luxport.Chain(luxport.Dense(3, 4, luxport.tanh), double, luxport.Dense(4, 2)),
            x=(5, 3),
            parameters=(3 * 4 + 4) + (4 * 2 + 2),
            tolerance=_sum_of(3 + 4),
        ),
        Example(
            layer=luxport.Chain(
                luxport.BatchNorm(3),
                luxport.Chain(inner=luxport.Dense(3, 4), drop=luxport.Dropout(0.5)),
                luxport.Scale(4),
            ),
            x=(5, 3),
            parameters=(3 + 3) + (3 * 4 + 4) + (4 + 4),
            states=(3 + 3 + 1) + 2,
            tolerance=_sum_of(5 * 3 + 3),
        ),
    ),
    "BatchNorm": (
        Example(layer=luxport.BatchNorm(3), x=(6, 3), parameters=2 * 3, states=2 * 3 + 1, tolerance=_sum_of(6)),
        Example(
            layer=luxport.BatchNorm(2, luxport.relu, momentum=0.3, epsilon=0.1),
            x=(4, 2, 3, 3),
            parameters=2 * 2,
            states=2 * 2 + 1,
            tolerance=_sum_of(4 * 3 * 3),
        ),
        Example(layer=luxport.BatchNorm(3, affine=False), x=(6, 3, 2), states=2 * 3 + 1, tolerance=_sum_of(12)),
        Example(
            layer=luxport.BatchNorm(3, track_stats=False),
            x=(6, 3),
            parameters=2 * 3,
            states=1,
            tolerance=_sum_of(6),
            per_sample=False,  # without running statistics a test batch is normalised by its own
        ),
    ),
    "Dropout": (
        Example(layer=luxport.Dropout(0.4), x=(6, 7), states=2),
        Example(layer=luxport.Dropout(0.5, axes=(0, 1)), x=(6, 5, 3), states=2),
    ),
    "Conv": (
        Example(layer=luxport.Conv((3, 2), 2, 4), x=(3, 2, 6, 5), parameters=6 * 2 * 4 + 4, tolerance=_sum_of(12)),
        Example(
            layer=luxport.Conv(
                (3, 4), 4, 2, luxport.tanh, stride=2, padding=((2, 0), (0, 1)), dilation=(2, 1), groups=2
            ),
            x=(2, 4, 7, 6),
            parameters=12 * 4 * 2 // 2 + 2,
            tolerance=_sum_of(24),
        ),
        Example(
            layer=luxport.Conv((4,), 3, 3, stride=2, padding=luxport.SamePad(), groups=3, use_bias=False),
            x=(2, 3, 7),
            parameters=4 * 3 * 3 // 3,
            tolerance=_sum_of(4),
        ),
        Example(layer=luxport.Conv((2, 1, 2), 1, 2), x=(2, 1, 3, 2, 3), parameters=4 * 2 + 2, tolerance=_sum_of(4)),
    ),
    "CrossCor": (
        Example(layer=luxport.CrossCor((3, 2), 2, 4), x=(3, 2, 6, 5), parameters=6 * 2 * 4 + 4, tolerance=_sum_of(12)),
    ),
    "MaxPool": (
        Example(layer=luxport.MaxPool((2, 2)), x=(2, 3, 5, 6)),
        Example(layer=luxport.MaxPool((3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), dilation=2), x=(2, 2, 6, 7)),
        Example(layer=luxport.MaxPool((3,), stride=2, padding=luxport.SamePad()), x=(2, 2, 7)),
    ),
    "MeanPool": (
        Example(layer=luxport.MeanPool((2, 2)), x=(2, 3, 5, 6), tolerance=_sum_of(4)),
        Example(
            layer=luxport.MeanPool((3, 2), stride=(1, 2), padding=((1, 0), (0, 1)), count_include_pad=False),
            x=(2, 2, 6, 7),
            tolerance=_sum_of(6),
        ),
        Example(layer=luxport.MeanPool((2, 1, 2), padding=(1, 0, 1)), x=(2, 1, 3, 2, 3), tolerance=_sum_of(4)),
    ),
    "FlattenLayer": (
        Example(layer=luxport.FlattenLayer(), x=(5, 2, 3, 4)),
        Example(layer=luxport.FlattenLayer(2), x=(5, 2, 3, 4)),
    ),
    "ReshapeLayer": (Example(layer=luxport.ReshapeLayer(3, -1), x=(5, 2, 6)),),
    "SelectDim": (
        Example(layer=luxport.SelectDim(1, 2), x=(5, 4, 3)),
        Example(layer=luxport.SelectDim(0, -1), x=(5, 4), per_sample=False),  # one sample is all that is left
    ),
    "NoOpLayer": (Example(layer=luxport.NoOpLayer(), x=(5, 3)),),
    "WrappedFunction": (Example(layer=luxport.WrappedFunction(double), x=(5, 3)),),
}
