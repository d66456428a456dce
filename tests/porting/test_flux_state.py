"""`save_flux_state` writes Flux's structure, which reads back bit for bit and is open to other readers of HDF5."""

import operator
import os
from typing import Any

import h5py
import numpy as np
import pytest

import luxport
from luxport.porting import julia, load_parameters, save_flux_state
from luxport.porting.flux.state_file import make_flux_state
from luxport.tree import leaves_with_path

relu = luxport.relu


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.jld2"


def draw_parameters(model, seed=0):
    """Return random parameters and states of a model, in which no two numbers are equal by chance."""
    rng = np.random.default_rng(seed)

    def draw(x):
        return rng.uniform(0.1, 2, x.shape).astype(x.dtype) if x.dtype.kind == "f" else x

    return luxport.tree.map(draw, luxport.setup(seed, model, backend="numpy"))


def list_bits(ps, st):
    """Return parameters and running statistics as bytes."""
    kept = [*leaves_with_path(ps), *((p, x) for p, x in leaves_with_path(st) if p[-1].startswith("running"))]
    return [(p, np.asarray(x).dtype.name, np.shape(x), np.asarray(x).tobytes()) for p, x in kept]


def to_lists(value):
    """Return a value of the readers as lists of its names, shapes and dtypes."""
    match value:
        case julia.NamedTuple():
            return [(name, to_lists(entry)) for name, entry in zip(value.names, value.values, strict=True)]
        case tuple():
            return tuple(to_lists(entry) for entry in value)
        case np.ndarray():
            return value.dtype.name, value.shape
    return value


CELLS = {
    "RNNCell": luxport.RNNCell(3, 2, relu, use_recurrent_bias=False),
    "LSTMCell": luxport.LSTMCell(3, 2, use_recurrent_bias=False),
    "GRUCell": luxport.GRUCell(3, 2, use_recurrent_bias=False),
    "GRUv3Cell": luxport.GRUv3Cell(3, 2),
}
LAYERS = {
    "Dense": luxport.Dense(2, 3, relu),
    "Dense without bias": luxport.Dense(2, 3, use_bias=False),
    "Scale": luxport.Scale(3, 2),
    "Bilinear": luxport.Bilinear((3, 2), 4),
    "Conv": luxport.Conv((3, 2), 4, 6, relu, stride=(1, 2), padding=((0, 1), (2, 3)), dilation=2, groups=2),
    "CrossCor": luxport.CrossCor((3, 2), 4, 6),
    "CrossCor in groups": luxport.Conv((3, 2), 4, 6, groups=2, cross_correlation=True),
    "DepthwiseConv": luxport.DepthwiseConv((3,), 4, 8),
    "ConvTranspose": luxport.ConvTranspose((3, 2), 4, 6, stride=2, output_padding=(1, 0)),
    "ConvTranspose unflipped": luxport.ConvTranspose((3, 2), 4, 6, cross_correlation=True),
    "BatchNorm": luxport.BatchNorm(3, relu),
    "BatchNorm without numbers": luxport.BatchNorm(3, affine=False, track_stats=False),
    "InstanceNorm": luxport.InstanceNorm(3, affine=True, track_stats=True),
    "GroupNorm": luxport.GroupNorm(4, 2),
    "LayerNorm": luxport.LayerNorm((3, 2), relu),
    "LayerNorm without numbers": luxport.LayerNorm(3, affine=False),
    "Embedding": luxport.Embedding(5, 2, padding_idx=1),
    "EmbeddingBag": luxport.EmbeddingBag(5, 2),
    **CELLS,
    **{f"Recurrence of {name}": luxport.Recurrence(cell) for name, cell in CELLS.items()},
    "RNN": luxport.RNN(3, 2),
    "LSTM": luxport.LSTM(3, 2),
    "GRU": luxport.GRU(3, 2),
    "GRUv3": luxport.GRUv3(3, 2),
    "levels": luxport.LSTM(3, 2, num_layers=2),
    "levels with dropout": luxport.GRU(3, 2, num_layers=3, dropout=0.5),
    "MultiHeadAttention": luxport.MultiHeadAttention(4, nheads=2, attention_dropout_probability=0.25, use_bias=True),
    "names": luxport.Chain(encoder=luxport.Dense(2, 3), decoder=luxport.Dense(3, 2)),
    "Parallel": luxport.Parallel(operator.add, luxport.Dense(2, 3), luxport.Dense(2, 3)),
    "Parallel with a layer": luxport.Parallel(luxport.Bilinear((3, 3), 2), luxport.Dense(2, 3), luxport.Dense(2, 3)),
    "BranchLayer with a layer": luxport.BranchLayer(luxport.Dense(2, 3), relu, fusion=luxport.Bilinear((3, 2), 2)),
    "SkipConnection": luxport.SkipConnection(luxport.CrossCor((3,), 2, 2), operator.add),
    "SkipConnection with a layer": luxport.SkipConnection(luxport.Dense(2, 2), luxport.Bilinear((2, 2), 3)),
    "Maxout": luxport.Maxout(lambda: luxport.Dense(2, 3), 3),
    "PairwiseFusion": luxport.PairwiseFusion(operator.add, luxport.Dense(2, 3), luxport.Dense(3, 2)),
    "without parameters": luxport.Chain(
        luxport.Dense(2, 2), luxport.MaxPool((2, 3)), luxport.MeanPool((3,), padding=1), luxport.GlobalMeanPool(),
        luxport.AdaptiveMaxPool((2, 3)), luxport.Dropout(0.5, axes=(-1, -2)), luxport.AlphaDropout(0.5),
        luxport.FlattenLayer(), luxport.ReshapeLayer(3), luxport.Upsample(2), luxport.PixelShuffle(2), relu,
        luxport.SelectDim(1, 0), luxport.LPPool((2,)), luxport.Chain(luxport.Dense(2, 3)),
    ),
}  # fmt: skip


