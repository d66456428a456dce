"""`luxport port`: layers whose formulas depend on the package's version."""

import operator
from typing import Any

import pytest
from execution import execute, execute_python

import luxport
from luxport.porting.flux import OldLayerNorm
from luxport.porting.translate import translate


def test_recurrent_layers_follow_the_version_of_flux():
    source = "using Flux\nmodel = Chain(LSTM(5 => 8), Dense(8 => 5))"
    cell = luxport.LSTMCell(5, 8, use_recurrent_bias=False)
    # Until 0.14 all fields of a cell are parameters, its initial state among them (src/layers/recurrent.jl).
    trained = luxport.LSTMCell(5, 8, use_recurrent_bias=False, train_state=True, train_memory=True)
    stepping = luxport.Chain(luxport.StatefulRecurrentCell(trained), luxport.Dense(8, 5))
    assert execute(source, flux=(0, 14))["model"] == stepping
    assert luxport.parameter_length(stepping) == 4 * (5 * 8 + 8 * 8 + 8) + 2 * 8 + 45
    for old, count in (("GRU(5, 8)", 3 * (40 + 64 + 8) + 8), ("RNN(5, 8)", 40 + 64 + 8 + 8)):
        assert luxport.parameter_length(execute(f"using Flux\nmodel = {old}")["model"]) == count
    assert execute(source + "\n", flux=(0, 16))["model"][0] == luxport.Recurrence(cell, return_sequence=True)
    assert len(translate(source).holes) == 1  # which of the two is unknown
    # the model zoo's character RNN resets between sequences, as only the Flux of layers with memory did
    (hole,) = translate(source + "\nFlux.reset!(model)").holes
    assert "reset!" in hole.julia


FOLD: Any = luxport.PairwiseFold
FUSION: Any = luxport.PairwiseFusion


@pytest.mark.parametrize(("dialect", "julia", "expected"), [
    ("Flux", "Flux.WeightNorm(Dense(2 => 3))", luxport.WeightNorm(luxport.Dense(2, 3))),
    ("Lux", "WeightNorm(Dense(2 => 3), (:weight,))", luxport.WeightNorm(luxport.Dense(2, 3), ("weight",), axes=(0,))),
    ("Flux", "Flux.EmbeddingBag(10 => 4, maximum)", luxport.EmbeddingBag(10, 4, "max")),
    ("Flux", "Flux.Diagonal(5)", luxport.Diagonal(5)),
    ("Lux", "RMSNorm((3, 4); epsilon=1f-6)", luxport.RMSNorm((4, 3), epsilon=1e-6)),
    ("Lux", "LayerNorm((3, 4); dims=(1, 2))", luxport.LayerNorm((4, 3))),
    ("Lux", "BidirectionalRNN(LSTMCell(2 => 3); merge_mode=nothing)",
     luxport.BidirectionalRNN(luxport.LSTMCell(2, 3), merge_mode=None)),
    ("Lux", "Recurrence(LSTMCell(2 => 3); ordering=TimeLastIndex())",
     luxport.Recurrence(luxport.LSTMCell(2, 3), time_major=True)),
    ("Lux", "RepeatedLayer(Dense(2 => 2); repeats=Val(3), input_injection=Val(true))",
     luxport.RepeatedLayer(luxport.Dense(2, 2), repeats=3, input_injection=True)),
    ("Lux", "SelectDim(2, 1)", luxport.SelectDim(-2, 0)),
    ("Lux", "ReverseSequence(1)", luxport.ReverseSequence(-1)),
    ("Lux", "PairwiseFusion(+, Dense(2 => 2))", FOLD(operator.add, luxport.Dense(2, 2))),
    ("Flux", "PairwiseFusion(+, Dense(2 => 2))", FUSION(operator.add, luxport.Dense(2, 2))),
    ("Lux", "LPPool((2, 3); p=3)", luxport.LPPool((3, 2), p=3)),
    ("Lux", "SinusoidalPositionalEmbedding(8)", luxport.SinusoidalPositionalEmbedding(8)),
    ("Flux", "MultiHeadAttention((3, 4, 5) => (6, 7) => 8; nheads=1)",
     luxport.MultiHeadAttention((3, 4, 5), (6, 7), 8, nheads=1)),
    ("Flux", "LSTM(2 => 3; return_state=true)",
     luxport.Recurrence(luxport.LSTMCell(2, 3, use_recurrent_bias=False), return_sequence=True, return_state=True)),
    ("Flux", "Chain(map(i -> Dense(i => i + 1), 1:2)...)", luxport.Chain(luxport.Dense(1, 2), luxport.Dense(2, 3))),
    ("Flux", "Chain(ntuple(i -> Dense(2 => 2), 2)...)", luxport.Chain(luxport.Dense(2, 2), luxport.Dense(2, 2))),
    ("Flux", "softmax ∘ Dense(2 => 2)", luxport.Chain(luxport.Dense(2, 2), luxport.ops.softmax)),
    ("Flux", "Conv((3, 3), 1 => 8; init=(dims...) -> 0.02f0 * randn(Float32, dims...))",
     luxport.Conv((3, 3), 1, 8, init_weight=luxport.initializers.normal(std=0.02))),
])  # fmt: skip
def test_layers_whose_meaning_depends_on_the_package(dialect, julia, expected):
    assert execute(f"using {dialect}\nmodel = {julia}")["model"] == expected


