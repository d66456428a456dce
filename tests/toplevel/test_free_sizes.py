"""Sizes of outputs that depend on unknown sizes of the input: for every layer, by hand and by trial."""

from __future__ import annotations

import pytest

import luxport as lp
from luxport import tree
from luxport.core.free_sizes import FreeArray, find_free_output, find_output_of_free
from luxport_conformance.examples import EXAMPLES, Flags, Indices

N = None
# fmt: off
WHOLLY_FREE = {
    "MultiHeadAttention": (((N, N, 4), (N, 2, N, N)), (N, N, 3)),
    "CompactLayer": ((N, 4), (N, 2)),
    "Chain": ((N, 2), (N, 4), (N, 3)),
    "RepeatedLayer": ((N, 2),),
    "Conv": ((N, 4, N, N), (N, 2, N, N), (N, 3, N), (N, 2, N, N, N), (N, 2, N, N), (N, 2, N), (N, 3, N, N)),
    "ConvTranspose": ((N, 4, N, N), (N, 2, N, N), (N, 3, N), (N, 2, N, N, N)),
    "CrossCor": ((N, 4, N, N),),
    "DepthwiseConv": ((N, 4, N, N),),
    "DebugLayer": ((N, 3),),
    "Dense": ((N, 2), (N, 4), (N, 2), (N, N, 2)),
    "Scale": ((N, 3), (N, 2, 3)),
    "Diagonal": ((N, 3),),
    "Bilinear": ((N, 2), (N, N, 2)),
    "AlphaDropout": ((N, N),),
    "Dropout": ((N, N), (N, N, N)),
    "VariationalHiddenDropout": ((N, N), (N, N)),
    "GaussianDropout": ((N, N),),
    "GaussianNoise": ((N, N),),
    "FrozenLayer": ((N, 4),),
    "Embedding": ((N, N, 3), (N, N, 2), (N, 3)),
    "EmbeddingBag": ((N, 2), (N, 2)),
    "BatchNorm": ((N, 3), (N, 2, N, N), (N, 3, N), (N, 3)),
    "GroupNorm": ((N, 6), (N, 4, N, N), (N, 3, N)),
    "InstanceNorm": ((N, 2, N), (N, 3, N, N)),
    "LayerNorm": ((N, 5), (N, N, 3, 2), (N, N, 4), (N, N, 4)),
    "RMSNorm": ((N, 5), (N, 3, 2)),
    "Parallel": ((N, 2), (N, 2)),
    "BranchLayer": ((N, 2),),
    "SkipConnection": ((N, 2),),
    "Maxout": ((N, 4),),
    "PairwiseFusion": (((N, 3), (N, 2)),),
    "PairwiseFold": ((N, 2),),
    "MaxPool": ((N, N, N, N), (N, N, N, N), (N, N, N)),
    "MeanPool": ((N, N, N, N), (N, N, N, N), (N, N, N, N, N)),
    "LPPool": ((N, N, N, N), (N, N, N)),
    "GlobalMaxPool": ((N, N, 1, 1),),
    "GlobalMeanPool": ((N, N, 1, 1),),
    "GlobalLPPool": ((N, N, 1),),
    "AdaptiveMaxPool": ((N, N, 2, 3), (N, N, 3, 2)),
    "AdaptiveMeanPool": ((N, N, 2, 3), (N, N, 3, 2)),
    "AdaptiveLPPool": ((N, N, 2), (N, N, 3)),
    "SinusoidalPositionalEmbedding": ((N, N, 6),),
    "RotaryPositionalEmbedding": ((N, N, N, N), (N, N, N, N)),
    "AlternatePrecision": ((N, 2),),
    "RNNCell": (((N, 2), ((N, 2),)),),
    "LSTMCell": (((N, 2), ((N, 2), (N, 2))),),
    "GRUCell": (((N, 2), ((N, 2),)),),
    "GRUv3Cell": (((N, 2), ((N, 2),)),),
    "Recurrence": (((N, 2), ((N, 2), (N, 2))),),
    "StatefulRecurrentCell": ((5, 2),),
    "BidirectionalRNN": ((N, N, 4),),
    "RNN": ((N, N, 2),),
    "LSTM": (((N, N, 2), ((N, 2), (N, 2))),),
    "GRU": ((N, N, 4), (N, N, 2)),
    "GRUv3": ((N, N, 2),),
    "SpectralNorm": ((N, 2), (N, 3, N, N)),
    "WeightNorm": ((N, 2), (N, 3, N, N)),
    "FlattenLayer": ((N, N), (N, N, N)),
    "ReshapeLayer": ((N, 3, N),),
    "ReverseSequence": ((N, N, N),),
    "SelectDim": ((N, N), (N,)),
    "PReLU": ((N, N), (N, 3, N), (N, N, 4)),
    "Tied": ((N, 3),),
    "TransformerDecoderLayer": ((N, N, 4),),
    "TransformerEncoderLayer": ((N, N, 4),),
    "Upsample": ((N, N, N, N), (N, N, N, N), (N, N, 7)),
    "PixelShuffle": ((N, N, N, N), (N, N, N)),
    "NoOpLayer": ((N, N),),
    "WrappedFunction": ((N, N),),
}
# fmt: on
"""Output shapes of layers' examples if no input size is known, by the formulas of their docstrings."""

