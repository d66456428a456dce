"""Planted faults in optimizers."""

from __future__ import annotations

from luxport import optimizers

from .planting import Mutants, catch_each, fault

MUTANTS: Mutants = {
    "Adam's epsilon in the root": fault(
        optimizers.Adam,
        "(take_root(v / by.correction2) + by.epsilon)",
        "take_root(v / by.correction2 + by.epsilon)",
        "optimizers.adam_steps",
    ),
    "Adam's epsilon before the correction": fault(
        optimizers.Adam,
        "(take_root(v / by.correction2) + by.epsilon)",
        "((take_root(v) + by.epsilon) / by.correction2**0.5)",
        "optimizers.adam_steps",
    ),
    "Adam without its correction": fault(optimizers.Adam, "m / by.correction1", "m", "optimizers.adam_steps"),
    "Adam corrects by the first step for ever": fault(
        optimizers.Adam,
        "in_dtype_of(powers[0], beta[0]) * powers[0], in_dtype_of(powers[1], beta[1]) * powers[1]",
        "powers",
        "optimizers.adam_steps",
    ),
    "Adam swaps its betas": fault(
        optimizers.Adam,
        "in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])",
        "in_dtype_of(dx, beta[1]), in_dtype_of(dx, beta[0])",
        "optimizers.adam_steps",
    ),
    "AdamW's decay not scaled by eta": fault(
        optimizers.AdamW, "_1 if self.couple else _2", "_1 if not self.couple else _2", "optimizers.adam_w_steps"
    ),
    "AdamW's decay in the gradient": fault(
        optimizers.AdamW,
        "(*xs, *dxs, *ms, *vs)",
        "(*xs, *[dx + self.lambda_ * x for dx, x in zip(dxs, xs)], *ms, *vs)",
        "optimizers.adam_w_steps",
    ),
    "Nesterov is Momentum": fault(
        optimizers.Nesterov,
        "(1.0 + rho) * scaled - rho * rho * state",
        "scaled - rho * state",
        "optimizers.nesterov_steps",
    ),
    "Momentum's eta outside the velocity": fault(
        optimizers.Momentum, "(_, *vs)", "(_, *[v / rate * kept for v in vs])", "optimizers.momentum_keeps_a_velocity"
    ),
    "weight decay pulls away": fault(optimizers.WeightDecay, "dx + _", "dx - _", "optimizers.weight_decay"),
    "sign decay decays by size": fault(
        optimizers.SignDecay, "namespace(x).sign(x)", "x", "optimizers.sign_decay_signs"
    ),
    "clip norm over an axis": fault(
        optimizers.ClipNorm,
        "xp.sum((size * unit) ** 2)",
        "xp.max(xp.sum((size * unit) ** 2, axis=-1))",
        "optimizers.clip_norm_of_matrix_steps",
    ),
    "clip norm scales up": fault(
        optimizers.ClipNorm, "omega * self.unit >= self.size", "self.size < 0.0", "optimizers.clip_norm"
    ),
    "clipping loses the sign": fault(
        optimizers.ClipGrad,
        "xp.minimum(xp.maximum(dx, -bound), bound)",
        "xp.minimum(xp.abs(dx), bound)",
        "optimizers.clip_grad_steps",
    ),
    "RMSProp's epsilon in the root": fault(
        optimizers.RMSProp,
        "take_root(variance) + _",
        "xp.sqrt(variance + self.epsilon) + 0.0 * _",
        "optimizers.rms_prop_steps",
    ),
    "RMSProp centered without its mean": fault(
        optimizers.RMSProp, "variance = square - abs2(mean)", "variance = square", "optimizers.rms_prop_centered_steps"
    ),
    "AdaGrad forgets": fault(
        optimizers.AdaGrad, "total = state + abs2(dx)", "total = abs2(dx)", "optimizers.ada_grad_steps"
    ),
    "AdaDelta's epsilon outside the roots": fault(
        optimizers.AdaDelta,
        "dx * xp.sqrt(steps + epsilon) / xp.sqrt(gradients + epsilon)",
        "dx * (xp.sqrt(steps) + epsilon) / (xp.sqrt(gradients) + epsilon)",
        "optimizers.ada_delta_steps",
    ),
    "Lion remembers before it steps": fault(
        optimizers.Lion, "direction = beta1 * state + (1.0 - beta1) * dx", "direction = m", "optimizers.lion_steps"
    ),
    "Rprop steps where the sign has changed": fault(
        optimizers.Rprop, "dx = xp.where(agreement < 0, zeros, dx)", "pass", "optimizers.rprop_steps"
    ),
    "gradients add up, not their mean": fault(
        optimizers.AccumGrad, "state + dx / self.n", "state + dx", "optimizers.accumulate"
    ),
    "tied gradients: the last alone": fault(optimizers.update, "sums[first] + dx", "dx", "optimizers.tied_thrice"),
    "a frozen parameter moves": fault(optimizers.update, "if state.frozen: ...", "if False: ...", "optimizers.freeze"),
    "a chain of its last rule alone": fault(
        optimizers.OptimizerChain, "firsts = self.rules[:-1]", "firsts = ()", "optimizers.chain"
    ),
    "steps uphill": fault(optimizers.Descent, "x - rate * dx", "x + rate * dx", "optimizers.descent"),
}

test_mutant_is_caught = catch_each(MUTANTS)