@pytest.mark.parametrize(("dialect", "julia"), [
    ("Lux", "LayerNorm((3, 4))"),  # over the whole batch
    ("Flux", "Flux.WeightNorm(Conv((3,), 1 => 2))"),  # a size for each tap and input
    ("Lux", "RepeatedLayer(Dense(2 => 2))"),  # gives every repetition the first input
    ("MLUtils", "PairwiseFusion(+, Dense(2 => 2))"),
    ("Flux", "Embedding(10 => 4; padding_idx=1)"),
    ("Flux", "Parallel(*, Dense(2 => 2), Dense(2 => 2), Dense(2 => 2))"),  # products of matrices
])  # fmt: skip
def test_layers_that_the_packages_compute_differently_are_marked(dialect, julia):
    translation = translate(f"using {dialect}\nmodel = {julia}")
    assert translation.holes
    with pytest.raises(NotImplementedError):
        execute_python(translation.python)


@pytest.mark.parametrize(("flux", "plain", "large"), [
    # normalize in src/layers/stateless.jl at v0.6.10, v0.9.0, v0.11.6, v0.14.25, v0.15.0; epsilon is given since 0.12
    ((0, 6), OldLayerNorm(3, epsilon=0.0, corrected=True), None),
    ((0, 9), OldLayerNorm(3, epsilon=0.0), None),
    ((0, 11), OldLayerNorm(3, epsilon=1e-5), None),
    ((0, 14), OldLayerNorm(3, epsilon=1e-5), OldLayerNorm(3, luxport.relu, epsilon=0.5)),
    ((0, 15), luxport.LayerNorm(3, epsilon=1e-10), luxport.LayerNorm(3, luxport.relu, epsilon=0.25)),
])  # fmt: skip
def test_layer_norm_has_the_versions_formula(flux, plain, large):
    found = execute("using Flux\nplain = LayerNorm(3)\nnorm(; kw...) = LayerNorm(3, relu; kw...)", flux=flux)
    assert found["plain"] == plain
    if large is not None:
        assert found["norm"](eps=0.5) == large
        assert execute("using Flux\nlarge = LayerNorm(3, relu; eps=0.5)", flux=flux)["large"] == large


def test_layer_norm_of_a_version_with_two_formulas_is_a_hole():
    (hole,) = translate("using Flux\nmodel = LayerNorm(3)", flux=(0, 7)).holes
    assert hole.reason == "a LayerNorm that divides by n - 1 until Flux 0.7.2 and by n later: say 0.6 or 0.8"
