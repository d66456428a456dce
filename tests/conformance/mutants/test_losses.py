"""Planted faults in losses."""

from __future__ import annotations

from luxport import losses

from .planting import Mutants, case, catch_each, edited

MUTANTS: Mutants = {
    "cross-entropy's epsilon outside the logarithm": (
        edited(
            losses.crossentropy,
            "ops.xlogy(y, y_hat + epsilon_of(y_hat, epsilon))",
            "(ops.xlogy(y, y_hat) + epsilon_of(y_hat, epsilon))",
        ),
        case("losses.crossentropy_of_the_impossible"),
    ),
    "epsilon is float32's in double precision": (
        edited(losses.crossentropy, "EPSILON[dtype_name(y_hat)]", 'EPSILON["float32"]'),
        case("losses.crossentropy_in_double_precision", dtype="float64"),
    ),
    "cross-entropy over the samples": (
        edited(losses.crossentropy, "axis=axis", "axis=0"),
        case("losses.crossentropy"),
    ),
    "logits over the last axis whatever is asked": (
        edited(losses.logitcrossentropy, "ops.logsoftmax(y_hat, axis=axis)", "ops.logsoftmax(y_hat)"),
        case("losses.crossentropy_other_axis"),
    ),
    "labels smoothed for two classes": (
        edited(losses.label_smoothing, "2 if axis is None else y.shape[axis]", "2"),
        case("losses.label_smoothing_four"),
    ),
    "smoothing without lowering": (
        edited(losses.label_smoothing, "y * (1.0 - alpha)", "y"),
        case("losses.label_smoothing_two"),
    ),
    "mean of sums is a sum": (
        edited(losses.mse, "getattr(namespace(losses), agg)", "namespace(losses).sum"),
        case("losses.mse"),
    ),
    "binary cross-entropy forgets the other class": (
        edited(losses.binarycrossentropy, "_ - ops.xlogy(1.0 - y, 1.0 - y_hat + epsilon)", "_"),
        case("losses.binarycrossentropy"),
    ),
    "binary cross-entropy of logits overflows": (
        edited(
            losses.logitbinarycrossentropy,
            "ops.softplus(xp.where(right, -y_hat, y_hat))",
            "xp.log(1.0 + xp.exp(-y_hat))",
        ),
        case("losses.logitbinarycrossentropy_far"),
    ),
    "focal loss without its weight": (
        edited(losses.focal_loss, "y * _(1.0 - p, gamma)", "y"),
        case("losses.focal_loss"),
    ),
    "divergence the other way": (
        edited(
            losses.kldivergence,
            "ops.xlogx(y) - ops.xlogy(y, y_hat + epsilon_of(y_hat, epsilon))",
            "ops.xlogx(y_hat) - ops.xlogy(y_hat, y + epsilon_of(y_hat, epsilon))",
        ),
        case("losses.kldivergence"),
    ),
    "hinge for labels 0 and 1": (
        edited(losses.hinge_loss, "xp.where(enough, 0.0, y_hat) * y", "xp.where(enough, 0.0, y_hat) * (2.0 * y - 1.0)"),
        case("losses.hinge_loss"),
    ),
    "Huber's line from the origin": (
        edited(losses.huber_loss, "(distance - 0.5 * delta)", "distance"),
        case("losses.HuberLoss_delta"),
    ),
    "Poisson's epsilon by default": (
        edited(losses.PoissonLoss, "epsilon_of(y_hat, self.epsilon)", "self.epsilon or 0.0"),
        case("losses.PoissonLoss_of_nothing", dtype="float64"),
    ),
    "MSLE adds 1": (edited(losses.msle, "epsilon = epsilon_of(y_hat, epsilon)", "epsilon = 1.0"), case("losses.msle")),
    "a complex error squared, not its size": (
        edited(losses.mse, "real * real + imag * imag", "real * real - imag * imag"),
        case("losses.mse_complex"),
    ),
    "dice without its smoothing below": (
        edited(losses.dice_coeff_loss, "squares + smooth", "squares"),
        case("losses.dice_coeff_loss"),
    ),
    "Tversky's beta on the negatives": (
        edited(
            losses.tversky_loss,
            "beta * (1.0 - y) * y_hat + (1.0 - beta) * y * (one - y_hat)",
            "(1.0 - beta) * (1.0 - y) * y_hat + beta * y * (one - y_hat)",
        ),
        case("losses.tversky_loss_beta"),
    ),
    "pairs that should coincide are pushed apart": (
        edited(
            losses.siamese_contrastive_loss,
            "(1.0 - y) * far * far + y * short * short",
            "y * far * far + (1.0 - y) * short * short",
        ),
        case("losses.SiameseContrastiveLoss"),
    ),
    "ignored labels count in the mean": (
        edited(losses.sparse_crossentropy, 'if agg == "mean" and counted is not None: ...', "if False: ..."),
        case("losses.sparse_crossentropy_ignoring_1"),
    ),
    "triplets without their margin": (
        edited(losses.triplet_margin_loss, "_ + margin", "_"),
        case("losses.triplet_margin_loss"),
    ),
    "a density without its variance": (
        edited(losses.gaussian_nll, "(y_hat - y) / size * (root / size) ** -1.0", "y_hat - y"),
        case("losses.gaussian_nll"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
