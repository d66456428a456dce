"""Keras's own losses, optimizers (compared over ten steps), and initializers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, refuse, rename_options

__all__ = ["INITIALIZERS", "LOSSES", "OPTIMIZERS"]


def _make_loss_builder(name: str, *differences: str, renamed: dict[str, str] | None = None, **fixed: Any) -> Build:
    """Return a builder of the mean of Keras's loss of this name; `renamed` gives luxport's options Keras's names."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import keras

        given = fixed | rename_options(options, renamed)
        loss = getattr(keras.losses, name)
        return Counterpart(lambda x, ps: keras.ops.mean(loss(ps[0], x, **given)), differences=differences)

    return build


def _build_cosine(options: Any, x: Any, st: Any) -> Counterpart:
    import keras

    return Counterpart(
        lambda x, ps: keras.ops.mean(1.0 + keras.losses.cosine_similarity(ps[0], x)), "is the similarity with a minus"
    )


def _build_ctc(options: Any, x: Any, st: Any) -> Counterpart:
    import keras

    def call(x: Any, ps: Any) -> Any:
        labels, lengths, label_lengths = ps
        return keras.ops.mean(keras.ops.ctc_loss(labels, x, label_lengths, lengths, mask_index=x.shape[-1] - 1))

    return Counterpart(call, "is keras.ops.ctc_loss: keras.losses.CTC has the class 0 for a blank", ("loss per entry",))


_CLIPPED = "clipped probabilities"

LOSSES: dict[str, Build] = {
    "binary_focal_loss": _make_loss_builder("binary_focal_crossentropy", _CLIPPED),
    "binarycrossentropy": _make_loss_builder("binary_crossentropy", _CLIPPED),
    "cosine_similarity_loss": _build_cosine,
    "crossentropy": _make_loss_builder("categorical_crossentropy", _CLIPPED, "probabilities made to add up"),
    "focal_loss": _make_loss_builder(
        "categorical_focal_crossentropy", _CLIPPED, "probabilities made to add up", alpha=1.0
    ),
    "ctc_loss": _build_ctc,
    "dice_coeff_loss": refuse("adds up predictions and targets, and not their squares"),
    "hinge_loss": _make_loss_builder("hinge"),
    "huber_loss": _make_loss_builder("huber", renamed={"delta": "delta"}),
    "kldivergence": _make_loss_builder("kl_divergence", _CLIPPED),
    "logitbinarycrossentropy": _make_loss_builder("binary_crossentropy", from_logits=True),
    "logitcrossentropy": _make_loss_builder("categorical_crossentropy", from_logits=True),
    "mae": _make_loss_builder("mean_absolute_error"),
    "mse": _make_loss_builder("mean_squared_error"),
    "msle": _make_loss_builder("mean_squared_logarithmic_error", "logarithms of 1 plus"),
    "poisson_loss": _make_loss_builder("poisson"),
    "sparse_crossentropy": _make_loss_builder(
        "sparse_categorical_crossentropy", _CLIPPED, "probabilities made to add up"
    ),
    "sparse_logitcrossentropy": _make_loss_builder("sparse_categorical_crossentropy", from_logits=True),
    "squared_hinge_loss": _make_loss_builder("squared_hinge"),
    "tversky_loss": refuse("has no 1 above and below"),
}


def _make_steps_builder(name: str, options: Callable[[Any], dict[str, Any]], *differences: str) -> Build:
    """Return a builder of ten steps of the optimizer of this name; `options` makes its options from luxport's rule."""

    def build(rule: Any, x: Any, st: Any) -> Counterpart:
        import keras

        optimizer, variable = getattr(keras.optimizers, name)(**options(rule)), keras.Variable(x)
        optimizer.build([variable])
        start = [held.value for held in optimizer.variables]

        def step_stateless(x: Any, gradients: Any) -> Any:
            held, reached = start, []
            for i in range(gradients.shape[0]):
                (x,), held = optimizer.stateless_apply(held, [gradients[i]], [x])
                reached.append(x)
            return tuple(reached)

        def step_in_place(x: Any, gradients: Any) -> Any:
            reached = []
            for i in range(gradients.shape[0]):
                optimizer.apply([gradients[i]], [variable])
                reached.append(keras.ops.copy(variable.value))
            return tuple(reached)

        compiled = keras.backend.backend() == "jax"
        return Counterpart(step_stateless if compiled else step_in_place, differences=differences)

    return build


