"""The layers, one file a family; a family is imported when one of its names is first used.

Each layer is a dataclass, which takes Python a millisecond to make: all of them would slow ``import luxport`` down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from luxport.lazy import lazy_names

if TYPE_CHECKING:
    from luxport.layers.adaptive_pooling import *
    from luxport.layers.attention import *
    from luxport.layers.bilinear import *
    from luxport.layers.compacted import *
    from luxport.layers.containers import *
    from luxport.layers.conv import *
    from luxport.layers.conv_transpose import *
    from luxport.layers.debugging import *
    from luxport.layers.dense import *
    from luxport.layers.dropout import *
    from luxport.layers.embedding import *
    from luxport.layers.freezing import *
    from luxport.layers.fusion import *
    from luxport.layers.normalise import *
    from luxport.layers.padding import *
    from luxport.layers.parallel import *
    from luxport.layers.pooling import *
    from luxport.layers.positional import *
    from luxport.layers.precision import *
    from luxport.layers.recurrence import *
    from luxport.layers.recurrent import *
    from luxport.layers.recurrent_cells import *
    from luxport.layers.reparameterise import *
    from luxport.layers.reshape import *
    from luxport.layers.tying import *
    from luxport.layers.upsample import *
    from luxport.layers.wrapped import *

FAMILIES = {
    "adaptive_pooling": (
        *("AdaptiveLPPool", "AdaptiveMaxPool", "AdaptiveMeanPool"),
        *("GlobalLPPool", "GlobalMaxPool", "GlobalMeanPool"),
    ),
    "attention": ("MultiHeadAttention",),
    "bilinear": ("Bilinear",),
    "compacted": ("CompactLayer", "compact", "non_trainable", "parameter"),
    "containers": ("Chain", "RepeatedLayer"),
    "conv": ("Conv", "CrossCor", "DepthwiseConv"),
    "conv_transpose": ("ConvTranspose",),
    "debugging": ("DebugLayer", "debug"),
    "dense": ("Dense", "Diagonal", "Scale"),
    "dropout": ("AlphaDropout", "Dropout", "VariationalHiddenDropout"),
    "embedding": ("Embedding", "EmbeddingBag"),
    "freezing": ("FrozenLayer", "freeze", "unfreeze"),
    "fusion": ("PairwiseFold", "PairwiseFusion"),
    "normalise": ("BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"),
    "padding": ("SamePad",),
    "parallel": ("BranchLayer", "Maxout", "Parallel", "SkipConnection"),
    "pooling": ("LPPool", "MaxPool", "MeanPool"),
    "positional": ("RotaryPositionalEmbedding", "SinusoidalPositionalEmbedding"),
    "recurrence": ("BidirectionalRNN", "Recurrence", "StatefulRecurrentCell"),
    "recurrent": ("GRU", "GRUv3", "LSTM", "RNN"),
    "recurrent_cells": ("GRUCell", "GRUv3Cell", "LSTMCell", "RNNCell", "RecurrentCell"),
    "reparameterise": ("SpectralNorm", "WeightNorm", "remove_spectral_norm", "remove_weight_norm"),
    "precision": ("AlternatePrecision",),
    "reshape": ("FlattenLayer", "ReshapeLayer", "ReverseSequence", "SelectDim"),
    "tying": ("Tied", "share_parameters", "tie", "untie"),
    "upsample": ("PixelShuffle", "Upsample"),
    "wrapped": ("NoOpLayer", "WrappedFunction"),
}
"""The public names of each family's file: what its ``__all__`` says, known before it is imported."""

_names, __getattr__, __dir__ = lazy_names(__name__, FAMILIES)

if not TYPE_CHECKING:
    __all__ = _names