def test_every_layer_reads_back_bit_for_bit(path):
    for name, model in LAYERS.items():
        ps, st = draw_parameters(model)
        save_flux_state(path, model, ps, st)
        assert list_bits(*load_parameters(path, model, backend="numpy")) == list_bits(ps, st), name
    assert os.listdir(path.parent) == [path.name]


def array(*shape):
    return "float32", shape


NORM = [
        ("λ", ()), ("β", array(3)), ("γ", array(3)), ("μ", array(3)), ("σ²", array(3)), ("ϵ", np.float32(1e-5)),
        ("momentum", np.float32(0.1)), ("affine", True), ("track_stats", True), ("active", None), ("chs", 3),
]  # fmt: skip
GROUP_NORM = [("G", 1), *NORM[:3], ("μ", None), ("σ²", None), *NORM[5:8], ("track_stats", False), *NORM[9:]]
# Fields of Flux 0.16.11's structs, and the state of Dense, BatchNorm and Dropout (loading.jl:110-123).
STATES = [
    (luxport.Dense(2, 3), [("weight", array(2, 3)), ("bias", array(3)), ("σ", ())]),  # basic.jl:179
    (luxport.Dense(2, 3, use_bias=False), [("weight", array(2, 3)), ("bias", False), ("σ", ())]),
    (luxport.Scale(3, 2), [("scale", array(3, 2)), ("bias", array(3, 2)), ("σ", ())]),  # basic.jl:269
    (luxport.BatchNorm(3), NORM),  # normalise.jl:259
    (luxport.GroupNorm(3, 1), GROUP_NORM),  # normalise.jl:448
    (
        luxport.LayerNorm((3, 2), epsilon=1e-10),  # normalise.jl:186; Flux adds the epsilon's square
        [("λ", ()), ("diag", [("scale", array(3, 2)), ("bias", array(3, 2)), ("σ", ())]), ("ϵ", np.float32(1e-5)),
         ("size", (2, 3)), ("affine", True)],
    ),
    (luxport.Dropout(0.2), [("p", 0.2), ("dims", ()), ("active", None), ("rng", ())]),  # normalise.jl:68
    (
        luxport.Conv((3, 2), 4, 6, stride=(1, 2), padding=((0, 1), (2, 3)), groups=2),  # conv.jl:139
        [("σ", ()), ("weight", array(6, 2, 3, 2)), ("bias", array(6)), ("stride", (2, 1)), ("pad", (2, 3, 0, 1)),
         ("dilation", (1, 1)), ("groups", 2)],
    ),
    (
        luxport.CrossCor((3,), 4, 6),  # conv.jl:444
        [("σ", ()), ("weight", array(6, 4, 3)), ("bias", array(6)), ("stride", (1,)), ("pad", (0, 0)),
         ("dilation", (1,))],
    ),
    (
        luxport.ConvTranspose((3,), 4, 6, stride=2, output_padding=1),
        [("σ", ()), ("weight", array(4, 6, 3)), ("bias", array(6)), ("stride", (2,)), ("pad", (0, 0)), ("outpad", (1,)),
         ("dilation", (1,)), ("groups", 1)],
    ),
    # conv.jl:722
    (luxport.MaxPool((2, 3), padding=(0, 1)), [("k", (3, 2)), ("pad", (1, 1, 0, 0)), ("stride", (3, 2))]),
    (luxport.Embedding(5, 2, padding_idx=1), [("weight", array(5, 2)), ("padding_idx", 2)]),  # basic.jl:776
    # recurrent.jl:383
    (luxport.LSTM(3, 2), [("cell", [("Wi", array(3, 8)), ("Wh", array(2, 8)), ("bias", array(8))])]),
    (
        luxport.RNNCell(3, 2, use_recurrent_bias=False),  # recurrent.jl:145
        [("σ", ()), ("Wi", array(3, 2)), ("Wh", array(2, 2)), ("bias", array(2))],
    ),
    (
        luxport.GRUv3Cell(3, 2),  # recurrent.jl:766
        [("Wi", array(3, 6)), ("Wh", array(2, 6)), ("b", array(6)), ("Wh_h̃", array(2, 2))],
    ),
    (
        luxport.Chain(luxport.Embedding(3, 2), luxport.relu, luxport.GlobalMaxPool()),  # basic.jl:49
        [("layers", ([("weight", array(3, 2)), ("padding_idx", None)], (), ()))],
    ),
    (luxport.Chain(out=luxport.PixelShuffle(2)), [("layers", [("out", [("r", 2)])])]),  # upsample.jl:143
]  # fmt: skip


