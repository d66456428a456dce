"""Planted faults in optimizers."""

from __future__ import annotations

from luxport import optimizers

from .planting import Mutants, case, catch_each, edited

MUTANTS: Mutants = {
    "Adam's epsilon in the root": (
        edited(
            optimizers.Adam,
            "(xp.sqrt(v / by.correction2) + by.epsilon)",
            "xp.sqrt(v / by.correction2 + by.epsilon)",
        ),
        case("optimizers.adam_steps"),
    ),
    "Adam's epsilon before the correction": (
        edited(
            optimizers.Adam,
            "(xp.sqrt(v / by.correction2) + by.epsilon)",
            "((xp.sqrt(v) + by.epsilon) / xp.sqrt(by.correction2))",
        ),
        case("optimizers.adam_steps"),
    ),
    "Adam without its correction": (
        edited(optimizers.Adam, "m / by.correction1", "m"),
        case("optimizers.adam_steps"),
    ),
    "Adam corrects by the first step for ever": (
        edited(
            optimizers.Adam,
            "in_dtype_of(powers[0], beta[0]) * powers[0], in_dtype_of(powers[1], beta[1]) * powers[1]",
            "powers",
        ),
        case("optimizers.adam_steps"),
    ),
    "Adam swaps its betas": (
        edited(
            optimizers.Adam,
            "in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])",
            "in_dtype_of(dx, beta[1]), in_dtype_of(dx, beta[0])",
        ),
        case("optimizers.adam_steps"),
    ),
    "AdamW's decay not scaled by eta": (
        edited(optimizers.AdamW, "_1 if self.couple else _2", "_1 if not self.couple else _2"),
        case("optimizers.adam_w_steps"),
    ),
    "AdamW's decay in the gradient": (
        edited(
            optimizers.AdamW,
            "(*xs, *dxs, *ms, *vs)",
            "(*xs, *[dx + rule.lambda_ * x for dx, x in zip(dxs, xs)], *ms, *vs)",
        ),
        case("optimizers.adam_w_steps"),
    ),
    "Nesterov is Momentum": (
        edited(optimizers.Nesterov, "(1.0 + rho) * scaled - rho * rho * state", "scaled - rho * state"),
        case("optimizers.nesterov_steps"),
    ),
    "Momentum's eta outside the velocity": (
        edited(optimizers.Momentum, "(_, *vs)", "(_, *[v / rate * kept for v in vs])"),
        case("optimizers.momentum_keeps_a_velocity"),
    ),
    "weight decay pulls away": (
        edited(optimizers.WeightDecay, "dx + _", "dx - _"),
        case("optimizers.weight_decay"),
    ),
    "sign decay decays by size": (
        edited(optimizers.SignDecay, "namespace(x).sign(x)", "x"),
        case("optimizers.sign_decay_signs"),
    ),
    "clip norm over an axis": (
        edited(optimizers.ClipNorm, "xp.sum((size * unit) ** 2)", "xp.max(xp.sum((size * unit) ** 2, axis=-1))"),
        case("optimizers.clip_norm_of_matrix_steps"),
    ),
    "clip norm scales up": (
        edited(optimizers.ClipNorm, "omega * self.unit >= self.size", "self.size < 0.0"),
        case("optimizers.clip_norm"),
    ),
    "clipping loses the sign": (
        edited(optimizers.ClipGrad, "xp.minimum(xp.maximum(dx, -bound), bound)", "xp.minimum(xp.abs(dx), bound)"),
        case("optimizers.clip_grad_steps"),
    ),
    "RMSProp's epsilon in the root": (
        edited(
            optimizers.RMSProp,
            "xp.sqrt(variance) + _",
            "xp.sqrt(variance + self.epsilon) + 0.0 * _",
        ),
        case("optimizers.rms_prop_steps"),
    ),
    "RMSProp centered without its mean": (
        edited(optimizers.RMSProp, "variance = square - abs2(mean)", "variance = square"),
        case("optimizers.rms_prop_centered_steps"),
    ),
    "AdaGrad forgets": (
        edited(optimizers.AdaGrad, "total = state + abs2(dx)", "total = abs2(dx)"),
        case("optimizers.ada_grad_steps"),
    ),
    "AdaDelta's epsilon outside the roots": (
        edited(
            optimizers.AdaDelta,
            "dx * xp.sqrt(steps + epsilon) / xp.sqrt(gradients + epsilon)",
            "dx * (xp.sqrt(steps) + epsilon) / (xp.sqrt(gradients) + epsilon)",
        ),
        case("optimizers.ada_delta_steps"),
    ),
    "Lion remembers before it steps": (
        edited(optimizers.Lion, "direction = beta1 * state + (1.0 - beta1) * dx", "direction = m"),
        case("optimizers.lion_steps"),
    ),
    "Rprop steps where the sign has changed": (
        edited(optimizers.Rprop, "dx = xp.where(agreement < 0, zeros, dx)", "pass"),
        case("optimizers.rprop_steps"),
    ),
    "gradients add up, not their mean": (
        edited(optimizers.AccumGrad, "state + dx / self.n", "state + dx"),
        case("optimizers.accumulate"),
    ),
    "tied gradients: the last alone": (
        edited(optimizers.update, "sums[first] + dx", "dx"),
        case("optimizers.tied_thrice"),
    ),
    "a frozen parameter moves": (
        edited(optimizers.update, "if state.frozen: ...", "if False: ..."),
        case("optimizers.freeze"),
    ),
    "a chain of its last rule alone": (
        edited(optimizers.OptimizerChain, "firsts = self.rules[:-1]", "firsts = ()"),
        case("optimizers.chain"),
    ),
    "steps uphill": (
        edited(optimizers.Descent, "x - rate * dx", "x + rate * dx"),
        case("optimizers.descent"),
    ),
}

test_mutant_is_caught = catch_each(MUTANTS)
