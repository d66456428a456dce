"""Optax: losses, and optimizers by ten steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, Peer, rename_options

__all__ = ["OPTAX"]


def _mean(name: str, **renamed: str) -> Build:
    """Return the mean of a loss per entry or sample of optax, with luxport's options by their names there."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import optax

        given = rename_options(options, renamed)
        return Counterpart(
            lambda x, ps: getattr(optax.losses, name)(x, *ps, **given).mean(),
            differences=("loss per entry",),
        )

    return build


def _ctc(options: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp
    import optax

    def call(x: Any, ps: Any) -> Any:
        labels, lengths, label_lengths = ps
        late = (jnp.arange(x.shape[1])[None] >= lengths[:, None]).astype(x.dtype)
        absent = (jnp.arange(labels.shape[1])[None] >= label_lengths[:, None]).astype(x.dtype)
        return optax.losses.ctc_loss(x, late, labels, absent, blank_id=x.shape[-1] - 1).mean()

    return Counterpart(call, differences=("loss per entry",))


def _kl(options: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp
    import optax

    return Counterpart(
        lambda x, ps: optax.losses.kl_divergence(jnp.log(x), ps[0]).mean(),
        differences=("logarithms for probabilities", "loss per entry"),
    )


def _absolute(options: Any, x: Any, st: Any) -> Counterpart:
    import jax.numpy as jnp

    return Counterpart(lambda x, ps: jnp.abs(x - ps[0]).mean())


def _stepped(make: Callable[[Any], Any], *differences: str) -> Build:
    """Return ten steps of an optimizer that is made of luxport's rule."""

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


def _optax() -> Any:
    import optax

    return optax


def _adam_like(name: str) -> Callable[[Any], Any]:
    return lambda rule: getattr(_optax(), name)(rule.eta, *rule.beta, eps=rule.epsilon)


LOSSES: dict[str, Build] = {
    "cosine_similarity_loss": _mean("cosine_distance"),
    "ctc_loss": _ctc,
    "hinge_loss": _mean("hinge_loss"),
    "huber_loss": _mean("huber_loss", delta="delta"),
    "kldivergence": _kl,
    "logitbinarycrossentropy": _mean("sigmoid_binary_cross_entropy"),
    "logitcrossentropy": _mean("softmax_cross_entropy"),
    "mae": _absolute,
    "mse": _mean("squared_error"),
    "triplet_margin_loss": _mean("triplet_margin_loss"),
    "sparse_logitcrossentropy": _mean("softmax_cross_entropy_with_integer_labels"),
}

OPTIMIZERS: dict[str, Build] = {
    "AMSGrad": _stepped(_adam_like("amsgrad"), "corrected AMSGrad"),
    "AdaBelief": _stepped(_adam_like("adabelief")),
    "AdaDelta": _stepped(lambda rule: _optax().adadelta(1.0, rule.rho, rule.epsilon)),
    "AdaGrad": _stepped(
        lambda rule: _optax().adagrad(rule.eta, 0.0, rule.epsilon), "initial accumulator", "epsilon inside the root"
    ),
    "AdaMax": _stepped(_adam_like("adamax")),
    "Adam": _stepped(_adam_like("adam")),
    "AdamW": _stepped(
        lambda rule: _optax().adamw(rule.eta, *rule.beta, eps=rule.epsilon, weight_decay=rule.lambda_),
        "decoupled decay times eta",
    ),
    "Descent": _stepped(lambda rule: _optax().sgd(rule.eta)),
    "Lion": _stepped(lambda rule: _optax().lion(rule.eta, *rule.beta, weight_decay=0.0)),
    "Momentum": _stepped(lambda rule: _optax().sgd(rule.eta, rule.rho), "learning rate outside the velocity"),
    "NAdam": _stepped(_adam_like("nadam")),
    "Nesterov": _stepped(
        lambda rule: _optax().sgd(rule.eta, rule.rho, nesterov=True), "learning rate outside the velocity"
    ),
    "OAdam": _stepped(lambda rule: _optax().optimistic_adam_v2(rule.eta, b1=rule.beta[0], b2=rule.beta[1])),
    "RAdam": _stepped(_adam_like("radam"), "rectified above 5"),
    "RMSProp": _stepped(
        lambda rule: _optax().rmsprop(rule.eta, rule.rho, rule.epsilon, centered=rule.centered),
        "epsilon inside the root",
    ),
    "Rprop": _stepped(lambda rule: _optax().rprop(rule.eta, *rule.ell, *rule.gamma)),
}

OPTAX = Peer(
    name="optax",
    backend="jax",
    modules=("optax",),
    packages=("optax", "jax"),
    losses=LOSSES,
    optimizers=OPTIMIZERS,
)
