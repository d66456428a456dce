"""MLX's own activation functions, losses, optimizers (compared over ten steps), and initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError, rename_options

__all__ = ["FUNCTIONS", "INITIALIZERS", "LOSSES", "OPTIMIZERS"]


def _make_function_builder(name: str, *different: str, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Return a builder of MLX's function of this name; `renamed` gives luxport's options MLX's names."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import mlx.nn as nn

        given = fixed | rename_options(options, renamed)
        differences = ("infinity in softmax",) if "softmax" in name and not np.isfinite(x).all() else ()
        return Counterpart(lambda x, ps: getattr(nn, name)(x, **given), differences=(*different, *differences))

    return build


FUNCTIONS: dict[str, Build] = {
    **{
        name: _make_function_builder(name)
        for name in (*("hardswish", "mish", "relu", "relu6"), *("sigmoid", "softplus", "softsign", "tanh"))
    },
    "celu": _make_function_builder("celu", renamed={"alpha": "alpha"}),
    "elu": _make_function_builder("elu", renamed={"alpha": "alpha"}),
    "gelu_erf": _make_function_builder("gelu"),
    "gelu_sigmoid": _make_function_builder("gelu_fast_approx", "gelu by another sigmoid"),
    "gelu_tanh": _make_function_builder("gelu_approx"),
    "glu": _make_function_builder("glu", renamed={"axis": "axis"}),
    "hardtanh": _make_function_builder("hard_tanh"),
    "leakyrelu": _make_function_builder("leaky_relu", renamed={"a": "negative_slope"}),
    "logsigmoid": _make_function_builder("log_sigmoid"),
    "logsoftmax": _make_function_builder("log_softmax", renamed={"axis": "axis"}),
    "selu": _make_function_builder("selu", "constants of few digits"),
    "softmax": _make_function_builder("softmax", renamed={"axis": "axis"}),
    "softshrink": _make_function_builder("softshrink", renamed={"lambda_": "lambd"}),
    "swish": _make_function_builder("silu"),
}


def _make_loss_builder(
    name: str,
    *differences: str,
    renamed: dict[str, str] | None = None,
    first: Callable[..., Any] | None = None,
    **fixed: Any,
) -> Build:
    """Return a builder of the mean of MLX's loss of this name; `first` converts luxport's arguments."""

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


def _build_cosine(options: Any, x: Any, st: Any) -> Counterpart:
    import mlx.nn as nn

    return Counterpart(
        lambda x, ps: -nn.losses.cosine_similarity_loss(x, ps[0], axis=-1, reduction="mean") + 1.0,
        "is the similarity itself",
    )


LOSSES: dict[str, Build] = {
    "binarycrossentropy": _make_loss_builder("binary_cross_entropy", "clipped probabilities", with_logits=False),
    "cosine_similarity_loss": _build_cosine,
    "gaussian_nll": _make_loss_builder("gaussian_nll_loss"),
    "hinge_loss": _make_loss_builder("hinge_loss", "loss per entry"),
    "huber_loss": _make_loss_builder("huber_loss", "loss per entry", renamed={"delta": "delta"}),
    "kldivergence": _make_loss_builder(
        "kl_div_loss", "logarithms for probabilities", "loss per entry", first=lambda mx, p, q: (mx.log(p), mx.log(q))
    ),
    "logitbinarycrossentropy": _make_loss_builder("binary_cross_entropy"),
    "logitcrossentropy": _make_loss_builder("cross_entropy", "loss per entry"),
    "mae": _make_loss_builder("l1_loss"),
    "mse": _make_loss_builder("mse_loss"),
    "nll_loss": _make_loss_builder("nll_loss", "loss per entry"),
    "sparse_logitcrossentropy": _make_loss_builder(
        "cross_entropy", "loss per entry", renamed={"label_smoothing": "label_smoothing"}
    ),
    "triplet_margin_loss": _make_loss_builder("triplet_loss", "loss per entry"),
}


def _make_steps_builder(name: str, options: Callable[[Any], dict[str, Any]], *differences: str) -> Build:
    """Return a builder of ten steps of the optimizer of this name; `options` makes its options from luxport's rule."""

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


def _list_adam_options(rule: Any) -> dict[str, Any]:
    return {"betas": list(rule.beta), "eps": rule.epsilon}


def _build_ada_delta(rule: Any, x: Any, st: Any) -> Counterpart:
    import mlx.optimizers

    def call(x: Any, gradients: Any) -> Any:
        optimizer, reached = mlx.optimizers.AdaDelta(1.0, rule.rho, rule.epsilon), []
        for i in range(gradients.shape[0]):
            x = optimizer.apply_gradients({"x": gradients[i]}, {"x": x})["x"]
            reached.append(x)
        return tuple(reached)

    return Counterpart(call)


def _list_rms_prop_options(rule: Any) -> dict[str, Any]:
    if rule.centered:
        raise NoCounterpartError("centers nothing")
    return {"alpha": rule.rho, "eps": rule.epsilon}


_OUTSIDE = "learning rate outside the velocity"

OPTIMIZERS: dict[str, Build] = {
    "AdaDelta": _build_ada_delta,
    "AdaGrad": _make_steps_builder("Adagrad", lambda rule: {"eps": rule.epsilon}),
    "AdaMax": _make_steps_builder("Adamax", _list_adam_options, "moments not corrected"),
    "Adam": _make_steps_builder("Adam", lambda rule: {**_list_adam_options(rule), "bias_correction": True}),
    "AdamW": _make_steps_builder(
        "AdamW",
        lambda rule: {**_list_adam_options(rule), "bias_correction": True, "weight_decay": rule.lambda_},
        "decoupled decay times eta",
    ),
    "Descent": _make_steps_builder("SGD", lambda rule: {}),
    "Lion": _make_steps_builder("Lion", lambda rule: {"betas": list(rule.beta)}),
    "Momentum": _make_steps_builder("SGD", lambda rule: {"momentum": rule.rho}, _OUTSIDE),
    "Nesterov": _make_steps_builder("SGD", lambda rule: {"momentum": rule.rho, "nesterov": True}, _OUTSIDE),
    "RMSProp": _make_steps_builder("RMSprop", _list_rms_prop_options),
}


def _make_initializer(name: str, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    """Return a function that draws a weight (in, out) by MLX's initializer, which itself makes (out, in)."""

    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import mlx.core as mx
        import mlx.nn as nn

        mx.random.seed(seed)
        return np.asarray(getattr(nn.init, name)()(mx.zeros(shape[::-1]), **options)).T

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _make_initializer("glorot_normal"),
    "glorot_uniform": _make_initializer("glorot_uniform"),
    "kaiming_normal": _make_initializer("he_normal", gain=2.0**0.5),
    "kaiming_uniform": _make_initializer("he_uniform", gain=2.0**0.5),
    "lecun_normal": _make_initializer("he_normal"),
    "lecun_uniform": _make_initializer("he_uniform"),
    "orthogonal": _make_initializer("orthogonal"),
}
