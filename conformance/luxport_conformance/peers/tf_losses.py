"""The means of TensorFlow's own losses, which return a loss per sample or entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from luxport_conformance.peers.counterpart import Build, Counterpart, NoCounterpartError

__all__ = ["LOSSES"]


def _make_loss_builder(call: Callable[[Any, Any, Any], Any], *differences: str) -> Build:
    """Return a builder of the mean of ``call(tf, y_hat, targets)``, which returns a loss per sample or entry."""

    def build(options: Any, x: Any, st: Any) -> Counterpart:
        import tensorflow as tf

        if options:
            raise NoCounterpartError(f"has no {', '.join(sorted(options))}")
        return Counterpart(lambda x, ps: tf.reduce_mean(call(tf, x, ps)), differences=("loss per entry", *differences))

    return build


def _compute_ctc(tf: Any, x: Any, targets: Any) -> Any:
    labels, lengths, label_lengths = targets
    return tf.nn.ctc_loss(labels, x, label_lengths, lengths, logits_time_major=False, blank_index=x.shape[-1] - 1)


def _compute_poisson(tf: Any, x: Any, targets: Any) -> Any:
    return tf.nn.log_poisson_loss(targets[0], tf.math.log(x))


LOSSES: dict[str, Build] = {
    "ctc_loss": _make_loss_builder(_compute_ctc),
    "logitbinarycrossentropy": _make_loss_builder(lambda tf, x, y: tf.nn.sigmoid_cross_entropy_with_logits(y[0], x)),
    "logitcrossentropy": _make_loss_builder(lambda tf, x, y: tf.nn.softmax_cross_entropy_with_logits(y[0], x)),
    "mse": _make_loss_builder(
        lambda tf, x, y: 2.0 * tf.nn.l2_loss(x - y[0]) / float(tf.size(x)), "half a sum of squares"
    ),
    "poisson_loss": _make_loss_builder(_compute_poisson, "logarithms for probabilities"),
    "sparse_logitcrossentropy": _make_loss_builder(
        lambda tf, x, y: tf.nn.sparse_softmax_cross_entropy_with_logits(y[0], x)
    ),
}