def test_fields_are_fluxs():
    for model, wanted in STATES:
        assert to_lists(make_flux_state(model, *luxport.setup(0, model))) == wanted, model
    attention = luxport.MultiHeadAttention(4)
    state = make_flux_state(attention, *luxport.setup(0, attention))
    assert state.names == ("nheads", "q_proj", "k_proj", "v_proj", "attn_drop", "out_proj")  # attention.jl:68
    assert to_lists(state["attn_drop"]) == [("p", 0.0), ("dims", ()), ("active", None), ("rng", ())]


def test_h5py_finds_the_arrays(path):
    model = luxport.Chain(luxport.Conv((3, 3), 1, 2), luxport.BatchNorm(2), luxport.Dense(4, 3, use_bias=False))
    ps, st = draw_parameters(model)
    save_flux_state(path, model, ps, st, name="weights")
    file: Any
    with h5py.File(path) as file:
        assert file.userblock_size == 512
        conv, norm, dense = file["weights"][()]["layers"]
        for reference, wanted in (
            (conv["weight"], ps["layer_1"]["weight"]), (norm["γ"], ps["layer_2"]["scale"]),
            (norm["σ²"], st["layer_2"]["running_var"]), (dense["weight"], ps["layer_3"]["weight"]),
        ):  # fmt: skip
            np.testing.assert_array_equal(file[reference][()], wanted)
        assert (conv["stride"].tolist(), norm["chs"], norm["ϵ"]) == ((1, 1), 2, np.float32(1e-5))
        assert (dense["bias"], dense.dtype.names) == (0, ("weight", "bias"))


def test_kernels_are_written_for_the_layer_that_flips_them(path):
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 5)).astype(np.float32)
    for made, plain in (
        (luxport.Conv((3, 2), 4, 6, groups=2, cross_correlation=True), luxport.Conv((3, 2), 4, 6, groups=2)),
        (luxport.ConvTranspose((3, 2), 4, 6, cross_correlation=True), luxport.ConvTranspose((3, 2), 4, 6)),
    ):
        ps, st = draw_parameters(made)
        save_flux_state(path, made, ps, st)
        np.testing.assert_allclose(
            plain(x, *load_parameters(path, plain, backend="numpy"))[0], made(x, ps, st)[0], rtol=1e-5
        )


def test_a_cells_two_biases_are_added(path):
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    for kind in (luxport.RNNCell, luxport.LSTMCell, luxport.GRUCell):
        both, one = kind(3, 2), kind(3, 2, use_recurrent_bias=False)
        ps, st = draw_parameters(both)
        ps["bias_hh"][4:6] = 0 if kind is luxport.GRUCell else ps["bias_hh"][4:6]
        save_flux_state(path, both, ps, st)
        (y, _), _ = one(x, *load_parameters(path, one, backend="numpy"))
        np.testing.assert_allclose(y, both(x, ps, st)[0][0], rtol=1e-6)


def test_containers_of_functions_have_their_fields():
    own = Residual(luxport.MaxPool((2,)), (luxport.NoOpLayer(),))
    assert to_lists(make_flux_state(own, *draw_parameters(own))) == [
        ("inner", [("k", (2,)), ("pad", (0, 0)), ("stride", (2,))]),
        ("blocks", ((),)),
    ]


class Residual(luxport.ContainerLayer):
    inner: luxport.Layer
    blocks: tuple

    def __call__(self, x, ps, st):
        raise NotImplementedError


