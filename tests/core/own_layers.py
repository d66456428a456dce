"""Layers and containers that a user might define, and a list of layers for tests of the contract."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import numpy as np

import luxport as lp
from luxport import initializers


class Shift(lp.Layer):
    dims: int

    def initial_parameters(self, rng):
        return {"shift": rng.normal((self.dims,))}

    def __call__(self, x, ps, st):
        return x + ps["shift"], st


class Counter(lp.Layer):
    def initial_states(self, rng):
        return {"calls": np.zeros((), np.int32), "carry": None, "training": lp.Static(True)}

    def __call__(self, x, ps, st):
        return x, {**st, "calls": st["calls"] + 1}


class Residual(lp.ContainerLayer):
    inner: lp.Layer
    shortcut: lp.Layer | None = None

    def __call__(self, x, ps, st):
        y, inner = self.inner(x, ps["inner"], st["inner"])
        return x + y, {"inner": inner}


class Blocks(lp.ContainerLayer):
    """Layers in a list, a dict and both nested."""

    first: tuple
    named: dict
    nested: list

    def __call__(self, x, ps, st):
        new = {"first": {}, "named": {}, "nested": {"layer_1": {}, "layer_2": None}}
        for (name, p), layer in zip(ps["first"].items(), self.first, strict=True):
            x, new["first"][name] = layer(x, p, st["first"][name])
        for name, layer in self.named.items():
            x, new["named"][name] = layer(x, ps["named"][name], st["named"][name])
        inner, last = self.nested
        x, new["nested"]["layer_1"]["a"] = inner["a"](x, ps["nested"]["layer_1"]["a"], st["nested"]["layer_1"]["a"])
        x, new["nested"]["layer_2"] = last(x, ps["nested"]["layer_2"], st["nested"]["layer_2"])
        return x, new


class Twice(lp.WrapperLayer):
    inner: lp.Layer
    times: int = 2

    def __call__(self, x, ps, st):
        for _ in range(self.times):
            x, st = self.inner(x, ps, st)
        return x, st


class Forwarding(lp.WrapperLayer):
    inner: lp.Layer


def make_blocks():
    return Blocks(
        [Shift(2), Shift(2)], {"dense": lp.Dense(2, 3), "count": Counter()}, [{"a": lp.Dense(3, 2)}, Shift(2)]
    )


LAYERS = [
    Shift(3),
    Residual(lp.Dense(3, 3)),
    make_blocks(),
    Twice(Shift(2)),
    lp.Chain(lp.Dense(2, 3, lp.tanh), lp.BatchNorm(3), lp.WrappedFunction(np.tanh), lp.NoOpLayer()),
    lp.Chain(encoder=lp.Dense(2, 3), name="named"),
    lp.Dense(2, 3, init_weight=initializers.glorot_uniform(gain=2.0)),
    lp.Scale(2, 3, lp.relu),
    lp.BatchNorm(4, affine=False),
    lp.Dropout(0.5, axes=(0,)),
    lp.FlattenLayer(2),
    lp.ReshapeLayer(2, -1),
    lp.SelectDim(1, 0),
]
