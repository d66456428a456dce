"""Planted faults in containers, in `Dense` and its like, and in layers that reshape."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, catch_each, fault

MUTANTS: Mutants = {
    "Parallel hands the first input to each": fault(
        luxport.Parallel, "_(self.layers, x, ps, st)", "_(self.layers, (x[0],) * len(x), ps, st)", "parallel.two_inputs"
    ),
    "Parallel deals its inputs out backward": fault(
        luxport.Parallel,
        "zip(layers.items(), inputs, strict=True)",
        "zip(layers.items(), tuple(inputs)[::-1], strict=True)",
        "parallel.two_inputs",
    ),
    "BranchLayer splits a tuple": fault(
        luxport.BranchLayer,
        "(x,) * len(self.layers)",
        "(x if isinstance(x, tuple) else (x,) * len(self.layers))",
        "branch.tuple_stays_whole",
    ),
    "SkipConnection the other way round": fault(
        luxport.SkipConnection, "return (y, x), st", "return (x, y), st", "skip.order"
    ),
    "PairwiseFusion the other way round": fault(
        luxport.PairwiseFusion,
        "self.connection(outputs[-1], own)",
        "self.connection(own, outputs[-1])",
        "fusion.numbers",
    ),
    "PairwiseFusion joins the inputs alone": fault(
        luxport.PairwiseFusion,
        "self.connection(outputs[-1], own)",
        "self.connection(inputs[0], own)",
        "fusion.one_number",
    ),
    "PairwiseFold the other way round": fault(
        luxport.PairwiseFold, "self.connection(y, own)", "self.connection(own, y)", "fold.order"
    ),
    "Maxout takes the least": fault(luxport.Maxout, "_.maximum", "_.minimum", "maxout.of_multiples"),
    "Dense drops its bias": fault(ops.dense, "y if bias is None else _", "y", "dense.bias_and_activation"),
    "Scale adds before it multiplies": fault(
        luxport.Scale, "y if bias is None else _", "y if bias is None else (x + bias) * weight", "scale.weight_and_bias"
    ),
    "Bilinear swaps its streams": fault(
        luxport.Bilinear,
        "xp.expand_dims(x2, axis=-1) * xp.expand_dims(x1, axis=-2)",
        "xp.reshape(xp.expand_dims(x1, axis=-1) * xp.expand_dims(x2, axis=-2), "
        "(*x1.shape[:-1], x2.shape[-1], x1.shape[-1]))",
        "bilinear.axes",
    ),
    "ReverseSequence turns the batch": fault(luxport.ReverseSequence, "min(1, ndim - 1)", "0", "reverse.time"),
    "SelectDim takes the one before": fault(
        luxport.SelectDim, "(self.index, ...)", "(self.index - 1, ...)", "select.middle"
    ),
    "FlattenLayer in another order": fault(
        luxport.FlattenLayer,
        "_(x, sizes=_1)",
        "_(x.__array_namespace__().permute_dims(x, (0, *range(len(x.shape) - 1, 0, -1))), sizes=_1)",
        "flatten.images",
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
