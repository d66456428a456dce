"""Keras's own losses, optimizers by ten steps, and initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, absent, rename_options

__all__ = ["INITIALIZERS", "LOSSES", "OPTIMIZERS"]


def _loss(name: str, *differences: str, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Return the mean of a loss of this name, with luxport's options by their names there."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import keras

        given = fixed | rename_options(options, renamed)
        loss = getattr(keras.losses, name)
        return Counterpart(lambda x, ps: keras.ops.mean(loss(ps[0], x, **given)), differences=differences)

    return build


def _cosine(options: Any, x: Any, st: Any) -> Counterpart:
    import keras

    return Counterpart(
        lambda x, ps: keras.ops.mean(1.0 + keras.losses.cosine_similarity(ps[0], x)), "is the similarity with a minus"
    )


def _ctc(options: Any, x: Any, st: Any) -> Counterpart:
    import keras

    def call(x: Any, ps: Any) -> Any:
        labels, lengths, label_lengths = ps
        return keras.ops.mean(keras.ops.ctc_loss(labels, x, label_lengths, lengths, mask_index=x.shape[-1] - 1))

    return Counterpart(call, "is keras.ops.ctc_loss: keras.losses.CTC has the class 0 for a blank", ("loss per entry",))


_CLIPPED = "clipped probabilities"

LOSSES: dict[str, Build] = {
    "binary_focal_loss": _loss("binary_focal_crossentropy", _CLIPPED),
    "binarycrossentropy": _loss("binary_crossentropy", _CLIPPED),
    "cosine_similarity_loss": _cosine,
    "crossentropy": _loss("categorical_crossentropy", _CLIPPED, "probabilities made to add up"),
    "focal_loss": _loss("categorical_focal_crossentropy", _CLIPPED, "probabilities made to add up", alpha=1.0),
    "ctc_loss": _ctc,
    "dice_coeff_loss": absent("adds up predictions and targets, and not their squares"),
    "hinge_loss": _loss("hinge"),
    "huber_loss": _loss("huber", renamed={"delta": "delta"}),
    "kldivergence": _loss("kl_divergence", _CLIPPED),
    "logitbinarycrossentropy": _loss("binary_crossentropy", from_logits=True),
    "logitcrossentropy": _loss("categorical_crossentropy", from_logits=True),
    "mae": _loss("mean_absolute_error"),
    "mse": _loss("mean_squared_error"),
    "msle": _loss("mean_squared_logarithmic_error", "logarithms of 1 plus"),
    "poisson_loss": _loss("poisson"),
    "sparse_crossentropy": _loss("sparse_categorical_crossentropy", _CLIPPED, "probabilities made to add up"),
    "sparse_logitcrossentropy": _loss("sparse_categorical_crossentropy", from_logits=True),
    "squared_hinge_loss": _loss("squared_hinge"),
    "tversky_loss": absent("has no 1 above and below"),
}


def _stepped(name: str, options: Callable[[Any], dict[str, Any]], *differences: str) -> Build:
    """Return ten steps of an optimizer, with options that are made of luxport's rule."""

    def build(rule: Any, x: Any, st: Any) -> Counterpart:
        import keras

        optimizer, variable = getattr(keras.optimizers, name)(**options(rule)), keras.Variable(x)
        optimizer.build([variable])
        start = [held.value for held in optimizer.variables]

        def stateless(x: Any, gradients: Any) -> Any:
            held, reached = start, []
            for i in range(gradients.shape[0]):
                (x,), held = optimizer.stateless_apply(held, [gradients[i]], [x])
                reached.append(x)
            return tuple(reached)

        def in_place(x: Any, gradients: Any) -> Any:
            reached = []
            for i in range(gradients.shape[0]):
                optimizer.apply([gradients[i]], [variable])
                reached.append(keras.ops.copy(variable.value))
            return tuple(reached)

        compiled = keras.backend.backend() == "jax"
        return Counterpart(stateless if compiled else in_place, differences=differences)

    return build


def _adam_like(rule: Any) -> dict[str, Any]:
    return {"learning_rate": rule.eta, "beta_1": rule.beta[0], "beta_2": rule.beta[1], "epsilon": rule.epsilon}


def _rms_prop(rule: Any) -> dict[str, Any]:
    return {"learning_rate": rule.eta, "rho": rule.rho, "epsilon": rule.epsilon, "centered": rule.centered}


OPTIMIZERS: dict[str, Build] = {
    "AMSGrad": _stepped("Adam", lambda rule: {**_adam_like(rule), "amsgrad": True}, "epsilon hat", "corrected AMSGrad"),
    "AdaDelta": _stepped("Adadelta", lambda rule: {"learning_rate": 1.0, "rho": rule.rho, "epsilon": rule.epsilon}),
    "AdaGrad": _stepped(
        "Adagrad",
        lambda rule: {"learning_rate": rule.eta, "initial_accumulator_value": 0.0, "epsilon": rule.epsilon},
        "initial accumulator",
        "epsilon inside the root",
    ),
    "AdaMax": _stepped("Adamax", _adam_like),
    "Adam": _stepped("Adam", _adam_like, "epsilon hat"),
    "AdamW": _stepped(
        "AdamW",
        lambda rule: {**_adam_like(rule), "weight_decay": rule.lambda_},
        "epsilon hat",
        "decoupled decay times eta",
    ),
    "Descent": _stepped("SGD", lambda rule: {"learning_rate": rule.eta}),
    "Lion": _stepped("Lion", lambda rule: {"learning_rate": rule.eta, "beta_1": rule.beta[0], "beta_2": rule.beta[1]}),
    "Momentum": _stepped("SGD", lambda rule: {"learning_rate": rule.eta, "momentum": rule.rho}),
    "NAdam": _stepped("Nadam", _adam_like, "momentum on a schedule"),
    "Nesterov": _stepped("SGD", lambda rule: {"learning_rate": rule.eta, "momentum": rule.rho, "nesterov": True}),
    "RMSProp": _stepped("RMSprop", _rms_prop, "epsilon inside the root"),
}


def _drawn(name: str, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import keras

        return keras.ops.convert_to_numpy(getattr(keras.initializers, name)(**options, seed=seed)(shape))

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _drawn("GlorotNormal"),
    "glorot_uniform": _drawn("GlorotUniform"),
    "kaiming_normal": _drawn("HeNormal"),
    "kaiming_uniform": _drawn("HeUniform"),
    "lecun_normal": _drawn("LecunNormal"),
    "lecun_uniform": _drawn("LecunUniform"),
    "normal": _drawn("RandomNormal", stddev=1.0),
    "orthogonal": _drawn("Orthogonal"),
    "truncated_normal": _drawn("TruncatedNormal", stddev=1.0),
    "uniform": _drawn("RandomUniform", minval=0.0, maxval=1.0),
}
