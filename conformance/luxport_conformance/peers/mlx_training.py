"""MLX's own activation functions, losses, optimizers by ten steps, and initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, rename_options

__all__ = ["FUNCTIONS", "INITIALIZERS", "LOSSES", "OPTIMIZERS"]


def _function(name: str, *different: str, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Return a function of this name, with luxport's options by their names there."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import mlx.nn as nn

        given = fixed | rename_options(options, renamed)
        differences = ("infinity in softmax",) if "softmax" in name and not np.isfinite(x).all() else ()
        return Counterpart(lambda x, ps: getattr(nn, name)(x, **given), differences=(*different, *differences))

    return build


FUNCTIONS: dict[str, Build] = {
    "celu": _function("celu", renamed={"alpha": "alpha"}),
    "elu": _function("elu", renamed={"alpha": "alpha"}),
    "gelu_erf": _function("gelu"),
    "gelu_sigmoid": _function("gelu_fast_approx", "gelu by another sigmoid"),
    "gelu_tanh": _function("gelu_approx"),
    "glu": _function("glu", renamed={"axis": "axis"}),
    "hardswish": _function("hardswish"),
    "hardtanh": _function("hard_tanh"),
    "leakyrelu": _function("leaky_relu", renamed={"a": "negative_slope"}),
    "logsigmoid": _function("log_sigmoid"),
    "logsoftmax": _function("log_softmax", renamed={"axis": "axis"}),
    "mish": _function("mish"),
    "relu": _function("relu"),
    "relu6": _function("relu6"),
    "selu": _function("selu", "constants of few digits"),
    "sigmoid": _function("sigmoid"),
    "softmax": _function("softmax", renamed={"axis": "axis"}),
    "softplus": _function("softplus"),
    "softshrink": _function("softshrink", renamed={"lambda_": "lambd"}),
    "softsign": _function("softsign"),
    "swish": _function("silu"),
    "tanh": _function("tanh"),
}


def _loss(
    name: str,
    *differences: str,
    renamed: dict[str, str] | None = None,
    first: Callable[..., Any] | None = None,
    **fixed: Any,
) -> Build:
    """Return the mean of a loss of this name; `first` makes its arguments of luxport's."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import mlx.core as mx
        import mlx.nn as nn

        given = fixed | rename_options(options, renamed)
        arguments = first or (lambda mx, *arrays: arrays)
        loss = getattr(nn.losses, name)
        return Counterpart(
            lambda x, ps: loss(*arguments(mx, x, *ps), **given, reduction="mean"), differences=differences
        )

    return build


def _cosine(options: Any, x: Any, st: Any) -> Counterpart:
    import mlx.nn as nn

    return Counterpart(
        lambda x, ps: -nn.losses.cosine_similarity_loss(x, ps[0], axis=-1, reduction="mean") + 1.0,
        "is the similarity itself",
    )


LOSSES: dict[str, Build] = {
    "binarycrossentropy": _loss("binary_cross_entropy", "clipped probabilities", with_logits=False),
    "cosine_similarity_loss": _cosine,
    "gaussian_nll": _loss("gaussian_nll_loss"),
    "hinge_loss": _loss("hinge_loss", "loss per entry"),
    "huber_loss": _loss("huber_loss", "loss per entry", renamed={"delta": "delta"}),
    "kldivergence": _loss(
        "kl_div_loss",
        "logarithms for probabilities",
        "loss per entry",
        first=lambda mx, p, q: (mx.log(p), mx.log(q)),
    ),
    "logitbinarycrossentropy": _loss("binary_cross_entropy"),
    "logitcrossentropy": _loss("cross_entropy", "loss per entry"),
    "mae": _loss("l1_loss"),
    "mse": _loss("mse_loss"),
    "nll_loss": _loss("nll_loss", "loss per entry"),
    "sparse_logitcrossentropy": _loss(
        "cross_entropy", "loss per entry", renamed={"label_smoothing": "label_smoothing"}
    ),
    "triplet_margin_loss": _loss("triplet_loss", "loss per entry"),
}


def _stepped(name: str, options: Callable[[Any], dict[str, Any]], *differences: str) -> Build:
    """Return ten steps of an optimizer, with options that are made of luxport's rule."""

    def build(rule: Any, x: Any, st: Any) -> Counterpart:
        import mlx.optimizers

        def call(x: Any, gradients: Any) -> Any:
            optimizer = getattr(mlx.optimizers, name)(learning_rate=rule.eta, **options(rule))
            reached, ps = [], {"x": x}
            for i in range(gradients.shape[0]):
                ps = optimizer.apply_gradients({"x": gradients[i]}, ps)
                reached.append(ps["x"])
            return tuple(reached)

        return Counterpart(call, differences=differences)

    return build


def _adam_like(rule: Any) -> dict[str, Any]:
    return {"betas": list(rule.beta), "eps": rule.epsilon}


def _ada_delta(rule: Any, x: Any, st: Any) -> Counterpart:
    import mlx.optimizers

    def call(x: Any, gradients: Any) -> Any:
        optimizer, reached = mlx.optimizers.AdaDelta(1.0, rule.rho, rule.epsilon), []
        for i in range(gradients.shape[0]):
            x = optimizer.apply_gradients({"x": gradients[i]}, {"x": x})["x"]
            reached.append(x)
        return tuple(reached)

    return Counterpart(call)


def _rms_prop(rule: Any) -> dict[str, Any]:
    if rule.centered:
        raise NoCounterpartError("centers nothing")
    return {"alpha": rule.rho, "eps": rule.epsilon}


_OUTSIDE = "learning rate outside the velocity"

OPTIMIZERS: dict[str, Build] = {
    "AdaDelta": _ada_delta,
    "AdaGrad": _stepped("Adagrad", lambda rule: {"eps": rule.epsilon}),
    "AdaMax": _stepped("Adamax", _adam_like, "moments not corrected"),
    "Adam": _stepped("Adam", lambda rule: {**_adam_like(rule), "bias_correction": True}),
    "AdamW": _stepped(
        "AdamW",
        lambda rule: {**_adam_like(rule), "bias_correction": True, "weight_decay": rule.lambda_},
        "decoupled decay times eta",
    ),
    "Descent": _stepped("SGD", lambda rule: {}),
    "Lion": _stepped("Lion", lambda rule: {"betas": list(rule.beta)}),
    "Momentum": _stepped("SGD", lambda rule: {"momentum": rule.rho}, _OUTSIDE),
    "Nesterov": _stepped("SGD", lambda rule: {"momentum": rule.rho, "nesterov": True}, _OUTSIDE),
    "RMSProp": _stepped("RMSprop", _rms_prop),
}


def _drawn(name: str, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    """Return an initializer of MLX's, whose weight is (out, in)."""

    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import mlx.core as mx
        import mlx.nn as nn

        mx.random.seed(seed)
        return np.asarray(getattr(nn.init, name)()(mx.zeros(shape[::-1]), **options)).T

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _drawn("glorot_normal"),
    "glorot_uniform": _drawn("glorot_uniform"),
    "kaiming_normal": _drawn("he_normal", gain=2.0**0.5),
    "kaiming_uniform": _drawn("he_uniform", gain=2.0**0.5),
    "lecun_normal": _drawn("he_normal"),
    "lecun_uniform": _drawn("he_uniform"),
    "orthogonal": _drawn("orthogonal"),
}
