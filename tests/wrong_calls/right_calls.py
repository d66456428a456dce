"""Right calls of every operation, loss and function of labels, from which wrong ones are derived."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from luxport import losses, ops, training
from luxport_conformance.operation_examples import OPERATIONS
from luxport_conformance.operation_examples.example import draw

__all__ = ["RightCall", "list_right_calls"]

NO_FUNCTIONS = ("Activation", "definition_of", "operation")
"""Public names of `luxport.ops` that take no arrays."""


@dataclass(frozen=True)
class RightCall:
    """A function with its name, arrays on the host, and options that it accepts."""

    name: str
    function: Callable[..., Any]
    arrays: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, inspect.Parameter] = field(default_factory=dict)


def list_right_calls() -> Iterator[RightCall]:
    """Yield one or two right calls of each function."""
    for name in ops.__all__:
        if name in NO_FUNCTIONS:
            continue
        definition = getattr(getattr(ops, name), "definition", None)
        known = OPERATIONS.get(name) or OPERATIONS.get(getattr(definition, "__name__", ""), ())
        examples = [(example.arrays, example.options) for example in known[:2]]
        for arrays, options in [_OTHER_OPERATIONS[name]] if name in _OTHER_OPERATIONS else examples:
            yield _make_call(name, getattr(ops, name), arrays, options)
    for name in losses.__all__:
        if name in ("Aggregation", "Loss"):
            continue
        value = getattr(losses, name)
        arrays, options = _LOSSES.get(name, (_NUMBERS, {}))
        if isinstance(value, type):
            yield _make_loss_call(name, value, arrays, options)
        else:
            yield _make_call(f"losses.{name}" if name in ops.__all__ else name, value, arrays, options)
    for name, (arrays, options) in _LABELS.items():
        yield _make_call(name, getattr(training, name), arrays, options)


def _make_call(name: str, function: Any, arrays: tuple[Any, ...], options: Mapping[str, Any]) -> RightCall:
    return RightCall(name, function, arrays, options, inspect.signature(function).parameters)


def _make_loss_call(name: str, kind: Any, arrays: tuple[Any, ...], options: Mapping[str, Any]) -> RightCall:
    """Return a call that builds a loss and calls it."""
    parameters = inspect.signature(kind).parameters
    return RightCall(name, lambda *arrays, **options: kind(**options)(*arrays), arrays, options, parameters)


def _softmax(x: Any) -> Any:
    powers = np.exp(x)
    return powers / powers.sum(axis=-1, keepdims=True)


_X = draw(4, 3)
_PROBABILITIES = _softmax(_X)
_SIGMOIDS = 1 / (1 + np.exp(-_X))
_HOT = np.eye(3)[[0, 2, 1, 2]]
_CLASSES = np.array([0, 2, 1, 2], np.int32)
_NUMBERS = (_X, draw(4, 3, seed=4))

_OTHER_OPERATIONS: Mapping[str, tuple[tuple[Any, ...], Mapping[str, Any]]] = {
    "batched_adjoint": ((draw(2, 3, 4),), {}),
    "batched_transpose": ((draw(2, 3, 4),), {}),
    "compute_rotary_embedding_params": ((), {"dims": 8, "max_sequence_length": 6}),
    "hamming_window": ((), {"length": 6}),
    "hann_window": ((), {"length": 6}),
    "identity": ((_X,), {}),
    "make_causal_mask": ((draw(2, 5, 3),), {}),
    "melscale_filterbanks": ((), {"n_freqs": 20, "n_mels": 4, "sample_rate": 800}),
    "multigate": ((_X, 3), {}),
    "observe": ((_X,), {"forward": lambda x: None}),
    "pad_zeros": ((draw(2, 3, 4),), {"padding": 1}),
    "stop_gradient": ((_X,), {}),
    "upsample_bilinear": ((draw(1, 2, 3, 4),), {"scale": 2}),
    "upsample_trilinear": ((draw(1, 2, 3, 2, 2),), {"scale": 2}),
}
"""Functions without examples, and one whose example reads its values."""

_LOSSES: Mapping[str, tuple[tuple[Any, ...], Mapping[str, Any]]] = {
    **{name: ((_PROBABILITIES, _HOT), {}) for name in ("crossentropy", "focal_loss", "CrossEntropyLoss", "FocalLoss")},
    **{name: ((_PROBABILITIES, _PROBABILITIES[::-1]), {}) for name in ("kldivergence", "KLDivergenceLoss")},
    **{name: ((_SIGMOIDS, _HOT), {}) for name in ("binarycrossentropy", "binary_focal_loss", "dice_coeff_loss")},
    **{name: ((_SIGMOIDS, _HOT), {}) for name in ("BinaryCrossEntropyLoss", "BinaryFocalLoss", "DiceCoeffLoss")},
    **{name: ((_SIGMOIDS, _HOT), {}) for name in ("tversky_loss", "SiameseContrastiveLoss", "msle", "MSLELoss")},
    **{name: ((_SIGMOIDS, _HOT), {}) for name in ("poisson_loss", "PoissonLoss", "siamese_contrastive_loss")},
    **{name: ((_X, _HOT), {}) for name in ("logitcrossentropy", "logitbinarycrossentropy")},
    **{name: ((_PROBABILITIES, _CLASSES), {}) for name in ("sparse_crossentropy", "SparseCrossEntropyLoss")},
    **{name: ((np.log(_PROBABILITIES), _CLASSES), {}) for name in ("nll_loss", "sparse_logitcrossentropy")},
    "GenericLossFunction": (_NUMBERS, {"loss_fn": lambda y_hat, y: (y_hat - y) * (y_hat - y)}),
    "ctc_loss": ((draw(2, 6, 4), np.array([[0, 1], [1, 2]], np.int32)), {}),
    "gaussian_nll": ((*_NUMBERS, np.abs(_X) + 0.1), {}),
    "label_smoothing": ((_HOT,), {"alpha": 0.1}),
    "triplet_margin_loss": ((*_NUMBERS, draw(4, 3, seed=5)), {}),
}

_LABELS: Mapping[str, tuple[tuple[Any, ...], Mapping[str, Any]]] = {
    "accuracy": ((_X, _CLASSES), {}),
    "confusion_matrix": ((_X, _CLASSES), {}),
    "onecold": ((_X,), {"labels": ["a", "b", "c"]}),
    "onehot": ((), {"label": 1, "labels": 3}),
    "onehotbatch": ((_CLASSES,), {"labels": 3}),
}