def test_a_container_of_ones_own_is_a_struct_of_its_layers(path):
    """A layer that only changes how another one runs leaves no trace in the file."""
    own = Residual(luxport.Dense(2, 3), (luxport.Dense(3, 3), luxport.NoOpLayer()))
    ps, st = draw_parameters(own)
    state = make_flux_state(own, ps, st)
    dense = [("weight", array(3, 3)), ("bias", array(3)), ("σ", ())]
    assert to_lists(state["blocks"]) == (dense, ())
    save_flux_state(path, own, ps, st)
    assert list_bits(*load_parameters(path, own, backend="numpy")) == list_bits(ps, st)
    chain = luxport.Chain(luxport.Dense(2, 2), luxport.Dense(2, 2))
    ps, st = draw_parameters(chain)
    plain = to_lists(make_flux_state(chain, ps, st))
    frozen = luxport.freeze(chain, ps, st, ["layer_1.weight"])
    np.testing.assert_array_equal(make_flux_state(*frozen)["layers"][0]["weight"], ps["layer_1"]["weight"])
    tied = luxport.tie(chain, ps, st, [("layer_1", "layer_2")])
    for model in (
        frozen,
        tied,
        (luxport.DebugLayer(chain), ps, st),
        (luxport.AlternatePrecision(chain, "float16"), ps, st),
    ):
        assert to_lists(make_flux_state(*model)) == plain


@pytest.mark.parametrize(("layer", "text"), [
    (luxport.RMSNorm(2), "RMSNorm at layer_1.b has no counterpart: Flux has no RMSNorm"),
    (luxport.WeightNorm(luxport.Dense(2, 2)), "luxport.remove_weight_norm"),
    (luxport.SpectralNorm(luxport.Dense(2, 2)), "luxport.remove_spectral_norm"),
    (luxport.BidirectionalRNN(luxport.LSTMCell(2, 2)), "Flux has no such layer"),
    (luxport.Conv((3,), 2, 2, padding=1, padding_mode="reflect"), "padding_mode='reflect'"),
    (luxport.Recurrence(luxport.GRUCell(2, 2, use_recurrent_bias=False), reverse=True), "reverse=True"),
    (luxport.GRUCell(2, 2), "use_recurrent_bias=False"),
    (luxport.LSTMCell(2, 2, train_memory=True), "its memory is trained"),
    (luxport.Embedding((2, 3), 2), "one axis of indices"),
    (luxport.Dropout(0.5, axes=(1,)), "give negative axes"),
])  # fmt: skip
def test_a_layer_that_flux_lacks_is_refused_by_its_path(layer, text, path):
    path.write_bytes(b"before")
    model = luxport.Chain(luxport.Chain(a=luxport.relu, b=layer))
    with pytest.raises(ValueError, match=text):
        save_flux_state(path, model, *draw_parameters(model))
    assert (path.read_bytes(), os.listdir(path.parent)) == (b"before", [path.name])


def test_parameters_that_do_not_belong_to_the_model_are_refused(path):
    model = luxport.Dense(2, 3)
    ps, st = luxport.setup(0, model)
    with pytest.raises(ValueError, match=r"ps\.bias is missing"):
        save_flux_state(path, model, {"weight": ps["weight"]}, st)
    with pytest.raises(ValueError, match=r"ps\.weight: shape \(2, 3\) expected"):
        save_flux_state(path, model, {**ps, "weight": np.zeros((3, 2))}, st)
    with pytest.raises(TypeError, match="expects a layer"):
        save_flux_state(path, ps, model, st)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        save_flux_state(path / "nowhere", model, ps, st)
    assert not path.exists()


@pytest.mark.parametrize("backend", ["jax", "torch"])  # TensorFlow's bfloat16 is JAX's, and its import is slow
def test_arrays_of_other_backends_are_written(backend, path):
    model = luxport.Dense(2, 3)
    ps, st = luxport.setup(0, model, backend=backend, dtype="bfloat16")
    save_flux_state(path, model, ps, st)
    weight = load_parameters(path, model, backend="numpy")[0]["weight"]
    assert weight.dtype == np.float32
    np.testing.assert_array_equal(weight, luxport.to(ps, backend="numpy", dtype="float32")["weight"])


@pytest.mark.parametrize("name", ["", "_types", "a/b"])
def test_a_name_that_jld2_would_not_find_is_refused(tmp_path, name):
    model = luxport.Dense(2, 1)
    ps, st = luxport.setup(0, model)
    with pytest.raises(ValueError, match="JLD2.jl finds no entry"):
        luxport.porting.save_flux_state(tmp_path / "model.jld2", model, ps, st, name=name)
    assert not list(tmp_path.iterdir())