RUNS = [pytest.param(name, i, id=f"{name}-{i}") for name, examples in EXAMPLES.items() for i in range(len(examples))]


def describe(x):
    if isinstance(x, Indices):
        return FreeArray(x.shape, "int32")
    if isinstance(x, Flags):
        return FreeArray(x.shape, "bool")
    return FreeArray(x) if all(isinstance(n, int) for n in x) else tuple(map(describe, x))


def list_shapes(arrays):
    return tree.map(lambda leaf: leaf.shape, arrays) if not isinstance(arrays, FreeArray) else arrays.shape


@pytest.mark.parametrize(("name", "i"), RUNS)
def test_output_shapes_if_no_size_is_known(name, i):
    example = EXAMPLES[name][i]
    free = tree.map(lambda leaf: FreeArray((None,) * len(leaf.shape), leaf.dtype), describe(example.x))
    found = list_shapes(find_output_of_free(example.layer, free))
    assert found == WHOLLY_FREE[name][i]


@pytest.mark.parametrize(("name", "i"), RUNS)
def test_output_shapes_if_one_size_is_unknown(name, i):
    """For each axis of each input, exactly those output sizes are unknown that differ among accepted input sizes."""
    example = EXAMPLES[name][i]
    inputs = describe(example.x)
    for k, leaf in enumerate(tree.leaves(inputs)):
        for axis in range(len(leaf.shape)):
            found = tree.leaves(find_output_of_free(example.layer, resize(inputs, k, axis, None)))
            tried = [output for size in range(1, 9) if (output := find_outputs(example.layer, inputs, k, axis, size))]
            for got, *others in zip(found, *tried, strict=True):
                sizes = zip(*[other.shape for other in others], strict=True)
                assert got.shape == tuple([n if {n} >= set(more) else None for n, *more in sizes])


def resize(inputs, k, axis, size):
    leaves = tree.leaves(inputs)
    shape = tuple([size if i == axis else n for i, n in enumerate(leaves[k].shape)])
    leaves[k] = FreeArray(shape, leaves[k].dtype)
    return tree.unflatten(tree.structure(inputs), iter(leaves))


def find_outputs(layer, inputs, k, axis, size):
    """Return the outputs of a layer for known sizes, or an empty list if they do not fit."""
    try:
        return tree.leaves(find_output_of_free(layer, resize(inputs, k, axis, size)))
    except (ValueError, TypeError, ZeroDivisionError):
        return []


def test_free_sizes_pass_strides_windows_and_blocks():
    images = FreeArray((None, 1, None, None))
    assert find_output_of_free(lp.MaxPool((2, 2)), images).shape == (None, 1, None, None)
    deep = lp.Chain(*[lp.MaxPool((2, 2), padding=lp.SamePad()) for _ in range(9)], lp.FlattenLayer())
    assert find_output_of_free(deep, images).shape == (None, None)
    assert find_output_of_free(deep, FreeArray((None, 1, 512, 1024))).shape == (None, 2)
    assert find_output_of_free(lp.Conv((500, 1), 1, 2), images).shape == (None, 2, None, None)
    assert find_output_of_free(lp.PixelShuffle(7), FreeArray((2, None, 5, None))).shape == (2, None, 35, None)
    assert find_output_of_free(lp.ReshapeLayer((7, 11, -1)), FreeArray((None, None))).shape == (None, 7, 11, None)


def test_crops_of_free_sizes_are_free():
    assert find_output_of_free(lp.WrappedFunction(lambda x: x[:, :10]), FreeArray((None, None))).shape == (None, None)
    assert find_output_of_free(lp.WrappedFunction(lambda x: x[:, :10]), FreeArray((None, 12))).shape == (None, 10)
    rows = lp.WrappedFunction(lambda x: tuple([x[i, ...] for i in range(x.shape[0])]))
    with pytest.raises(ValueError, match="whose number of arrays and axes does not depend on free sizes"):
        find_output_of_free(rows, FreeArray((None, 3)))


def test_wrong_known_sizes_are_the_layers_error():
    with pytest.raises(lp.LayerError, match=r"Dense expects \(\.\.\., 3\), got \(2, 4\)"):
        find_output_of_free(lp.Dense(3, 2), FreeArray((None, 4)))
    assert find_free_output(lambda x: x, FreeArray((1, 2))) == FreeArray((1, 2))


def test_dtypes_of_outputs_are_known():
    assert find_output_of_free(lp.NoOpLayer(), FreeArray((None, 2), "int32")) == FreeArray((None, 2), "int32")
    assert find_output_of_free(lp.Embedding(5, 3), FreeArray((None, 2), "uint8")) == FreeArray((None, 2, 3), "float32")
