"""Planted faults in convolution, pooling, padding and resampling."""

from __future__ import annotations

import luxport
from luxport import ops

from .planting import Mutants, case, catch_each, fault, law

MUTANTS: Mutants = {
    "conv without its flip": fault(ops.conv_nd, "if flip: ...", "if not flip: ...", "conv.impulse_3_3"),
    "conv without its flip, by NNlib": fault(ops.conv_nd, "if flip: ...", "if not flip: ...", "conv.counting_2d"),
    "conv ignores dilation": fault(
        ops.conv_nd, "dilation=dilation", "dilation=(1,) * len(dilation)", "conv.counting_1d"
    ),
    "conv ignores stride": fault(ops.conv_nd, "stride=stride", "stride=(1,) * len(stride)", "conv.counting_2d"),
    "conv deals its outputs out to the groups in turn": fault(
        ops.conv_nd,
        "xp.reshape(weight, (groups, out // groups, terms))",
        "xp.permute_dims(xp.reshape(weight, (out // groups, groups, terms)), (1, 0, 2))",
        "conv.groups_in_order",
    ),
    "conv activates before its bias": fault(
        luxport.Conv,
        "return self.activation(y), st",
        "return self.activation(y - bias[:, None, None]) + bias[:, None, None], st",
        "conv.bias_then_activation",
    ),
    "SamePad's odd one high": fault(
        luxport.Conv,
        "padding = windows.padding",
        "padding = tuple(p[::-1] for p in windows.padding)",
        "conv.same_pad_low",
    ),
    "transposed conv without its flip": fault(
        ops.conv_transpose_nd, "if flip: ...", "if not flip: ...", "conv_transpose.counting_2d"
    ),
    "transposed conv drops output padding": fault(
        ops.conv_transpose_nd,
        "_(padding, output_padding)",
        "_(padding, (0,) * len(stride))",
        "conv_transpose.output_padding_2d",
    ),
    "transposed conv swaps its padding": fault(
        ops.conv_transpose_nd,
        "_(padding, output_padding)",
        "_(tuple([pair[::-1] for pair in padding]), output_padding)",
        "conv_transpose.uneven",
    ),
    "windows come out back to front": fault(
        ops.unfold_nd, "slices[::-1] if flip else _", "slices[::-1] if not flip else _", "unfold.elements"
    ),
    "reflection repeats the edge": fault(ops.pad_reflect, "slice(1, low + 1)", "slice(0, low)", "pad_reflect.nine"),
    "symmetric padding is not mirrored": fault(ops.pad_symmetric, "mirror=True", "mirror=False", "pad_symmetric.nine"),
    "a ring takes the wrong end": fault(ops.pad_circular, "slice(-low, None)", "slice(0, low)", "pad_circular.nine"),
    "the edge is the other edge": fault(ops.pad_edge, "slice(-1, None)", "slice(0, 1)", "pad_edge.nine"),
    "conv's circular padding reflects": fault(
        ops.pad_circular, "slice(-low, None)", "slice(0, low)", "conv.padding_mode_circular"
    ),
    "max pool pads with zeros": fault(ops.max_pool_nd, "-math.inf", "0.0", "max_pool.padding_loses_to_negatives"),
    "max pool's gradient goes to the last of equals": fault(
        ops.max_pool_nd,
        "second <= first",
        "second < first",
        case("max_pools.first_of_equals", "torch"),
        backend="torch",
    ),
    "mean pool leaves padding out": fault(ops.mean_pool_nd, "count_include_pad or _", "_", "mean_pool.counts_padding"),
    "LP pool takes no root": fault(
        ops.lp_pool_nd,
        "take_root(fold_windows(add, powers, window, stride, dilation), p)",
        "fold_windows(add, powers, window, stride, dilation)",
        "lp_pool.counting",
    ),
    "global LP pool averages": fault(ops.global_lp_pool, "xp.sum", "xp.mean", "GlobalLPPool.all"),
    "global mean pool misses an axis": fault(
        ops.global_mean_pool,
        "take_mean(xp, widen_halves(xp, x), tuple(range(2, len(x.shape))), keepdims=True)",
        "take_mean(xp, widen_halves(xp, x), tuple(range(3, len(x.shape))), keepdims=True)[:, :, :1, ...]",
        "GlobalMeanPool.all",
    ),
    "adaptive windows that end too early": fault(
        ops.adaptive_mean_pool,
        "-(-(i + 1) * n // places)",
        "max(1, n // places) + i * n // places",
        "AdaptiveMeanPool.variable",
    ),
    "adaptive windows that do not reach the end": fault(
        ops.adaptive_max_pool, "n - (places - 1) * s", "s", "AdaptiveMaxPool.uneven"
    ),
    "windows of a size that is learned late end too soon": fault(
        ops.adaptive_max_pool,
        "(i + 1) * n + places - 1",
        "(i + 1) * n",
        law("jit_is_eager", "AdaptiveMaxPool", 2, "tf"),
    ),
    "adaptive mean by one length": fault(
        ops.adaptive_mean_pool, "1.0 / n", "1.0 / lengths[0]", "AdaptiveMeanPool.variable"
    ),
    "upsampling aligns the corners of cells": fault(
        ops.upsample_linear, "_(n, new, align_corners)", "_(n, new, True)", "upsample.bilinear_cells"
    ),
    "upsampling does not align corners": fault(
        ops.upsample_linear, "_(n, new, align_corners)", "_(n, new, False)", "upsample.bilinear_corners"
    ),
    "nearest upsampling tiles": fault(ops.upsample_nearest, "axis=axis + 1", "axis=axis", "upsample_nearest.blocks"),
    "pixel shuffle swaps rows and columns": fault(
        ops.pixel_shuffle, "(2 + rank + i, 2 + i)", "(2 + rank + i, 1 + rank - i)", "pixel_shuffle.elements"
    ),
    "pixel shuffle takes channels in turn": fault(
        ops.pixel_shuffle,
        "xp.reshape(x, (batch, out, *[factor] * rank, *sizes))",
        "xp.moveaxis(xp.reshape(x, (batch, *[factor] * rank, out, *sizes)), rank + 1, 1)",
        "pixel_shuffle.elements",
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
