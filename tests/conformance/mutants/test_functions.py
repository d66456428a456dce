"""Planted faults in activations, initializers, CTC, sampling, Fourier transforms and products of many matrices."""

from __future__ import annotations

from luxport import initializers, ops

from .planting import Mutants, case, catch_each, edited

MUTANTS: Mutants = {
    "leaky ReLU ten times as steep": (edited(ops.leakyrelu, "a * x", "10 * a * x"), case("leakyrelu.slope")),
    "ELU without its alpha": (edited(ops.elu, "alpha * xp.expm1(_)", "xp.expm1(_)"), case("elu.alpha")),
    "CELU divides by nothing": (
        edited(ops.celu, "xp.where(x >= 0, 0.0, x) / alpha", "xp.where(x >= 0, 0.0, x)"),
        case("celu.alpha"),
    ),
    "SELU's constants swapped": (
        edited(ops.selu, "_SCALE * x", "_ALPHA * x"),
        case("selu.zero_and_ones"),
    ),
    "hard sigmoid of Keras": (
        edited(ops.hardsigmoid, "shifted / 6.0", "0.2 * x + 0.5"),
        case("hardsigmoid.points"),
    ),
    "ReLU6 of 7": (edited(ops.relu6, "xp.where(x >= 6, 6, x)", "xp.where(x >= 7, 7, x)"), case("relu6.six")),
    "soft shrink toward the far side": (
        edited(ops.softshrink, "x + lambda_", "x - lambda_"),
        case("softshrink.threshold"),
    ),
    "the other GELU": (
        edited(
            ops.gelu_tanh,
            "tanh(_(x, math.sqrt(2 / math.pi)))",
            "erf(x * math.sqrt(0.5))",
        ),
        case("gelu_tanh.zero_and_ones"),
    ),
    "GELU's cubic constant": (
        edited(ops.gelu_tanh, "0.044715", "0.044175"),
        case("gelu_tanh.zero_and_ones"),
    ),
    "mish of a sigmoid": (
        edited(ops.mish, "lambda x: tanh(softplus(x))", "sigmoid"),
        case("mish.points"),
    ),
    "swish multiplies an infinity by 0": (
        edited(ops.swish, "xp.where(xp.abs(x) > far, 0.0, x)", "x"),
        case("activations.limits"),
    ),
    "softsign divides infinities": (
        edited(ops.softsign, "xp.where(xp.abs(x) == math.inf, 0.0, x)", "x"),
        case("activations.limits_and_slopes", "torch"),
    ),
    "log cosh without log 2": (edited(ops.logcosh, "_ - math.log(2)", "_"), case("logcosh.thousand")),
    "ReLU of a NaN is 0": (
        edited(ops.relu, "xp.where(x <= 0, 0, x)", "xp.where(x > 0, x, 0)"),
        case("activations.nan"),
    ),
    "integers become float32": (
        edited(ops.relu, "return _", "return 1.0 * _"),
        case("relu.keeps_integers"),
    ),
    "Glorot by fan-in alone": (
        edited(initializers.glorot_normal.draw, "2.0 / max(1, sum(fans(shape)))", "1.0 / fans(shape)[0]"),
        case("initializers.glorot_normal.variance"),
    ),
    "Kaiming by fan-out": (
        edited(initializers.kaiming_normal.draw, "fans(shape)[0]", "fans(shape)[1]"),
        case("initializers.kaiming"),
    ),
    "fans of a kernel without its window": (
        edited(initializers.fans, "shape[1] * window, shape[0] * window", "shape[1], shape[0]"),
        case("initializers.fans"),
    ),
    "a normal distribution not cut off": (
        edited(
            initializers.truncated_normal.draw,
            "rng.truncated_normal(shape, mean, std, low, high)",
            "rng.normal(shape, mean, std)",
        ),
        case("initializers.truncated_normal.bounds"),
    ),
    "LeCun's deviation after the cut": (
        edited(initializers.lecun_normal.draw, "_ / _STD_WITHIN_TWO", "_"),
        case("initializers.lecun_normal.deviation"),
    ),
    "an identity without its gain": (
        edited(initializers.identity_init.draw, "_ = gain", "_ = 1.0"),
        case("initializers.identity.gain"),
    ),
    "CTC skips between equal labels": (
        edited(ops.ctc_loss, "xp.logical_and(after != blank, after != before)", "after != blank"),
        case("ctc_loss.batch"),
    ),
    "CTC must end in a blank": (
        edited(ops.ctc_loss, "reached[:, -head:]", "reached[:, -1:]"),
        case("ctc_loss.first"),
    ),
    "CTC takes probabilities for logarithms": (
        edited(ops.ctc_loss, "logsoftmax(logits)", "logits"),
        case("ctc_loss.first"),
    ),
    "a grid of half-pixel corners": (
        edited(ops.grid_sample, "0.5 * (n - 1 if align_corners else n)", "0.5 * n"),
        case("grid_sample.elements"),
    ),
    "a grid with x and y swapped": (
        edited(ops.grid_sample, "grid[..., rank - 1 - axis]", "grid[..., axis]"),
        case("grid_sample.elements"),
    ),
    "images turn clockwise": (
        edited(ops.imrotate, "math.sin(angle)", "-math.sin(angle)"),
        case("imrotate.quarters_of_a_whole"),
    ),
    "an adjoint without its conjugate": (
        edited(ops.batched_adjoint, "xp.conj(swapped) if is_complex(a) else swapped", "swapped"),
        case("batched_mul.adjoint"),
    ),
    "gates of the wrong part": (
        edited(ops.multigate, "x[..., i * size : (i + 1) * size]", "x[..., (n - 1 - i) * size : (n - i) * size]"),
        case("multigate.parts"),
    ),
    "a window that is symmetric": (
        edited(ops.hamming_window, "length if periodic else _", "max(length - 1, 1) if periodic else _"),
        case("hann_window.values"),
    ),
    "frames not centered": (edited(ops.stft, "if center: ...", "if False: ..."), case("stft.sums")),
    "overlap not divided out": (
        edited(ops.istft, "weight = weight * wide * wide", "weight = weight * wide"),
        case("istft.window"),
    ),
    "drawn numbers the same for all keys": (
        edited(ops.rrelu, "(lower + (upper - lower) * drawn)", "lower"),
        case("rrelu.slopes_spread"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
