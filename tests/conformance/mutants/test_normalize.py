"""Planted faults in normalization and dropout."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, case, catch_each, edited, law

OUTSIDE = edited(ops.batch_norm, "1.0 / xp.sqrt(var + epsilon)", "1.0 / (xp.sqrt(var) + epsilon)")
MUTANTS: Mutants = {
    "epsilon outside the root": (OUTSIDE, case("batch_norm.epsilon_in_the_root")),
    "layer norm's epsilon outside the root": (OUTSIDE, case("layer_norm.by_definition")),
    "RMS norm's epsilon outside the root": (OUTSIDE, case("rms_norm.by_definition")),
    "running variance biased": (
        edited(ops.batch_norm, "(n / (n - 1))", "1.0"),
        case("batch_norm.running_var"),
    ),
    "batch's variance unbiased": (
        edited(ops.batch_norm, "over.mean(centered * centered)", "over.mean(centered * centered) * 1.2"),
        case("batch_norm.train"),
    ),
    "momentum the other way round": (
        edited(
            ops.batch_norm, "(1.0 - momentum) * running + momentum * _", "momentum * running + (1.0 - momentum) * _"
        ),
        case("batch_norm.running_mean"),
    ),
    "batch statistics in testing": (
        edited(ops.batch_norm, "if training or running_mean is None or running_var is None: ...", "if True: ..."),
        case("batch_norm.test_after_train"),
    ),
    "batch norm by its first sample's mean": (
        edited(ops.batch_norm, "over.mean(x)", "over.mean(x[:1, ...])"),
        case("batch_norm.train"),
    ),
    "instance norm's running variance biased": (
        edited(ops.instance_norm, "(n / (n - 1))", "1.0"),
        case("instance_norm.statistics"),
    ),
    "instance norm over the batch": (
        edited(ops.instance_norm, "along(xp, over)", "along(xp, (0, *over))"),
        case("instance_norm.by_definition"),
    ),
    "group norm with every other channel": (
        edited(
            ops.group_norm,
            "grouped = xp.reshape(reduce(x, over) if over else x, (-1, groups, channels // groups))",
            "grouped = xp.matrix_transpose(xp.reshape(reduce(x, over), (-1, channels // groups, groups)))",
        ),
        case("group_norm.values"),
    ),
    "group norm over the whole sample": (
        edited(
            ops.group_norm,
            "reduce(grouped, -1, keepdims=True) + _",
            "reduce(grouped, (1, 2), keepdims=True) + _",
        ),
        case("group_norm.values"),
    ),
    "layer norm over the batch": (
        edited(ops.layer_norm, "along(xp, axes)", "along(xp, 0)"),
        case("layer_norm.line_372"),
    ),
    "scale after the bias": (
        edited(
            ops.batch_norm,
            "return y if bias is None else y + place(bias)",
            "return y if bias is None else (y + place(bias) if scale is None else y + place(bias) * place(scale))",
        ),
        case("layer_norm.by_definition"),
    ),
    "RMS norm takes the mean away": (
        edited(ops.rms_norm, "center=False", ""),
        case("rms_norm.by_definition"),
    ),
    "normalize by the unbiased variance": (
        edited(ops.batch_norm, "over.mean(centered * centered)", "over.mean(centered * centered) * 1.5"),
        case("normalize.last_axis_of_julia"),
    ),
    "weight norm over the other axes": (
        edited(ops.weight_norm, "n == 1", "n != 1"),
        case("weight_norm.values"),
    ),
    "spectral norm without iterations": (
        edited(ops.spectral_norm, "range(iterations)", "range(0)"),
        case("spectral_norm.many_steps"),
    ),
    "mask over the wrong axis": (
        edited(ops.dropout, "axis in varying", "axis not in varying"),
        case("dropout.mask_along_batch"),
    ),
    "dropout unscaled": (edited(ops.dropout, "x * (1.0 / (1.0 - p))", "x"), case("dropout.op_scale")),
    "dropout keeps what it should drop": (
        edited(ops.keep_mask, "round(p * 2**32)", "round((1 - p) * 2**32)"),
        case("dropout.mostly"),
    ),
    "dropout in testing": (
        edited(luxport.Dropout, "if not training: ...", "if False: ..."),
        case("dropout.test"),
    ),
    "alpha dropout without its shift": (
        edited(ops.alpha_dropout, "_ - a * _SELU_LIMIT * p", "_"),
        case("alpha_dropout.values"),
    ),
    "alpha dropout drops to zero": (
        edited(ops.alpha_dropout, "xp.full_like(x, a * _SELU_LIMIT)", "xp.zeros_like(x)"),
        case("alpha_dropout.values"),
    ),
    "hidden dropout draws at every call": (
        edited(
            luxport.VariationalHiddenDropout,
            "(int(update) if isinstance(update, bool) else xp.astype(update, counter.dtype))",
            "1",
        ),
        case("hidden_dropout.mask_stays"),
    ),
    "hidden dropout never draws again": (
        edited(luxport.VariationalHiddenDropout, "counter = counter + _", "counter = counter + 0 * _"),
        law("modes", "VariationalHiddenDropout"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
