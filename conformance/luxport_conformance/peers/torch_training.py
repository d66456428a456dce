"""PyTorch's own losses, optimizers (compared over ten steps), and initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, refuse

__all__ = ["INITIALIZERS", "LOSSES", "OPTIMIZERS"]


def _make_loss_builder(name: str, *differences: str, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import torch

        loss = getattr(torch.nn.functional, name)
        given = {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        if "weight" in given:
            given["weight"] = torch.tensor(given["weight"])
        return Counterpart(lambda x, ps: loss(x, *map(_widen_indices, ps), **fixed, **given), differences=differences)

    return build


def _widen_indices(target: Any) -> Any:
    """Convert indices to int64, which PyTorch's losses require, and return other targets unchanged."""
    return target if target.dtype.is_floating_point else target.long()


def _build_kl(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    return Counterpart(
        lambda x, ps: functional.kl_div(x.log(), ps[0], reduction="batchmean"),
        differences=("logarithms for probabilities", "mean over all entries"),
    )


def _build_ctc(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    def call(x: Any, ps: Any) -> Any:
        labels, lengths, label_lengths = map(_widen_indices, ps)
        scores, blank = x.log_softmax(-1).transpose(0, 1), x.shape[-1] - 1
        return functional.ctc_loss(scores, labels, lengths, label_lengths, blank, reduction="none").mean()

    return Counterpart(call)


def _build_cosine(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    return Counterpart(lambda x, ps: (1.0 - functional.cosine_similarity(x, ps[0], dim=-1)).mean())


LOSSES: dict[str, Build] = {
    "binarycrossentropy": _make_loss_builder("binary_cross_entropy", "clipped probabilities"),
    "cosine_similarity_loss": _build_cosine,
    "ctc_loss": _build_ctc,
    "gaussian_nll": _make_loss_builder("gaussian_nll_loss"),
    "huber_loss": _make_loss_builder("huber_loss"),
    "kldivergence": _build_kl,
    "logitbinarycrossentropy": _make_loss_builder("binary_cross_entropy_with_logits"),
    "logitcrossentropy": _make_loss_builder("cross_entropy"),
    "mae": _make_loss_builder("l1_loss"),
    "mse": _make_loss_builder("mse_loss"),
    "nll_loss": _make_loss_builder("nll_loss"),
    "poisson_loss": _make_loss_builder("poisson_nll_loss", log_input=False, eps=0.0),
    "sparse_logitcrossentropy": _make_loss_builder("cross_entropy", renamed={"class_weights": "weight"}),
    "triplet_margin_loss": _make_loss_builder("triplet_margin_loss"),
}


def _make_steps_builder(name: str, options: Callable[[Any], dict[str, Any]], *differences: str) -> Build:
    """Return a builder of ten steps of the optimizer of this name; `options` makes its options from luxport's rule."""

    def build(rule: Any, x: Any, st: Any) -> Counterpart:
        import torch

        def call(x: Any, gradients: Any) -> Any:
            parameter, reached = torch.nn.Parameter(x.clone()), []
            optimizer = getattr(torch.optim, name)([parameter], **options(rule))
            for gradient in gradients:
                parameter.grad = gradient.clone()
                optimizer.step()
                reached.append(parameter.detach().clone())
            return tuple(reached)

        return Counterpart(call, differences=differences)

    return build


def _list_adam_options(rule: Any) -> dict[str, Any]:
    return {"lr": rule.eta, "betas": rule.beta, "eps": rule.epsilon}


OPTIMIZERS: dict[str, Build] = {
    "AMSGrad": _make_steps_builder(
        "Adam", lambda rule: {**_list_adam_options(rule), "amsgrad": True}, "corrected AMSGrad"
    ),
    "AdaBelief": refuse("has no AdaBelief"),
    "AdaDelta": _make_steps_builder("Adadelta", lambda rule: {"lr": 1.0, "rho": rule.rho, "eps": rule.epsilon}),
    "AdaGrad": _make_steps_builder("Adagrad", lambda rule: {"lr": rule.eta, "eps": rule.epsilon}),
    "AdaMax": _make_steps_builder("Adamax", _list_adam_options),
    "Adam": _make_steps_builder("Adam", _list_adam_options),
    "AdamW": _make_steps_builder("AdamW", lambda rule: {**_list_adam_options(rule), "weight_decay": rule.lambda_}),
    "Descent": _make_steps_builder("SGD", lambda rule: {"lr": rule.eta}),
    "Momentum": _make_steps_builder(
        "SGD", lambda rule: {"lr": rule.eta, "momentum": rule.rho}, "learning rate outside the velocity"
    ),
    "NAdam": _make_steps_builder("NAdam", _list_adam_options, "momentum on a schedule"),
    "Nesterov": _make_steps_builder(
        "SGD",
        lambda rule: {"lr": rule.eta, "momentum": rule.rho, "nesterov": True},
        "learning rate outside the velocity",
    ),
    "RAdam": _make_steps_builder("RAdam", _list_adam_options, "rectified above 5"),
    "RMSProp": _make_steps_builder(
        "RMSprop", lambda rule: {"lr": rule.eta, "alpha": rule.rho, "eps": rule.epsilon, "centered": rule.centered}
    ),
    "Rprop": _make_steps_builder("Rprop", lambda rule: {"lr": rule.eta, "etas": rule.ell, "step_sizes": rule.gamma}),
}


def _make_initializer(name: str, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    """Return a function that draws a weight (in, out) by PyTorch's initializer, which itself makes (out, in)."""

    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return getattr(torch.nn.init, name)(torch.empty(shape[::-1]), **options).numpy().T

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _make_initializer("xavier_normal_"),
    "glorot_uniform": _make_initializer("xavier_uniform_"),
    "kaiming_normal": _make_initializer("kaiming_normal_", nonlinearity="relu"),
    "kaiming_uniform": _make_initializer("kaiming_uniform_", nonlinearity="relu"),
    "lecun_normal": _make_initializer("kaiming_normal_", nonlinearity="linear"),
    "lecun_uniform": _make_initializer("kaiming_uniform_", nonlinearity="linear"),
    "normal": _make_initializer("normal_"),
    "orthogonal": _make_initializer("orthogonal_"),
    "truncated_normal": _make_initializer("trunc_normal_"),
    "uniform": _make_initializer("uniform_"),
}
