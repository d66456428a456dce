"""PyTorch's own losses, optimizers by ten steps, and initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, absent

__all__ = ["INITIALIZERS", "LOSSES", "OPTIMIZERS"]


def _loss(name: str, *differences: str, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import torch

        loss = getattr(torch.nn.functional, name)
        given = {str((renamed or {}).get(key, key)): value for key, value in options.items()}
        if "weight" in given:
            given["weight"] = torch.tensor(given["weight"])
        return Counterpart(lambda x, ps: loss(x, *map(_wide, ps), **fixed, **given), differences=differences)

    return build


def _wide(target: Any) -> Any:
    """Return indices in the 64 bits that PyTorch wants."""
    return target if target.dtype.is_floating_point else target.long()


def _kl(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    return Counterpart(
        lambda x, ps: functional.kl_div(x.log(), ps[0], reduction="batchmean"),
        differences=("logarithms for probabilities", "mean over all entries"),
    )


def _ctc(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    def call(x: Any, ps: Any) -> Any:
        labels, lengths, label_lengths = map(_wide, ps)
        scores, blank = x.log_softmax(-1).transpose(0, 1), x.shape[-1] - 1
        return functional.ctc_loss(scores, labels, lengths, label_lengths, blank, reduction="none").mean()

    return Counterpart(call)


def _cosine(options: Any, x: Any, st: Any) -> Counterpart:
    from torch.nn import functional

    return Counterpart(lambda x, ps: (1.0 - functional.cosine_similarity(x, ps[0], dim=-1)).mean())


LOSSES: dict[str, Build] = {
    "binarycrossentropy": _loss("binary_cross_entropy", "clipped probabilities"),
    "cosine_similarity_loss": _cosine,
    "ctc_loss": _ctc,
    "gaussian_nll": _loss("gaussian_nll_loss"),
    "huber_loss": _loss("huber_loss"),
    "kldivergence": _kl,
    "logitbinarycrossentropy": _loss("binary_cross_entropy_with_logits"),
    "logitcrossentropy": _loss("cross_entropy"),
    "mae": _loss("l1_loss"),
    "mse": _loss("mse_loss"),
    "nll_loss": _loss("nll_loss"),
    "poisson_loss": _loss("poisson_nll_loss", log_input=False, eps=0.0),
    "sparse_logitcrossentropy": _loss("cross_entropy", renamed={"class_weights": "weight"}),
    "triplet_margin_loss": _loss("triplet_margin_loss"),
}


def _stepped(name: str, options: Callable[[Any], dict[str, Any]], *differences: str) -> Build:
    """Return ten steps of an optimizer, with options that are made of luxport's rule."""

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


def _adam_like(rule: Any) -> dict[str, Any]:
    return {"lr": rule.eta, "betas": rule.beta, "eps": rule.epsilon}


OPTIMIZERS: dict[str, Build] = {
    "AMSGrad": _stepped("Adam", lambda rule: {**_adam_like(rule), "amsgrad": True}, "corrected AMSGrad"),
    "AdaBelief": absent("has no AdaBelief"),
    "AdaDelta": _stepped("Adadelta", lambda rule: {"lr": 1.0, "rho": rule.rho, "eps": rule.epsilon}),
    "AdaGrad": _stepped("Adagrad", lambda rule: {"lr": rule.eta, "eps": rule.epsilon}),
    "AdaMax": _stepped("Adamax", _adam_like),
    "Adam": _stepped("Adam", _adam_like),
    "AdamW": _stepped("AdamW", lambda rule: {**_adam_like(rule), "weight_decay": rule.lambda_}),
    "Descent": _stepped("SGD", lambda rule: {"lr": rule.eta}),
    "Momentum": _stepped(
        "SGD", lambda rule: {"lr": rule.eta, "momentum": rule.rho}, "learning rate outside the velocity"
    ),
    "NAdam": _stepped("NAdam", _adam_like, "momentum on a schedule"),
    "Nesterov": _stepped(
        "SGD",
        lambda rule: {"lr": rule.eta, "momentum": rule.rho, "nesterov": True},
        "learning rate outside the velocity",
    ),
    "RAdam": _stepped("RAdam", _adam_like, "rectified above 5"),
    "RMSProp": _stepped(
        "RMSprop",
        lambda rule: {"lr": rule.eta, "alpha": rule.rho, "eps": rule.epsilon, "centered": rule.centered},
    ),
    "Rprop": _stepped("Rprop", lambda rule: {"lr": rule.eta, "etas": rule.ell, "step_sizes": rule.gamma}),
}


def _drawn(name: str, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    """Return an initializer of PyTorch's, whose weight is (out, in)."""

    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return getattr(torch.nn.init, name)(torch.empty(shape[::-1]), **options).numpy().T

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _drawn("xavier_normal_"),
    "glorot_uniform": _drawn("xavier_uniform_"),
    "kaiming_normal": _drawn("kaiming_normal_", nonlinearity="relu"),
    "kaiming_uniform": _drawn("kaiming_uniform_", nonlinearity="relu"),
    "lecun_normal": _drawn("kaiming_normal_", nonlinearity="linear"),
    "lecun_uniform": _drawn("kaiming_uniform_", nonlinearity="linear"),
    "normal": _drawn("normal_"),
    "orthogonal": _drawn("orthogonal_"),
    "truncated_normal": _drawn("trunc_normal_"),
    "uniform": _drawn("uniform_"),
}
