"""Planted faults in normalisation and dropout."""

from __future__ import annotations

import pytest

import luxport
from luxport import ops
from luxport.ops.dropout import alpha_dropped, mask_shape
from luxport.ops.normalise import _blend, _group_mean, _moments, _scaled

from .planting import Mutants, case, edited, expect_caught, law

OUTSIDE = edited(_scaled, "1.0 / xp.sqrt(var + epsilon)", "1.0 / (xp.sqrt(var) + epsilon)")
MUTANTS: Mutants = {
    "epsilon outside the root": (OUTSIDE, case("batch_norm.epsilon_in_the_root")),
    "layer norm's epsilon outside the root": (OUTSIDE, case("layer_norm.by_definition")),
    "RMS norm's epsilon outside the root": (OUTSIDE, case("rms_norm.by_definition")),
    "running variance biased": (
        edited(ops.batch_norm, "(n / (n - 1))", "1.0"),
        case("batch_norm.running_var"),
    ),
    "batch's variance unbiased": (
        edited(
            ops.batch_norm,
            "var = xp.mean(centred * centred, axis=over)",
            "var = xp.var(wide, axis=over, correction=1)",
        ),
        case("batch_norm.train"),
    ),
    "momentum the other way round": (
        edited(_blend, "(1.0 - momentum) * running + momentum *", "momentum * running + (1.0 - momentum) *"),
        case("batch_norm.running_mean"),
    ),
    "batch statistics in testing": (
        edited(ops.batch_norm, "if training or running_mean is None or running_var is None:", "if True:"),
        case("batch_norm.test_after_train"),
    ),
    "batch norm by its first sample's mean": (
        edited(ops.batch_norm, "mean = xp.mean(wide, axis=over)", "mean = xp.mean(wide[:1, ...], axis=over)"),
        case("batch_norm.train"),
    ),
    "instance norm's running variance biased": (
        edited(ops.instance_norm, "(n / (n - 1))", "1.0"),
        case("instance_norm.statistics"),
    ),
    "instance norm over the batch": (
        edited(
            ops.instance_norm,
            "var = xp.mean(centred * centred, axis=over, keepdims=True)",
            "var = xp.mean(centred * centred, axis=(0, *over), keepdims=True) + 0.0 * mean",
        ),
        case("instance_norm.by_definition"),
    ),
    "group norm with every other channel": (
        edited(
            _group_mean,
            "grouped = xp.reshape(mean, (-1, groups, channels // groups))",
            "grouped = xp.matrix_transpose(xp.reshape(mean, (-1, channels // groups, groups)))",
        ),
        case("group_norm.values"),
    ),
    "group norm over the whole sample": (
        edited(
            _group_mean,
            "xp.mean(grouped, axis=-1, keepdims=True)",
            "xp.mean(grouped, axis=(1, 2), keepdims=True)",
        ),
        case("group_norm.values"),
    ),
    "layer norm over the batch": (
        edited(ops.layer_norm, "single_or_double(xp, x), axes)", "single_or_double(xp, x), 0)"),
        case("layer_norm.line_372"),
    ),
    "scale after the bias": (
        edited(
            _scaled,
            "return y if bias is None else y + placed(bias)",
            "return y if bias is None else (y + placed(bias) if scale is None else y + placed(bias) * placed(scale))",
        ),
        case("layer_norm.by_definition"),
    ),
    "RMS norm takes the mean away": (
        edited(ops.rms_norm, "wide = single_or_double(xp, x)", "wide = x - xp.mean(x, axis=axes, keepdims=True)"),
        case("rms_norm.by_definition"),
    ),
    "normalise by the unbiased variance": (
        edited(
            _moments,
            "xp.mean(centred * centred, axis=axes, keepdims=True)",
            "xp.var(x, axis=axes, keepdims=True, correction=1)",
        ),
        case("normalise.last_axis_of_julia"),
    ),
    "weight norm over the other axes": (
        edited(ops.weight_norm, "if n == 1)", "if n != 1)"),
        case("weight_norm.values"),
    ),
    "spectral norm without iterations": (
        edited(ops.spectral_norm, "range(iterations)", "range(0)"),
        case("spectral_norm.many_steps"),
    ),
    "mask over the wrong axis": (
        edited(mask_shape, "if axis in varying", "if axis not in varying"),
        case("dropout.mask_along_batch"),
    ),
    "dropout unscaled": (edited(ops.dropout, "x * (1.0 / (1.0 - p))", "x"), case("dropout.op_scale")),
    "dropout keeps what it should drop": (
        edited(ops.keep_mask, "return bits >= round(p * 2**32)", "return bits >= round((1 - p) * 2**32)"),
        case("dropout.mostly"),
    ),
    "dropout in testing": (
        edited(luxport.Dropout.__call__, "if not training:", "if False:"),
        case("dropout.test"),
    ),
    "alpha dropout without its shift": (
        edited(alpha_dropped, " - a * _SELU_LIMIT * p", ""),
        case("alpha_dropout.values"),
    ),
    "alpha dropout drops to zero": (
        edited(alpha_dropped, "xp.full_like(x, a * _SELU_LIMIT)", "xp.zeros_like(x)"),
        case("alpha_dropout.values"),
    ),
    "hidden dropout draws at every call": (
        edited(
            luxport.VariationalHiddenDropout.__call__,
            "(int(update) if isinstance(update, bool) else xp.astype(update, counter.dtype))",
            "1",
        ),
        case("hidden_dropout.mask_stays"),
    ),
    "hidden dropout never draws again": (
        edited(luxport.VariationalHiddenDropout.__call__, "counter = counter +", "counter = counter + 0 *"),
        law("modes", "VariationalHiddenDropout"),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expect_caught(*MUTANTS[mutant], monkeypatch)
