"""Planted faults in activations, initializers, CTC, sampling, Fourier transforms and batched matrix products."""

from __future__ import annotations

from luxport import initializers, ops

from .planting import Mutants, case, catch_each, fault

MUTANTS: Mutants = {
    "leaky ReLU ten times as steep": fault(ops.leakyrelu, "a * x", "10 * a * x", "leakyrelu.slope"),
    "ELU without its alpha": fault(ops.elu, "alpha * xp.expm1(_)", "xp.expm1(_)", "elu.alpha"),
    "CELU divides by nothing": fault(
        ops.celu, "xp.where(x >= 0, 0.0, x) / alpha", "xp.where(x >= 0, 0.0, x)", "celu.alpha"
    ),
    "SELU's constants swapped": fault(ops.selu, "_SCALE * x", "_ALPHA * x", "selu.zero_and_ones"),
    "hard sigmoid of Keras": fault(ops.hardsigmoid, "shifted / 6.0", "0.2 * x + 0.5", "hardsigmoid.points"),
    "ReLU6 of 7": fault(ops.relu6, "xp.where(x >= 6, 6, x)", "xp.where(x >= 7, 7, x)", "relu6.six"),
    "soft shrink toward the far side": fault(ops.softshrink, "x + lambda_", "x - lambda_", "softshrink.threshold"),
    "the other GELU": fault(
        ops.gelu_tanh,
        "sigmoid(_compute_cubic(left))",
        "0.5 * (1.0 + erf(left * math.sqrt(0.5)))",
        "gelu_tanh.zero_and_ones",
    ),
    "GELU's cubic constant": fault(ops.gelu_tanh, "0.044715", "0.044175", "gelu_tanh.zero_and_ones"),
    "mish of a sigmoid": fault(
        ops.mish, "small / (small + xp.where(right, 1.0 + 2.0 * t, 2.0))", "t / (1.0 + t)", "mish.points"
    ),
    "swish multiplies an infinity by 0": fault(
        ops.swish, "xp.where(xp.abs(x) > far, 0.0, x)", "x", "activations.limits"
    ),
    "softsign divides infinities": fault(
        ops.softsign, "xp.where(xp.abs(x) == math.inf, 0.0, x)", "x", case("activations.limits_and_slopes", "torch")
    ),
    "log cosh without log 2": fault(ops.logcosh, "_ - math.log(2)", "_", "logcosh.thousand"),
    "ReLU of a NaN is 0": fault(ops.relu, "xp.where(x <= 0, 0, x)", "xp.where(x > 0, x, 0)", "activations.nan"),
    "integers become float32": fault(ops.relu, "return _", "return 1.0 * _", "relu.keeps_integers"),
    "Glorot by fan-in alone": fault(
        initializers.glorot_normal.draw,
        "2.0 / max(1, sum(fans(shape)))",
        "1.0 / fans(shape)[0]",
        "initializers.glorot_normal.variance",
    ),
    "Kaiming by fan-out": fault(
        initializers.kaiming_normal.draw, "fans(shape)[0]", "fans(shape)[1]", "initializers.kaiming"
    ),
    "fans of a kernel without its window": fault(
        initializers.fans, "shape[1] * window, shape[0] * window", "shape[1], shape[0]", "initializers.fans"
    ),
    "a normal distribution not cut off": fault(
        initializers.truncated_normal.draw,
        "rng.truncated_normal(shape, mean, std, low, high)",
        "rng.normal(shape, mean, std)",
        "initializers.truncated_normal.bounds",
    ),
    "LeCun's deviation after the cut": fault(
        initializers.lecun_normal.draw, "_ / _STD_WITHIN_TWO", "_", "initializers.lecun_normal.deviation"
    ),
    "an identity without its gain": fault(
        initializers.identity_init.draw, "_ = gain", "_ = 1.0", "initializers.identity.gain"
    ),
    "CTC skips between equal labels": fault(
        ops.ctc_loss, "xp.logical_and(after != blank, after != before)", "after != blank", "ctc_loss.batch"
    ),
    "CTC must end in a blank": fault(ops.ctc_loss, "reached[:, -head:]", "reached[:, -1:]", "ctc_loss.first"),
    "CTC takes probabilities for logarithms": fault(ops.ctc_loss, "logsoftmax(logits)", "logits", "ctc_loss.first"),
    "a grid of half-pixel corners": fault(
        ops.grid_sample, "0.5 * (n - 1 if align_corners else n)", "0.5 * n", "grid_sample.elements"
    ),
    "a grid with x and y swapped": fault(
        ops.grid_sample, "grid[..., rank - 1 - axis]", "grid[..., axis]", "grid_sample.elements"
    ),
    "images turn clockwise": fault(ops.imrotate, "math.sin(angle)", "-math.sin(angle)", "imrotate.quarters_of_a_whole"),
    "an adjoint without its conjugate": fault(
        ops.batched_adjoint, "xp.conj(swapped) if is_complex(a) else swapped", "swapped", "batched_mul.adjoint"
    ),
    "gates of the wrong part": fault(
        ops.multigate,
        "x[..., i * size : (i + 1) * size]",
        "x[..., (n - 1 - i) * size : (n - i) * size]",
        "multigate.parts",
    ),
    "a window that is symmetric": fault(
        ops.hamming_window, "length if periodic else _", "max(length - 1, 1) if periodic else _", "hann_window.values"
    ),
    "frames not centered": fault(ops.stft, "if center: ...", "if False: ...", "stft.sums"),
    "overlap not divided out": fault(
        ops.istft, "weight = weight * wide * wide", "weight = weight * wide", "istft.window"
    ),
    "drawn numbers the same for all keys": fault(
        ops.rrelu, "(lower + (upper - lower) * drawn)", "lower", "rrelu.slopes_spread"
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
