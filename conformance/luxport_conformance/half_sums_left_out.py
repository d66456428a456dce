"""Operations, losses and layers without an example of the law of sums in half types, each with the reason.

A test fails if a public operation, loss or layer has neither an example nor a reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import luxport
from luxport import losses, ops
from luxport_conformance.examples import EXAMPLES
from luxport_conformance.half_sum_spreads import SPREAD

__all__ = ["NOT_SUMMED", "list_useless", "list_without_sum"]

_ELEMENTWISE = "each number by itself: its gradient is no sum"
_FEW = "its gradient adds up a few numbers at most"
_NO_NUMBERS = "makes numbers of none, or bits"
_CALLS = "its sums are those of operations that are here"
_COMPLEX = "sums complex numbers, of which there are none in half types"
_ONE_STEP = "one step of a sweep that is here"
_HOLDS = "what it holds sums, not it itself"

_OPERATIONS = {
    _ELEMENTWISE: (
        "alpha_dropout apply_rotary_embedding celu compute_rotary_embedding_params db_to_power dropout elu erf gelu "
        "gelu_erf gelu_sigmoid gelu_tanh glu hardsigmoid hardswish hardtanh identity leakyrelu lisht logcosh "
        "logsigmoid mish multigate power_to_db relu relu6 rrelu selu sigmoid sigmoid_fast softplus softshrink softsign "
        "stop_gradient swish tanh tanh_fast tanhshrink thresholdrelu trelu xlogx xlogy observe batched_adjoint "
        "batched_transpose pixel_shuffle"
    ),
    _FEW: "pad_circular pad_constant pad_reflect pad_symmetric pad_zeros",
    _NO_NUMBERS: (
        "Activation definition_of operation hamming_window hann_window keep_mask make_causal_mask melscale_filterbanks "
        "normal random_bits threefry_2x32 uniform"
    ),
    _COMPLEX: "istft",
    _CALLS: (
        "conv_nd conv_transpose_nd fold_nd unfold_nd lp_pool_nd max_pool_nd mean_pool_nd reduce_segments "
        "dot_product_attention upsample_bilinear upsample_trilinear"
    ),
}
_LOSSES = {_ELEMENTWISE: "label_smoothing", _NO_NUMBERS: "Aggregation"}
_LAYERS = {
    _ELEMENTWISE: (
        "AlphaDropout Dropout GaussianDropout GaussianNoise VariationalHiddenDropout "
        "SinusoidalPositionalEmbedding RotaryPositionalEmbedding "
        "NoOpLayer FlattenLayer ReshapeLayer ReverseSequence SelectDim PixelShuffle WrappedFunction"
    ),
    _CALLS: (
        "Conv ConvTranspose CrossCor DepthwiseConv Dense Embedding BatchNorm GroupNorm InstanceNorm LayerNorm RMSNorm "
        "MaxPool MeanPool LPPool GlobalMaxPool GlobalMeanPool GlobalLPPool AdaptiveMaxPool AdaptiveMeanPool "
        "AdaptiveLPPool MultiHeadAttention Upsample SpectralNorm WeightNorm RNN LSTM GRU GRUv3 Recurrence "
        "BidirectionalRNN Maxout TransformerEncoderLayer TransformerDecoderLayer"
    ),
    _ONE_STEP: "RNNCell LSTMCell GRUCell GRUv3Cell StatefulRecurrentCell",
    _HOLDS: (
        "AlternatePrecision BranchLayer Chain CompactLayer DebugLayer FrozenLayer PairwiseFold PairwiseFusion Parallel "
        "RepeatedLayer SkipConnection Tied"
    ),
}

NOT_SUMMED: Mapping[str, str] = {
    name: why for table in (_OPERATIONS, _LOSSES, _LAYERS) for why, names in table.items() for name in names.split()
}
"""The names of operations, losses and layers whose sums are not checked in half types, with the reason."""


def list_without_sum() -> Iterator[str]:
    """Yield the names of public operations, losses and layers that have neither an example nor a reason."""
    summed = {spread.subject for spread in SPREAD}
    functions = [name for name in losses.__all__ if not isinstance(getattr(losses, name), type)]
    for name in (*ops.__all__, *functions, *EXAMPLES):
        if name not in summed and name not in NOT_SUMMED:
            yield name


def list_useless() -> Iterator[str]:
    """Yield the names that have a reason although they do not exist, or although they have an example."""
    known = {*ops.__all__, *losses.__all__, *EXAMPLES, *luxport.__all__}
    summed = {spread.subject for spread in SPREAD}
    for name in NOT_SUMMED:
        if name not in known or name in summed:
            yield name
