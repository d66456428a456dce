"""Comparing gradients with finite differences of the layer's definition in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from luxport import tree
from luxport.backend import get_backend
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.compare import Violation
from luxport_conformance.evaluation import Evaluations, draw_weights, list_floats, replace_floats, sum_weighted
from luxport_conformance.examples import Example

__all__ = ["compare_slopes"]


_STEP = 1e-4
_SLOPE_TOLERANCE = 1e-9
"""The relative tolerance: with four points and a step of 1e-4, the error of the difference quotient is about
1e-16 / 1e-4 from rounding, and 1e-16 from the step."""


def compare_slopes(example: Example, gradients: Any, host: tuple[Any, Any, Any], evaluations: Evaluations) -> None:
    """Compare the gradient of each leaf with the slope along a random direction in which only this leaf changes.

    Raises: Violation if they differ
    """
    key = ("slopes", example, tree.structure(host[2]))  # float64 inputs are equal on all backends
    slopes = evaluations.keep(key, lambda: _compute_slopes(example, host))
    variables = (list_floats(host[0]), host[1])
    gradients = tree.map(lambda leaf, gradient: gradient, variables, gradients)  # in the variables' order of keys
    for (path, leaf), gradient, wanted in zip(
        tree.leaves_with_path(variables), tree.leaves(gradients), slopes, strict=True
    ):
        if gradient.shape != leaf.shape:
            raise Violation(f"gradient at {'.'.join(path)}: shape {leaf.shape} expected, got {gradient.shape}")
        direction, slope, size = wanted
        told = float(np.sum(gradient * direction))
        scale = float(np.sum(np.abs(gradient * direction))) + size
        if not abs(told - slope) <= _SLOPE_TOLERANCE * scale:
            raise Violation(f"gradient at {'.'.join(path)}: a slope of {slope!r} expected, got {told!r}")


def _compute_slopes(example: Example, host: tuple[Any, Any, Any]) -> list[tuple[Any, float, float]]:
    """Return for each leaf a direction, the slope along it, and the largest of the values that were subtracted."""
    draw = np.random.Generator(np.random.Philox(13))
    x, ps, st = host
    strict = get_backend("strict")
    variables = (list_floats(x), ps)
    leaves, weights = tree.leaves(variables), draw_weights(example)

    def compute_value(position: int, moved: Any) -> float:
        at = tree.unflatten(tree.structure(variables), iter([*leaves[:position], moved, *leaves[position + 1 :]]))
        inputs = move_to_backend((replace_floats(x, at[0]), at[1], st), strict, "float64")
        return float(sum_weighted(move_to_host(example.layer(*inputs)[0], strict), weights))

    def compute_slope(position: int, leaf: Any) -> tuple[Any, float, float]:
        direction = draw.normal(size=leaf.shape)
        ends = [compute_value(position, leaf + step * _STEP * direction) for step in (-2, -1, 1, 2)]
        return direction, (8 * (ends[2] - ends[1]) - (ends[3] - ends[0])) / (12 * _STEP), float(np.abs(ends).max())

    return [compute_slope(position, leaf) for position, leaf in enumerate(leaves)]
