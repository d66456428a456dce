"""Examples of layers and rules for the law of sums in half types: each layer on a batch of 1,500, and each rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

import luxport
from luxport import optimizers, tree
from luxport_conformance.cases.optimizer_parts import ALL_RULES
from luxport_conformance.examples import EXAMPLES, Example
from luxport_conformance.examples.example import Flags, Indices, Input
from luxport_conformance.half_sum_spreads import SPREAD
from luxport_conformance.half_sums import Spread

__all__ = ["list_spreads"]

SAMPLES, STEPS = 1500, 3
_ROUNDINGS = {"TransformerEncoderLayer": 4, "TransformerDecoderLayer": 6, "CompactLayer": 4, "Chain 3": 7}
"""The number of successive roundings in a layer, if not 2: for a product, attention, a sum, a norm. The third chain has
three blocks of two. The framework sums the gradient of a user's product in a CompactLayer, TensorFlow in float16."""
_BY_VALUE = {"Maxout": "of two branches that are equal once rounded another one may have the gradient"}


@cache
def list_spreads() -> tuple[Spread, ...]:
    """Return all examples of the law of sums in half types: of operations, losses, layers and rules."""
    return (*SPREAD, *_list_layers(), *_list_rules())


def _list_layers() -> Iterator[Spread]:
    for name, examples in EXAMPLES.items():
        for position, example in enumerate(examples, start=1):
            if example.per_sample:
                steps = _ROUNDINGS.get(f"{name} {position}", _ROUNDINGS.get(name, 2))
                yield _make_spread(name, f"{name} {position}, a layer", replace(example, x=_widen(example.x)), steps)


def _widen(x: Input) -> Any:
    if isinstance(x, (Indices, Flags)):
        return replace(x, shape=_widen(x.shape))
    if all(isinstance(n, int) for n in x):
        return (SAMPLES, *x[1:])
    return tuple([_widen(part) for part in x])  # type: ignore[arg-type]


def _make_spread(name: str, title: str, example: Example, steps: int) -> Spread:
    x, ps, st = example.draw_values()
    structure, leaves = tree.structure((x, ps, st)), tuple(tree.leaves((x, ps, st)))

    def f(*arrays: Any) -> Any:
        outputs = tree.leaves(example.layer(*tree.unflatten(structure, iter(arrays)))[0])
        xp = luxport.namespace(outputs[0])
        return xp.concat([xp.reshape(leaf, (-1,)) for leaf in outputs])

    varied = 0 if name in _BY_VALUE else len(tree.leaves((x, ps)))
    return Spread(title, f, leaves, weight=1 / 64, steps=steps, constant=tuple(range(varied, len(leaves))))


def _list_rules() -> Iterator[Spread]:
    draw = np.random.Generator(np.random.Philox(5))
    x, dx = draw.normal(size=5000), draw.uniform(0.5, 1.5, 5000)
    for rule in ALL_RULES:
        # MixedPrecision converts to a wider dtype itself, so it does not sum in half types.
        if isinstance(rule, optimizers.MixedPrecision):
            continue

        def take_steps(x: Any, dx: Any, rule: Any = rule) -> Any:
            state, y = optimizers.setup(rule, x), x
            for _ in range(STEPS):
                state, y = optimizers.update(state, y, dx)
            return y

        for size in (1.0, 500.0):
            yield Spread(f"{rule}, gradients near {size:g}", take_steps, (x, size * dx), steps=STEPS, constant=(0, 1))
