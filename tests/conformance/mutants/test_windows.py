"""Planted faults in convolution, pooling, padding and resampling."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, case, catch_each, edited, law

MUTANTS: Mutants = {
    "conv without its flip": (
        edited(ops.conv_nd, "if flip: ...", "if not flip: ..."),
        case("conv.impulse_3_3"),
    ),
    "conv without its flip, by NNlib": (
        edited(ops.conv_nd, "if flip: ...", "if not flip: ..."),
        case("conv.counting_2d"),
    ),
    "conv ignores dilation": (
        edited(ops.conv_nd, "dilation=dilation", "dilation=(1,) * len(dilation)"),
        case("conv.counting_1d"),
    ),
    "conv ignores stride": (
        edited(ops.conv_nd, "stride=stride", "stride=(1,) * len(stride)"),
        case("conv.counting_2d"),
    ),
    "conv deals its outputs out to the groups in turn": (
        edited(
            ops.conv_nd,
            "xp.reshape(weight, (groups, out // groups, terms))",
            "xp.permute_dims(xp.reshape(weight, (out // groups, groups, terms)), (1, 0, 2))",
        ),
        case("conv.groups_in_order"),
    ),
    "conv activates before its bias": (
        edited(
            luxport.Conv,
            "return self.activation(y), st",
            "return self.activation(y - bias[:, None, None]) + bias[:, None, None], st",
        ),
        case("conv.bias_then_activation"),
    ),
    "SamePad's odd one high": (
        edited(luxport.Conv, "padding = windows.padding", "padding = tuple(p[::-1] for p in windows.padding)"),
        case("conv.same_pad_low"),
    ),
    "transposed conv without its flip": (
        edited(ops.conv_transpose_nd, "if flip: ...", "if not flip: ..."),
        case("conv_transpose.counting_2d"),
    ),
    "transposed conv drops output padding": (
        edited(ops.conv_transpose_nd, "_(padding, output_padding)", "_(padding, (0,) * len(stride))"),
        case("conv_transpose.output_padding_2d"),
    ),
    "transposed conv swaps its padding": (
        edited(
            ops.conv_transpose_nd,
            "_(padding, output_padding)",
            "_(tuple([pair[::-1] for pair in padding]), output_padding)",
        ),
        case("conv_transpose.uneven"),
    ),
    "windows come out back to front": (
        edited(ops.unfold_nd, "slices[::-1] if flip else _", "slices[::-1] if not flip else _"),
        case("unfold.elements"),
    ),
    "reflection repeats the edge": (
        edited(ops.pad_reflect, "slice(1, low + 1)", "slice(0, low)"),
        case("pad_reflect.nine"),
    ),
    "symmetric padding is not mirrored": (
        edited(ops.pad_symmetric, "mirror=True", "mirror=False"),
        case("pad_symmetric.nine"),
    ),
    "a ring takes the wrong end": (
        edited(ops.pad_circular, "slice(-low, None)", "slice(0, low)"),
        case("pad_circular.nine"),
    ),
    "the edge is the other edge": (edited(ops.pad_edge, "slice(-1, None)", "slice(0, 1)"), case("pad_edge.nine")),
    "conv's circular padding reflects": (
        edited(ops.pad_circular, "slice(-low, None)", "slice(0, low)"),
        case("conv.padding_mode_circular"),
    ),
    "max pool pads with zeros": (
        edited(ops.max_pool_nd, "-math.inf", "0.0"),
        case("max_pool.padding_loses_to_negatives"),
    ),
    "max pool's gradient goes to the last of equals": (
        edited(ops.max_pool_nd, "second <= first", "second < first", backend="torch"),
        case("max_pools.first_of_equals", "torch"),
    ),
    "mean pool leaves padding out": (
        edited(ops.mean_pool_nd, "count_include_pad or _", "_"),
        case("mean_pool.counts_padding"),
    ),
    "LP pool takes no root": (
        edited(
            ops.lp_pool_nd,
            "root(fold_windows(add, powers, window, stride, dilation), p)",
            "fold_windows(add, powers, window, stride, dilation)",
        ),
        case("lp_pool.counting"),
    ),
    "global LP pool averages": (edited(ops.global_lp_pool, "xp.sum", "xp.mean"), case("GlobalLPPool.all")),
    "global mean pool misses an axis": (
        edited(
            ops.global_mean_pool,
            "xp.mean(single_or_double(xp, x), axis=tuple(range(2, len(x.shape))), keepdims=True)",
            "xp.mean(single_or_double(xp, x), axis=tuple(range(3, len(x.shape))), keepdims=True)[:, :, :1, ...]",
        ),
        case("GlobalMeanPool.all"),
    ),
    "adaptive windows that end too early": (
        edited(ops.adaptive_mean_pool, "-(-(i + 1) * n // places)", "max(1, n // places) + i * n // places"),
        case("AdaptiveMeanPool.variable"),
    ),
    "adaptive windows that do not reach the end": (
        edited(ops.adaptive_max_pool, "n - (places - 1) * s", "s"),
        case("AdaptiveMaxPool.uneven"),
    ),
    "windows of a size that is learned late end too soon": (
        edited(ops.adaptive_max_pool, "(i + 1) * n + places - 1", "(i + 1) * n"),
        law("jit_is_eager", "AdaptiveMaxPool", 2, "tf"),
    ),
    "adaptive mean by one length": (
        edited(ops.adaptive_mean_pool, "1.0 / n", "1.0 / lengths[0]"),
        case("AdaptiveMeanPool.variable"),
    ),
    "upsampling aligns the corners of cells": (
        edited(ops.upsample_linear, "_(n, new, align_corners)", "_(n, new, True)"),
        case("upsample.bilinear_cells"),
    ),
    "upsampling does not align corners": (
        edited(ops.upsample_linear, "_(n, new, align_corners)", "_(n, new, False)"),
        case("upsample.bilinear_corners"),
    ),
    "nearest upsampling tiles": (
        edited(ops.upsample_nearest, "axis=axis + 1", "axis=axis"),
        case("upsample_nearest.blocks"),
    ),
    "pixel shuffle swaps rows and columns": (
        edited(ops.pixel_shuffle, "(2 + rank + i, 2 + i)", "(2 + rank + i, 1 + rank - i)"),
        case("pixel_shuffle.elements"),
    ),
    "pixel shuffle takes channels in turn": (
        edited(
            ops.pixel_shuffle,
            "xp.reshape(x, (batch, out, *[factor] * rank, *sizes))",
            "xp.moveaxis(xp.reshape(x, (batch, *[factor] * rank, out, *sizes)), rank + 1, 1)",
        ),
        case("pixel_shuffle.elements"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
