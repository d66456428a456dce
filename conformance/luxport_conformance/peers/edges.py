"""Examples on which peers are compared: layers at extreme inputs (`EDGES`), losses, rules and initializers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport import initializers, optimizers
from luxport.layers._windows import SamePad
from luxport_conformance.examples.example import Example, Flags, Indices

__all__ = ["EDGES", "FAR_OUT", "INITIALIZERS", "LOSSES", "RULES", "Edge"]


@dataclass(frozen=True)
class Edge:
    """An extreme input of a layer: `what` describes it, and `change` makes it from the input that is drawn."""

    what: str
    layer: Any
    x: Any
    change: Callable[[Any], Any] = lambda x: x

    def make_example(self) -> Example:
        """Return the example with the layer and the input's shape."""
        return Example(layer=self.layer, x=self.x)


def _add_infinities(x: Any) -> Any:
    x = x.copy()
    x.flat[0], x.flat[x.size // 2] = np.inf, -np.inf
    return x


def _hide_all_keys_of_one(x: Any) -> Any:
    *inputs, mask = x
    mask = np.ones_like(mask)
    mask[0, :, 1, :] = False
    return (*inputs, mask)


def _leave_one_key(x: Any) -> Any:
    *inputs, mask = x
    mask = mask.copy()
    mask[..., 0] = True
    return (*inputs, mask)


def _lengthen(x: Any) -> Any:
    return (x[0], x[1] + 1, *x[2:])


def _fill_with_3(x: Any) -> Any:
    return np.full_like(x, 3.0)


def _add_3000(x: Any) -> Any:
    return x + np.float32(3000.0)


_CONV, _POOLS = luxport.Conv, (luxport.MaxPool, luxport.MeanPool)

EDGES: Mapping[str, tuple[Edge, ...]] = {
    "Dense": (
        Edge("empty batch", luxport.Dense(3, 2), (0, 3)),
        Edge("one element", luxport.Dense(1, 1), (1, 1)),
        Edge("infinities", luxport.Dense(2, 1), (2, 2), lambda x: np.array([[np.inf, 1.0], [1.0, 2.0]], np.float32)),
    ),
    "Conv": (
        Edge("empty batch", _CONV((2, 2), 1, 2), (0, 1, 3, 3)),
        Edge("one element", _CONV((1,), 1, 1), (1, 1, 1)),
        Edge("kernel as large as the input", _CONV((3, 4), 2, 2), (2, 2, 3, 4)),
        Edge("stride beyond the kernel", _CONV((2, 2), 2, 2, stride=3), (2, 2, 8, 7)),
        Edge("odd SamePad", _CONV((4, 2), 2, 2, padding=SamePad()), (2, 2, 5, 5)),
        Edge("odd SamePad with a stride", _CONV((4,), 2, 2, padding=SamePad(), stride=2), (2, 2, 7)),
        Edge("groups", _CONV((3,), 4, 6, groups=2), (2, 4, 5)),
        Edge("dilation", _CONV((3, 2), 2, 2, dilation=(1, 3)), (2, 2, 6, 7)),
        Edge("infinities", _CONV((2,), 1, 1), (2, 1, 4), _add_infinities),
    ),
    "ConvTranspose": (
        Edge("empty batch", luxport.ConvTranspose((2, 2), 1, 2), (0, 1, 3, 3)),
        Edge("one element", luxport.ConvTranspose((1,), 1, 1), (1, 1, 1)),
        Edge("odd SamePad", luxport.ConvTranspose((4,), 2, 2, padding=SamePad()), (2, 2, 5)),
        Edge("stride beyond the kernel", luxport.ConvTranspose((2, 2), 2, 2, stride=3), (2, 2, 3, 2)),
        Edge("groups", luxport.ConvTranspose((3,), 4, 6, groups=2), (2, 4, 5)),
        Edge("dilation", luxport.ConvTranspose((3,), 2, 2, dilation=2), (2, 2, 5)),
    ),
    **{
        pool.__name__: (
            Edge("empty batch", pool((2, 2)), (0, 1, 4, 4)),
            Edge("one element", pool((1,)), (1, 1, 1)),
            Edge("kernel as large as the input", pool((3, 4)), (2, 2, 3, 4)),
            Edge("stride beyond the kernel", pool((2, 2), stride=3), (2, 2, 8, 7)),
            Edge("odd SamePad", pool((2, 2), stride=1, padding=SamePad()), (2, 2, 5, 5)),
            Edge("infinities", pool((2,)), (2, 2, 4), _add_infinities),
        )
        for pool in _POOLS
    },
    "BatchNorm": (
        Edge("empty batch", luxport.BatchNorm(3), (0, 3)),
        Edge("infinities", luxport.BatchNorm(2), (2, 2, 3), _add_infinities),
        Edge("a mean of 3000", luxport.BatchNorm(2), (4, 2, 3), _add_3000),
    ),
    "LayerNorm": (
        Edge("empty batch", luxport.LayerNorm(4), (0, 4)),
        Edge("one element", luxport.LayerNorm(1), (2, 1)),
        Edge("all entries equal", luxport.LayerNorm(4), (2, 4), _fill_with_3),
        Edge("infinities", luxport.LayerNorm(4), (2, 4), _add_infinities),
        Edge("a mean of 3000", luxport.LayerNorm(6), (3, 6), _add_3000),
    ),
    "GroupNorm": (
        Edge("empty batch", luxport.GroupNorm(4, 2), (0, 4, 3)),
        Edge("one element", luxport.GroupNorm(2, 2), (2, 2)),
        Edge("all entries equal", luxport.GroupNorm(4, 2), (2, 4, 3), _fill_with_3),
        Edge("a mean of 3000", luxport.GroupNorm(4, 2), (2, 4, 3), _add_3000),
    ),
    "InstanceNorm": (
        Edge("empty batch", luxport.InstanceNorm(2), (0, 2, 3)),
        Edge("all entries equal", luxport.InstanceNorm(2), (2, 2, 3), _fill_with_3),
        Edge("a mean of 3000", luxport.InstanceNorm(2), (2, 2, 5), _add_3000),
    ),
    "RMSNorm": (
        Edge("empty batch", luxport.RMSNorm(4), (0, 4)),
        Edge("all entries 0", luxport.RMSNorm(4), (2, 4), np.zeros_like),
        Edge("infinities", luxport.RMSNorm(4), (2, 4), _add_infinities),
    ),
    "Embedding": (Edge("empty batch", luxport.Embedding(4, 3), Indices((0, 2), 4)),),
    **{
        pool.__name__: (Edge("empty batch", pool(), (0, 1, 2, 2)), Edge("one element", pool(), (1, 1, 1, 1)))
        for pool in (luxport.GlobalMaxPool, luxport.GlobalMeanPool)
    },
    "DepthwiseConv": (
        Edge("empty batch", luxport.DepthwiseConv((2, 2), 2, 2), (0, 2, 3, 3)),
        Edge("kernel as large as the input", luxport.DepthwiseConv((3, 3), 2, 2), (2, 2, 3, 3)),
        Edge("stride beyond the kernel", luxport.DepthwiseConv((2, 2), 2, 2, stride=3), (2, 2, 8, 7)),
        Edge("dilation", luxport.DepthwiseConv((2, 2), 2, 2, dilation=2), (2, 2, 5, 5)),
        Edge("odd SamePad", luxport.DepthwiseConv((4, 2), 2, 4, padding=SamePad()), (2, 2, 5, 5)),
    ),
    "Upsample": (Edge("empty batch", luxport.Upsample(2), (0, 2, 3, 3)),),
    "MultiHeadAttention": (
        Edge("empty batch", luxport.MultiHeadAttention(4, nheads=2, return_scores=False), (0, 3, 4)),
        Edge("one element", luxport.MultiHeadAttention(2, nheads=1, return_scores=False), (1, 1, 2)),
        Edge(
            "mask",
            luxport.MultiHeadAttention(4, nheads=2, return_scores=False),
            ((2, 3, 4), (2, 3, 4), (2, 3, 4), Flags((2, 1, 3, 3))),
            _leave_one_key,
        ),
        Edge(
            "fully masked row",
            luxport.MultiHeadAttention(4, nheads=2, return_scores=False),
            ((2, 3, 4), (2, 3, 4), (2, 3, 4), Flags((2, 1, 3, 3))),
            _hide_all_keys_of_one,
        ),
    ),
    **{
        kind.__name__: (
            Edge("empty batch", kind(3, 2), (0, 4, 3)),
            Edge("one step", kind(3, 2), (2, 1, 3)),
            Edge("initial state", kind(3, 2, return_state=True), ((2, 3, 3), ((2, 2),) * count)),
            Edge("lengths", kind(3, 2, masked=True), ((3, 4, 3), Indices((3,), 4)), _lengthen),
            Edge("flags", kind(3, 2, masked=True), ((3, 4, 3), Flags((3, 4)))),
            Edge(
                "lengths and an initial state",
                kind(3, 2, masked=True, return_state=True),
                ((3, 4, 3), Indices((3,), 4), ((3, 2),) * count),
                _lengthen,
            ),
            Edge("bidirectional", kind(3, 2, bidirectional=True), (2, 4, 3)),
            Edge(
                "bidirectional with lengths",
                kind(3, 2, bidirectional=True, masked=True),
                ((3, 4, 3), Indices((3,), 4)),
                _lengthen,
            ),
        )
        for kind, count in ((luxport.RNN, 1), (luxport.LSTM, 2), (luxport.GRU, 1))
    },
    **{
        kind.__name__: (
            Edge("empty batch", kind(3, 2), (0, 3)),
            Edge("initial state", kind(3, 2), ((2, 3), ((2, 2),) * count)),
            *([Edge("relu", luxport.RNNCell(3, 2, luxport.relu), (2, 3))] if kind is luxport.RNNCell else []),
        )
        for kind, count in ((luxport.RNNCell, 1), (luxport.LSTMCell, 2), (luxport.GRUCell, 1))
    },
    "Recurrence": (
        Edge("relu", luxport.Recurrence(luxport.RNNCell(3, 2, luxport.relu)), (2, 4, 3)),
        Edge("last output", luxport.Recurrence(luxport.GRUCell(3, 2)), (2, 4, 3)),
        Edge(
            "lengths",
            luxport.Recurrence(luxport.LSTMCell(3, 2), masked=True, return_state=True),
            ((3, 4, 3), Indices((3,), 4)),
            _lengthen,
        ),
    ),
    "BidirectionalRNN": (
        Edge("empty batch", luxport.BidirectionalRNN(luxport.GRUCell(3, 2)), (0, 4, 3)),
        Edge("no mask", luxport.BidirectionalRNN(luxport.LSTMCell(3, 2), luxport.RNNCell(3, 2)), (2, 4, 3)),
        Edge(
            "lengths",
            luxport.BidirectionalRNN(luxport.GRUCell(3, 2), masked=True),
            ((3, 4, 3), Indices((3,), 4)),
            _lengthen,
        ),
    ),
    "TransformerEncoderLayer": (
        Edge("empty batch", luxport.TransformerEncoderLayer(4, 6, luxport.relu, nheads=2), (0, 3, 4)),
        Edge("no mask", luxport.TransformerEncoderLayer(4, 6, luxport.relu, nheads=2, norm_first=True), (2, 3, 4)),
        Edge("causal", luxport.TransformerEncoderLayer(4, 6, luxport.relu, nheads=2, is_causal=True), (2, 3, 4)),
        Edge(
            "fully masked row",
            luxport.TransformerEncoderLayer(4, 6, luxport.relu, nheads=2),
            ((2, 3, 4), Flags((2, 1, 3, 3))),
            _hide_all_keys_of_one,
        ),
    ),
    "TransformerDecoderLayer": (
        Edge("empty batch", luxport.TransformerDecoderLayer(4, 6, luxport.relu, nheads=2), ((0, 3, 4), (0, 2, 4))),
        Edge(
            "mask",
            luxport.TransformerDecoderLayer(4, 6, luxport.relu, nheads=2),
            ((2, 3, 4), (2, 5, 4), Flags((2, 1, 3, 3))),
            _leave_one_key,
        ),
    ),
    "PReLU": (
        Edge("empty batch", luxport.PReLU(3), (0, 3, 2)),
        Edge("infinities", luxport.PReLU(), (2, 3), _add_infinities),
    ),
    "WeightNorm": (Edge("empty batch", luxport.WeightNorm(luxport.Dense(3, 2)), (0, 3)),),
    "SpectralNorm": (Edge("empty batch", luxport.SpectralNorm(luxport.Dense(3, 2)), (0, 3)),),
    "EmbeddingBag": (Edge("empty batch", luxport.EmbeddingBag(4, 3), Indices((0, 2), 4)),),
    "PixelShuffle": (Edge("empty batch", luxport.PixelShuffle(2), (0, 4, 2, 3)),),
    **{
        pool.__name__: (
            Edge("empty batch", pool((2,)), (0, 2, 4)),
            Edge("infinities", pool((1, 2)), (1, 2, 3, 4), _add_infinities),
        )
        for pool in (luxport.AdaptiveMaxPool, luxport.AdaptiveMeanPool)
    },
}

FAR_OUT = np.array([-np.inf, -1e4, -60.0, -0.0, 0.0, 1e-6, 60.0, 1e4, np.inf, np.nan])
"""Numbers, some very large or infinite, at which activation functions are compared in addition to their examples."""

_draw = np.random.Generator(np.random.Philox(5))
_logits, _targets = _draw.normal(size=(4, 5)), _draw.normal(size=(4, 5))
_probabilities, _wanted = (np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in (_logits, _targets))
_one_hot = np.eye(5)[[0, 3, 1, 4]]
_smoothed = 0.9 * _one_hot + 0.1 / 5
_flags = (_targets > 0).astype(float)
_indices = np.array([0, 3, 1, 4], np.int32)
_signs = np.sign(_targets)

LOSSES: Mapping[str, tuple[tuple[Any, tuple[Any, ...], dict[str, Any]], ...]] = {
    "binary_focal_loss": ((1 / (1 + np.exp(-_logits)), (_flags,), {}),),
    "binarycrossentropy": ((1 / (1 + np.exp(-_logits)), (_flags,), {}),),
    "cosine_similarity_loss": ((_logits, (_targets,), {}),),
    "crossentropy": ((_probabilities, (_one_hot,), {}),),
    "ctc_loss": (
        (
            _draw.normal(size=(2, 6, 5)),
            (np.array([[1, 2, 2], [3, 0, 1]], np.int32), np.array([6, 5], np.int32), np.array([3, 2], np.int32)),
            {},
        ),
    ),
    "dice_coeff_loss": ((1 / (1 + np.exp(-_logits)), (_flags,), {}),),
    "focal_loss": ((_probabilities, (_one_hot,), {}),),
    "gaussian_nll": ((_logits, (_targets, _probabilities + 0.1), {}),),
    "hinge_loss": ((_logits, (_signs,), {}),),
    "huber_loss": ((_logits, (_targets,), {}), (_logits, (_targets,), {"delta": 0.5})),
    "kldivergence": ((_probabilities, (_wanted,), {}),),
    "logitbinarycrossentropy": ((_logits, (_flags,), {}), (100.0 * _logits, (_flags,), {})),
    "logitcrossentropy": (
        (_logits, (_one_hot,), {}),
        (100.0 * _logits, (_one_hot,), {}),
        (_logits, (_smoothed,), {}),  # one-hot labels after luxport's label_smoothing
    ),
    "mae": ((_logits, (_targets,), {}),),
    "mse": ((_logits, (_targets,), {}),),
    "msle": ((_probabilities, (_wanted,), {}),),
    "nll_loss": ((np.log(_probabilities), (_indices,), {}),),
    "poisson_loss": ((_probabilities + 0.1, (_wanted,), {}),),
    "siamese_contrastive_loss": ((_probabilities, (_flags,), {}),),
    "sparse_crossentropy": ((_probabilities, (_indices,), {}),),
    "sparse_logitcrossentropy": (
        (_logits, (_indices,), {}),
        (_logits, (_indices,), {"label_smoothing": 0.1}),
        (_logits, (_indices,), {"ignore_index": 3}),
        (_logits, (_indices,), {"class_weights": (1.0, 2.0, 0.5, 1.5, 1.0)}),
    ),
    "squared_hinge_loss": ((_logits, (_signs,), {}),),
    "triplet_margin_loss": ((_logits, (_targets, _logits[::-1].copy()), {}),),
    "tversky_loss": ((1 / (1 + np.exp(-_logits)), (_flags,), {}),),
}
"""Predictions, targets and options of losses, by the losses' names."""

RULES: Mapping[str, tuple[Any, ...]] = {
    "AMSGrad": (optimizers.AMSGrad(0.01),),
    "AdaBelief": (optimizers.AdaBelief(0.01),),
    "AdaDelta": (optimizers.AdaDelta(0.9, 1e-6),),
    "AdaGrad": (optimizers.AdaGrad(0.1),),
    "AdaMax": (optimizers.AdaMax(0.01),),
    "Adam": (optimizers.Adam(0.01), optimizers.Adam(0.01, (0.8, 0.95), 1e-3)),
    "AdamW": (optimizers.AdamW(0.01, lambda_=0.1),),
    "Descent": (optimizers.Descent(0.1),),
    "Lion": (optimizers.Lion(0.01),),
    "Momentum": (optimizers.Momentum(0.01, 0.9),),
    "NAdam": (optimizers.NAdam(0.01),),
    "Nesterov": (optimizers.Nesterov(0.01, 0.9),),
    "OAdam": (optimizers.OAdam(0.01),),
    "RAdam": (optimizers.RAdam(0.01),),
    "RMSProp": (optimizers.RMSProp(0.01), optimizers.RMSProp(0.01, centered=True)),
    "Rprop": (optimizers.Rprop(0.01),),
}
"""Optimizer rules, by name; each is compared over ten steps."""

START, GRADIENTS = _draw.normal(size=7), _draw.normal(size=(10, 7))

INITIALIZERS: Mapping[str, Any] = {
    "glorot_normal": initializers.glorot_normal,
    "glorot_uniform": initializers.glorot_uniform,
    "kaiming_normal": initializers.kaiming_normal,
    "kaiming_uniform": initializers.kaiming_uniform,
    "lecun_normal": initializers.lecun_normal,
    "lecun_uniform": initializers.lecun_uniform,
    "normal": initializers.normal,
    "orthogonal": initializers.orthogonal,
    "truncated_normal": initializers.truncated_normal,
    "uniform": initializers.uniform,
}
"""Initializers, by name, whose moments are compared on a dense layer's weight (in, out)."""
