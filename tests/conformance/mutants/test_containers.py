"""Planted faults in containers and in the layers that shape, multiply and add."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, case, catch_each, edited

MUTANTS: Mutants = {
    "Parallel hands the first input to each": (
        edited(luxport.Parallel, "_(self.layers, x, ps, st)", "_(self.layers, (x[0],) * len(x), ps, st)"),
        case("parallel.two_inputs"),
    ),
    "Parallel deals its inputs out backward": (
        edited(
            luxport.Parallel,
            "zip(layers.items(), inputs, strict=True)",
            "zip(layers.items(), tuple(inputs)[::-1], strict=True)",
        ),
        case("parallel.two_inputs"),
    ),
    "BranchLayer splits a tuple": (
        edited(
            luxport.BranchLayer,
            "(x,) * len(self.layers)",
            "(x if isinstance(x, tuple) else (x,) * len(self.layers))",
        ),
        case("branch.tuple_stays_whole"),
    ),
    "SkipConnection the other way round": (
        edited(luxport.SkipConnection, "return (y, x), st", "return (x, y), st"),
        case("skip.order"),
    ),
    "PairwiseFusion the other way round": (
        edited(luxport.PairwiseFusion, "self.connection(outputs[-1], own)", "self.connection(own, outputs[-1])"),
        case("fusion.numbers"),
    ),
    "PairwiseFusion joins the inputs alone": (
        edited(luxport.PairwiseFusion, "self.connection(outputs[-1], own)", "self.connection(inputs[0], own)"),
        case("fusion.one_number"),
    ),
    "PairwiseFold the other way round": (
        edited(luxport.PairwiseFold, "self.connection(y, own)", "self.connection(own, y)"),
        case("fold.order"),
    ),
    "Maxout takes the least": (
        edited(luxport.Maxout, "_.maximum", "_.minimum"),
        case("maxout.of_multiples"),
    ),
    "Dense drops its bias": (edited(ops.dense, "y if bias is None else _", "y"), case("dense.bias_and_activation")),
    "Scale adds before it multiplies": (
        edited(luxport.Scale, "y if bias is None else _", "y if bias is None else (x + bias) * weight"),
        case("scale.weight_and_bias"),
    ),
    "Bilinear swaps its streams": (
        edited(
            luxport.Bilinear,
            "xp.expand_dims(x2, axis=-1) * xp.expand_dims(x1, axis=-2)",
            "xp.reshape(xp.expand_dims(x1, axis=-1) * xp.expand_dims(x2, axis=-2), "
            "(*x1.shape[:-1], x2.shape[-1], x1.shape[-1]))",
        ),
        case("bilinear.axes"),
    ),
    "ReverseSequence turns the batch": (
        edited(luxport.ReverseSequence, "min(1, ndim - 1)", "0"),
        case("reverse.time"),
    ),
    "SelectDim takes the one before": (
        edited(luxport.SelectDim, "(self.index, ...)", "(self.index - 1, ...)"),
        case("select.middle"),
    ),
    "FlattenLayer in another order": (
        edited(
            luxport.FlattenLayer,
            "_(x, sizes=_1)",
            "_(x.__array_namespace__().permute_dims(x, (0, *range(len(x.shape) - 1, 0, -1))), sizes=_1)",
        ),
        case("flatten.images"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
