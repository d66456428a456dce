"""Planted faults in normalization and dropout."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, case, catch_each, edited, fault, law

OUTSIDE = edited(ops.batch_norm, "1.0 / xp.sqrt(var + epsilon)", "1.0 / (xp.sqrt(var) + epsilon)")
MUTANTS: Mutants = {
    "epsilon outside the root": (OUTSIDE, case("batch_norm.epsilon_in_the_root")),
    "layer norm's epsilon outside the root": (OUTSIDE, case("layer_norm.by_definition")),
    "RMS norm's epsilon outside the root": (OUTSIDE, case("rms_norm.by_definition")),
    "running variance biased": fault(ops.batch_norm, "(n / (n - 1))", "1.0", "batch_norm.running_var"),
    "batch's variance unbiased": fault(
        ops.batch_norm, "over.mean(centered * centered)", "over.mean(centered * centered) * 1.2", "batch_norm.train"
    ),
    "momentum the other way round": fault(
        ops.batch_norm,
        "(1.0 - momentum) * running + momentum * _",
        "momentum * running + (1.0 - momentum) * _",
        "batch_norm.running_mean",
    ),
    "batch statistics in testing": fault(
        ops.batch_norm,
        "if training or running_mean is None or running_var is None: ...",
        "if True: ...",
        "batch_norm.test_after_train",
    ),
    "batch norm by its first sample's mean": fault(
        ops.batch_norm, "over.mean(x)", "over.mean(x[:1, ...])", "batch_norm.train"
    ),
    "instance norm's running variance biased": fault(
        ops.instance_norm, "(n / (n - 1))", "1.0", "instance_norm.statistics"
    ),
    "instance norm over the batch": fault(
        ops.instance_norm, "reduce_along(xp, over)", "reduce_along(xp, (0, *over))", "instance_norm.by_definition"
    ),
    "group norm with every other channel": fault(
        ops.group_norm,
        "grouped = xp.reshape(reduce(x, over) if over else x, (-1, groups, channels // groups))",
        "grouped = xp.matrix_transpose(xp.reshape(reduce(x, over), (-1, channels // groups, groups)))",
        "group_norm.values",
    ),
    "group norm over the whole sample": fault(
        ops.group_norm,
        "reduce(grouped, -1, keepdims=True) + _",
        "reduce(grouped, (1, 2), keepdims=True) + _",
        "group_norm.values",
    ),
    "layer norm over the batch": fault(
        ops.layer_norm, "reduce_along(xp, axes)", "reduce_along(xp, 0)", "layer_norm.line_372"
    ),
    "scale after the bias": fault(
        ops.batch_norm,
        "return y if bias is None else y + place(bias)",
        "return y if bias is None else (y + place(bias) if scale is None else y + place(bias) * place(scale))",
        "layer_norm.by_definition",
    ),
    "RMS norm takes the mean away": fault(ops.rms_norm, "center=False", "", "rms_norm.by_definition"),
    "normalize by the unbiased variance": fault(
        ops.batch_norm,
        "over.mean(centered * centered)",
        "over.mean(centered * centered) * 1.5",
        "normalize.last_axis_of_julia",
    ),
    "weight norm over the other axes": fault(ops.weight_norm, "n == 1", "n != 1", "weight_norm.values"),
    "spectral norm without iterations": fault(
        ops.spectral_norm, "range(iterations)", "range(0)", "spectral_norm.many_steps"
    ),
    "mask over the wrong axis": fault(
        ops.dropout, "axis in varying", "axis not in varying", "dropout.mask_along_batch"
    ),
    "dropout unscaled": fault(ops.dropout, "x * (1.0 / (1.0 - p))", "x", "dropout.op_scale"),
    "dropout keeps what it should drop": fault(
        ops.keep_mask, "round(p * 2**32)", "round((1 - p) * 2**32)", "dropout.mostly"
    ),
    "dropout in testing": fault(luxport.Dropout, "if not training: ...", "if False: ...", "dropout.test"),
    "alpha dropout without its shift": fault(ops.alpha_dropout, "_ - a * _SELU_LIMIT * p", "_", "alpha_dropout.values"),
    "alpha dropout drops to zero": fault(
        ops.alpha_dropout, "xp.full_like(x, a * _SELU_LIMIT)", "xp.zeros_like(x)", "alpha_dropout.values"
    ),
    "hidden dropout draws at every call": fault(
        luxport.VariationalHiddenDropout,
        "(int(update) if isinstance(update, bool) else xp.astype(update, counter.dtype))",
        "1",
        "hidden_dropout.mask_stays",
    ),
    "hidden dropout never draws again": fault(
        luxport.VariationalHiddenDropout,
        "counter = counter + _",
        "counter = counter + 0 * _",
        law("modes", "VariationalHiddenDropout"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
