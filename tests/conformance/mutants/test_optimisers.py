"""Planted faults in optimisers."""

from __future__ import annotations

import pytest

from luxport import optimisers
from luxport.optimisers import adam, clip, updates

from .planting import Mutants, case, edited, expect_caught

MUTANTS: Mutants = {
    "Adam's epsilon in the root": (
        edited(
            adam.adam_step,
            "(xp.sqrt(v / (1.0 - powers[1])) + rounded_epsilon(dx, epsilon))",
            "xp.sqrt(v / (1.0 - powers[1]) + rounded_epsilon(dx, epsilon))",
        ),
        case("optimisers.adam_steps"),
    ),
    "Adam's epsilon before the correction": (
        edited(
            adam.adam_step,
            "(xp.sqrt(v / (1.0 - powers[1])) + rounded_epsilon(dx, epsilon))",
            "((xp.sqrt(v) + rounded_epsilon(dx, epsilon)) / xp.sqrt(1.0 - powers[1]))",
        ),
        case("optimisers.adam_steps"),
    ),
    "Adam without its correction": (
        edited(adam.adam_step, "m / (1.0 - powers[0])", "m"),
        case("optimisers.adam_steps"),
    ),
    "Adam corrects by the first step for ever": (
        edited(adam.adam_step, "[beta1 * powers[0], beta2 * powers[1]]", "[powers[0], powers[1]]"),
        case("optimisers.adam_steps"),
    ),
    "Adam swaps its betas": (
        edited(
            adam.adam_step,
            "in_dtype_of(dx, beta[0]), in_dtype_of(dx, beta[1])",
            "in_dtype_of(dx, beta[1]), in_dtype_of(dx, beta[0])",
        ),
        case("optimisers.adam_steps"),
    ),
    "AdamW's decay not scaled by eta": (
        edited(optimisers.AdamW.apply, "if self.couple else", "if not self.couple else"),
        case("optimisers.adam_w_steps"),
    ),
    "AdamW's decay in the gradient": (
        edited(optimisers.AdamW.apply, "adam_step(dx,", "adam_step(dx + self.lambda_ * x,"),
        case("optimisers.adam_w_steps"),
    ),
    "Nesterov is Momentum": (
        edited(optimisers.Nesterov.apply, "(1.0 + rho) * scaled - rho * rho * state", "scaled - rho * state"),
        case("optimisers.nesterov_steps"),
    ),
    "Momentum's eta outside the velocity": (
        edited(optimisers.Momentum.apply, "return v, v", "return v / in_dtype_of(x, self.eta) * self.rho, v"),
        case("optimisers.momentum_keeps_a_velocity"),
    ),
    "weight decay pulls away": (
        edited(optimisers.WeightDecay.apply, "dx + in", "dx - in"),
        case("optimisers.weight_decay"),
    ),
    "sign decay decays by size": (
        edited(optimisers.SignDecay.apply, "namespace(x).sign(x)", "x"),
        case("optimisers.sign_decay_signs"),
    ),
    "clip norm over an axis": (
        edited(clip._euclidean, "xp.sqrt(xp.sum(size * size))", "xp.sqrt(xp.max(xp.sum(size * size, axis=-1)))"),
        case("optimisers.clip_norm_of_matrix_steps"),
    ),
    "clip norm scales up": (
        edited(optimisers.ClipNorm.apply, "scale = xp.where(scale >= 1.0, xp.ones_like(scale), scale)", "pass"),
        case("optimisers.clip_norm"),
    ),
    "clipping loses the sign": (
        edited(optimisers.ClipGrad.apply, "xp.minimum(xp.maximum(dx, -bound), bound)", "xp.minimum(xp.abs(dx), bound)"),
        case("optimisers.clip_grad_steps"),
    ),
    "RMSProp's epsilon in the root": (
        edited(
            optimisers.RMSProp.apply,
            "(xp.sqrt(variance) + rounded_epsilon(x, self.epsilon))",
            "xp.sqrt(variance + rounded_epsilon(x, self.epsilon))",
        ),
        case("optimisers.rms_prop_steps"),
    ),
    "RMSProp centred without its mean": (
        edited(optimisers.RMSProp.apply, "variance = square - abs2(mean)", "variance = square"),
        case("optimisers.rms_prop_centred_steps"),
    ),
    "AdaGrad forgets": (
        edited(optimisers.AdaGrad.apply, "total = state + abs2(dx)", "total = abs2(dx)"),
        case("optimisers.ada_grad_steps"),
    ),
    "AdaDelta's epsilon outside the roots": (
        edited(
            optimisers.AdaDelta.apply,
            "dx * xp.sqrt(steps + epsilon) / xp.sqrt(gradients + epsilon)",
            "dx * (xp.sqrt(steps) + epsilon) / (xp.sqrt(gradients) + epsilon)",
        ),
        case("optimisers.ada_delta_steps"),
    ),
    "Lion remembers before it steps": (
        edited(optimisers.Lion.apply, "direction = beta1 * state + (1.0 - beta1) * dx", "direction = m"),
        case("optimisers.lion_steps"),
    ),
    "Rprop steps where the sign has changed": (
        edited(optimisers.Rprop.apply, "dx = xp.where(agreement < 0, zeros, dx)", "pass"),
        case("optimisers.rprop_steps"),
    ),
    "gradients add up, not their mean": (
        edited(optimisers.AccumGrad.apply, "total + dx / self.n", "total + dx"),
        case("optimisers.accumulate"),
    ),
    "tied gradients: the last alone": (
        edited(updates.update, "sums[first] + dx", "dx"),
        case("optimisers.tied_thrice"),
    ),
    "a frozen parameter moves": (
        edited(updates._update, 'if state.get("frozen"):', "if False:"),
        case("optimisers.freeze"),
    ),
    "a chain from the other end": (
        edited(optimisers.OptimiserChain.apply, "enumerate(self.rules)", "reversed(list(enumerate(self.rules)))"),
        case("optimisers.chain_reversed"),
    ),
    "steps uphill": (
        edited(updates._update, "subtract(x, step)", "subtract(x, -step)"),
        case("optimisers.descent"),
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_is_caught(mutant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expect_caught(*MUTANTS[mutant], monkeypatch)
