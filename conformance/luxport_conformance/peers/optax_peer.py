"""Optax's losses, and its optimizers, compared over ten steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, Peer, rename_options

__all__ = ["OPTAX"]


def _make_loss_builder(name: str, **renamed: str) -> Build:
    """Return a builder of the mean of optax's loss of this name; `renamed` gives luxport's options its names."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import optax

        given = rename_options(options, renamed)
        return Counterpart(
            lambda x, ps: getattr(optax.losses, name)(x, *ps, **given).mean(), differences=("loss per entry",)
        )

    return build


def _build_ctc(options: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp
    import optax

    def call(x: Any, ps: Any) -> Any:
        labels, lengths, label_lengths = ps
        late = (jnp.arange(x.shape[1])[None] >= lengths[:, None]).astype(x.dtype)
        absent = (jnp.arange(labels.shape[1])[None] >= label_lengths[:, None]).astype(x.dtype)
        return optax.losses.ctc_loss(x, late, labels, absent, blank_id=x.shape[-1] - 1).mean()

    return Counterpart(call, differences=("loss per entry",))


def _build_kl(options: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp
    import optax

    return Counterpart(
        lambda x, ps: optax.losses.kl_divergence(jnp.log(x), ps[0]).mean(),
        differences=("logarithms for probabilities", "loss per entry"),
    )


def _build_absolute(options: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp

    return Counterpart(lambda x, ps: jnp.abs(x - ps[0]).mean())


def _make_steps_builder(make: Callable[[Any], Any], *differences: str) -> Build:
    """Return a builder of ten steps of the optimizer that `make` creates from luxport's rule."""

    def build(rule: Any, x: Any, st: Any) -> Counterpart:
        optimizer = make(rule)

        def call(x: Any, gradients: Any) -> Any:
            import optax

            state, reached = optimizer.init(x), []
            for gradient in gradients:
                updates, state = optimizer.update(gradient, state, x)
                x = optax.apply_updates(x, updates)
                reached.append(x)
            return tuple(reached)

        return Counterpart(call, differences=differences)

    return build


def _import_optax() -> Any:
    import optax

    return optax


def _make_adam(name: str) -> Callable[[Any], Any]:
    return lambda rule: getattr(_import_optax(), name)(rule.eta, *rule.beta, eps=rule.epsilon)


LOSSES: dict[str, Build] = {
    "cosine_similarity_loss": _make_loss_builder("cosine_distance"),
    "ctc_loss": _build_ctc,
    "hinge_loss": _make_loss_builder("hinge_loss"),
    "huber_loss": _make_loss_builder("huber_loss", delta="delta"),
    "kldivergence": _build_kl,
    "logitbinarycrossentropy": _make_loss_builder("sigmoid_binary_cross_entropy"),
    "logitcrossentropy": _make_loss_builder("softmax_cross_entropy"),
    "mae": _build_absolute,
    "mse": _make_loss_builder("squared_error"),
    "triplet_margin_loss": _make_loss_builder("triplet_margin_loss"),
    "sparse_logitcrossentropy": _make_loss_builder("softmax_cross_entropy_with_integer_labels"),
}

OPTIMIZERS: dict[str, Build] = {
    "AMSGrad": _make_steps_builder(_make_adam("amsgrad"), "corrected AMSGrad"),
    "AdaBelief": _make_steps_builder(_make_adam("adabelief")),
    "AdaDelta": _make_steps_builder(lambda rule: _import_optax().adadelta(1.0, rule.rho, rule.epsilon)),
    "AdaGrad": _make_steps_builder(
        lambda rule: _import_optax().adagrad(rule.eta, 0.0, rule.epsilon),
        "initial accumulator",
        "epsilon inside the root",
    ),
    "AdaMax": _make_steps_builder(_make_adam("adamax")),
    "Adam": _make_steps_builder(_make_adam("adam")),
    "AdamW": _make_steps_builder(
        lambda rule: _import_optax().adamw(rule.eta, *rule.beta, eps=rule.epsilon, weight_decay=rule.lambda_),
        "decoupled decay times eta",
    ),
    "Descent": _make_steps_builder(lambda rule: _import_optax().sgd(rule.eta)),
    "Lion": _make_steps_builder(lambda rule: _import_optax().lion(rule.eta, *rule.beta, weight_decay=0.0)),
    "Momentum": _make_steps_builder(
        lambda rule: _import_optax().sgd(rule.eta, rule.rho), "learning rate outside the velocity"
    ),
    "NAdam": _make_steps_builder(_make_adam("nadam")),
    "Nesterov": _make_steps_builder(
        lambda rule: _import_optax().sgd(rule.eta, rule.rho, nesterov=True), "learning rate outside the velocity"
    ),
    "OAdam": _make_steps_builder(
        lambda rule: _import_optax().optimistic_adam_v2(rule.eta, b1=rule.beta[0], b2=rule.beta[1])
    ),
    "RAdam": _make_steps_builder(_make_adam("radam"), "rectified above 5"),
    "RMSProp": _make_steps_builder(
        lambda rule: _import_optax().rmsprop(rule.eta, rule.rho, rule.epsilon, centered=rule.centered),
        "epsilon inside the root",
    ),
    "Rprop": _make_steps_builder(lambda rule: _import_optax().rprop(rule.eta, *rule.ell, *rule.gamma)),
}

OPTAX = Peer(
    name="optax", backend="jax", modules=("optax",), packages=("optax", "jax"), losses=LOSSES, optimizers=OPTIMIZERS
)
