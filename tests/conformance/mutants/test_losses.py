"""Planted faults in losses."""

from __future__ import annotations

from luxport import losses

from .planting import Mutants, case, catch_each, fault

MUTANTS: Mutants = {
    "cross-entropy's epsilon outside the logarithm": fault(
        losses.crossentropy,
        "ops.xlogy(y, y_hat + choose_epsilon(y_hat, epsilon))",
        "(ops.xlogy(y, y_hat) + choose_epsilon(y_hat, epsilon))",
        "losses.crossentropy_of_the_impossible",
    ),
    "epsilon is float32's in double precision": fault(
        losses.crossentropy,
        "EPSILON[dtype_name(y_hat)]",
        'EPSILON["float32"]',
        case("losses.crossentropy_in_double_precision", dtype="float64"),
    ),
    "cross-entropy over the samples": fault(losses.crossentropy, "axis=axis", "axis=0", "losses.crossentropy"),
    "logits over the last axis whatever is asked": fault(
        losses.logitcrossentropy,
        "ops.logsoftmax(y_hat, axis=axis)",
        "ops.logsoftmax(y_hat)",
        "losses.crossentropy_other_axis",
    ),
    "labels smoothed for two classes": fault(
        losses.label_smoothing, "2 if axis is None else y.shape[axis]", "2", "losses.label_smoothing_four"
    ),
    "smoothing without lowering": fault(losses.label_smoothing, "y * (1.0 - alpha)", "y", "losses.label_smoothing_two"),
    "mean of sums is a sum": fault(
        losses.mse, "take_mean(xp, widen_halves(xp, losses))", "xp.sum(losses)", "losses.mse"
    ),
    "binary cross-entropy forgets the other class": fault(
        losses.binarycrossentropy, "_ - ops.xlogy(1.0 - y, 1.0 - y_hat + epsilon)", "_", "losses.binarycrossentropy"
    ),
    "binary cross-entropy of logits overflows": fault(
        losses.logitbinarycrossentropy,
        "ops.softplus(xp.where(right, -y_hat, y_hat))",
        "xp.log(1.0 + xp.exp(-y_hat))",
        "losses.logitbinarycrossentropy_far",
    ),
    "focal loss without its weight": fault(losses.focal_loss, "y * _(1.0 - p, gamma)", "y", "losses.focal_loss"),
    "divergence the other way": fault(
        losses.kldivergence,
        "ops.xlogx(y) - ops.xlogy(y, y_hat + choose_epsilon(y_hat, epsilon))",
        "ops.xlogx(y_hat) - ops.xlogy(y_hat, y + choose_epsilon(y_hat, epsilon))",
        "losses.kldivergence",
    ),
    "hinge for labels 0 and 1": fault(
        losses.hinge_loss,
        "xp.where(enough, 0.0, y_hat) * y",
        "xp.where(enough, 0.0, y_hat) * (2.0 * y - 1.0)",
        "losses.hinge_loss",
    ),
    "Huber's line from the origin": fault(
        losses.huber_loss, "(distance - 0.5 * delta)", "distance", "losses.HuberLoss_delta"
    ),
    "Poisson's epsilon by default": fault(
        losses.PoissonLoss,
        "choose_epsilon(y_hat, self.epsilon)",
        "self.epsilon or 0.0",
        case("losses.PoissonLoss_of_nothing", dtype="float64"),
    ),
    "MSLE adds 1": fault(losses.msle, "epsilon = choose_epsilon(y_hat, epsilon)", "epsilon = 1.0", "losses.msle"),
    "a complex error squared, not its size": fault(
        losses.mse, "real * real + imag * imag", "real * real - imag * imag", "losses.mse_complex"
    ),
    "dice without its smoothing below": fault(
        losses.dice_coeff_loss, "squares + smooth", "squares", "losses.dice_coeff_loss"
    ),
    "Tversky's beta on the negatives": fault(
        losses.tversky_loss,
        "beta * (1.0 - y) * y_hat + (1.0 - beta) * y * (one - y_hat)",
        "(1.0 - beta) * (1.0 - y) * y_hat + beta * y * (one - y_hat)",
        "losses.tversky_loss_beta",
    ),
    "pairs that should coincide are pushed apart": fault(
        losses.siamese_contrastive_loss,
        "(1.0 - y) * far * far + y * short * short",
        "y * far * far + (1.0 - y) * short * short",
        "losses.SiameseContrastiveLoss",
    ),
    "ignored labels count in the mean": fault(
        losses.sparse_crossentropy,
        'if agg == "mean" and counted is not None: ...',
        "if False: ...",
        "losses.sparse_crossentropy_ignoring_1",
    ),
    "triplets without their margin": fault(
        losses.triplet_margin_loss,
        "add_after(xp, difference, margin)",
        "difference",
        "losses.triplet_margin_loss",
    ),
    "a density without its variance": fault(
        losses.gaussian_nll, "(y_hat - y) / size * (root / size) ** -1.0", "y_hat - y", "losses.gaussian_nll"
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