def _list_adam_options(rule: Any) -> dict[str, Any]:
    return {"learning_rate": rule.eta, "beta_1": rule.beta[0], "beta_2": rule.beta[1], "epsilon": rule.epsilon}


def _list_rms_prop_options(rule: Any) -> dict[str, Any]:
    return {"learning_rate": rule.eta, "rho": rule.rho, "epsilon": rule.epsilon, "centered": rule.centered}


OPTIMIZERS: dict[str, Build] = {
    "AMSGrad": _make_steps_builder(
        "Adam", lambda rule: {**_list_adam_options(rule), "amsgrad": True}, "epsilon hat", "corrected AMSGrad"
    ),
    "AdaDelta": _make_steps_builder(
        "Adadelta", lambda rule: {"learning_rate": 1.0, "rho": rule.rho, "epsilon": rule.epsilon}
    ),
    "AdaGrad": _make_steps_builder(
        "Adagrad",
        lambda rule: {"learning_rate": rule.eta, "initial_accumulator_value": 0.0, "epsilon": rule.epsilon},
        "initial accumulator",
        "epsilon inside the root",
    ),
    "AdaMax": _make_steps_builder("Adamax", _list_adam_options),
    "Adam": _make_steps_builder("Adam", _list_adam_options, "epsilon hat"),
    "AdamW": _make_steps_builder(
        "AdamW",
        lambda rule: {**_list_adam_options(rule), "weight_decay": rule.lambda_},
        "epsilon hat",
        "decoupled decay times eta",
    ),
    "Descent": _make_steps_builder("SGD", lambda rule: {"learning_rate": rule.eta}),
    "Lion": _make_steps_builder(
        "Lion", lambda rule: {"learning_rate": rule.eta, "beta_1": rule.beta[0], "beta_2": rule.beta[1]}
    ),
    "Momentum": _make_steps_builder("SGD", lambda rule: {"learning_rate": rule.eta, "momentum": rule.rho}),
    "NAdam": _make_steps_builder("Nadam", _list_adam_options, "momentum on a schedule"),
    "Nesterov": _make_steps_builder(
        "SGD", lambda rule: {"learning_rate": rule.eta, "momentum": rule.rho, "nesterov": True}
    ),
    "RMSProp": _make_steps_builder("RMSprop", _list_rms_prop_options, "epsilon inside the root"),
}


def _make_initializer(name: str, **options: Any) -> Callable[[tuple[int, ...], int], Any]:
    def draw(shape: tuple[int, ...], seed: int) -> Any:
        import keras

        return keras.ops.convert_to_numpy(getattr(keras.initializers, name)(**options, seed=seed)(shape))

    return draw


INITIALIZERS: dict[str, Callable[[tuple[int, ...], int], Any]] = {
    "glorot_normal": _make_initializer("GlorotNormal"),
    "glorot_uniform": _make_initializer("GlorotUniform"),
    "kaiming_normal": _make_initializer("HeNormal"),
    "kaiming_uniform": _make_initializer("HeUniform"),
    "lecun_normal": _make_initializer("LecunNormal"),
    "lecun_uniform": _make_initializer("LecunUniform"),
    "normal": _make_initializer("RandomNormal", stddev=1.0),
    "orthogonal": _make_initializer("Orthogonal"),
    "truncated_normal": _make_initializer("TruncatedNormal", stddev=1.0),
    "uniform": _make_initializer("RandomUniform", minval=0.0, maxval=1.0),
}
