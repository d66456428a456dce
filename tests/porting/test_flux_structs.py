"""Rare structs of Flux, and those whose meaning changed between versions."""

# torch and NumPy are the second implementations.
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import warnings

import bson_writer as bw
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flux_files import IDENTITY, TANH, assert_close, chain, compute_outputs, draw, flux, ints, load
from flux_norms import COLON, IMAGES

import luxport as lp
from luxport.porting import FileFormatError, load_model, load_parameters


@pytest.mark.parametrize(
    ("mode", "fields", "want"),
    [
        # Fields of Upsample{mode}: src/layers/upsample.jl at v0.12.0. Julia's (2, 3) is along (w, h).
        ("nearest", (2, None), lambda x: F.interpolate(x, scale_factor=2)),
        ("nearest", (ints(2, 3), None), lambda x: F.interpolate(x, scale_factor=(3, 2))),
        ("nearest", (None, ints(10, 6)), lambda x: F.interpolate(x, size=(6, 10))),
        ("bilinear", (2, None), lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)),
        ("bilinear", (None, ints(7, 4)), lambda x: F.interpolate(x, (4, 7), mode="bilinear", align_corners=True)),
    ],
)
def test_upsample_is_read(mode, fields, want, tmp_path):
    model = flux("Upsample", *fields, params=[bw.symbol(mode)])
    assert_close(compute_outputs(model, IMAGES, tmp_path), want(torch.tensor(IMAGES)))


def test_pixel_shuffle_is_read(tmp_path):
    # NNlib puts the parts of a channel side by side, first along the width, as PyTorch does.
    assert_close(compute_outputs(flux("PixelShuffle", 2), IMAGES, tmp_path), F.pixel_shuffle(torch.tensor(IMAGES), 2))


def test_adaptive_mean_pool_is_read(tmp_path):
    assert_close(
        compute_outputs(flux("AdaptiveMeanPool", ints(2, 3)), IMAGES, tmp_path),
        F.adaptive_avg_pool2d(torch.tensor(IMAGES), (3, 2)),
    )


@pytest.mark.parametrize("rest", [(), (True,), (None, None)], ids=["0.10", "0.8 to 0.12", "since 0.13"])
def test_alpha_dropout_is_read(rest, tmp_path):
    model, ps, st = load(flux("AlphaDropout", 0.25, *rest), tmp_path)
    assert model == lp.AlphaDropout(0.25)
    assert_close(model(IMAGES, ps, lp.test_mode(st))[0], IMAGES)


@pytest.mark.parametrize(
    ("rest", "axes"),
    [((True,), None), ((False,), None), ((COLON,), None), ((3,), (-3,)), ((ints(1, 3), None), (-3, -1))],
    ids=["active until 0.8", "inactive until 0.8", "0.10", "an axis", "axes"],
)
def test_a_later_field_of_dropout_gives_its_axes(rest, axes, tmp_path):
    assert load(flux("Dropout", 0.5, *rest), tmp_path)[0] == lp.Dropout(0.5, axes=axes)


@pytest.mark.parametrize(("name", "want"), [("mean", "mean"), ("sum", "sum"), ("maximum", "max")])
def test_embedding_bag_is_read(name, want, tmp_path):
    table, bags = draw(6, 3), np.array([[0, 5, 2], [1, 1, 4]])
    model = flux("EmbeddingBag", bw.array(table), bw.function(f"Base.{name}"))
    rows = table[bags]
    assert_close(
        compute_outputs(model, bags, tmp_path), {"mean": rows.mean(1), "sum": rows.sum(1), "max": rows.max(1)}[want]
    )


def test_embedding_with_padding_is_read(tmp_path):
    # src/layers/basic.jl at v0.16.11: padding_idx counts from 1, and its row is zero in the gradient only.
    table = draw(5, 2)
    model, ps, st = load(flux("Embedding", bw.array(table), 3), tmp_path)
    assert model == lp.Embedding(5, 2, padding_idx=2)
    assert_close(model(np.array([1, 3]), ps, st)[0], table[[1, 3]])


def test_pairwise_fusion_is_read(tmp_path):
    # src/layers/basic.jl at v0.13.4: y1 = layer1(x1), y2 = layer2(connection(x2, y1)), and so on; all are returned.
    weights = draw(2, 2), draw(2, 2)
    layers = [flux("Dense", bw.array(weight), False, TANH) for weight in weights]
    model = flux("PairwiseFusion", bw.function("Base.+"), bw.tuple_of(*layers))
    x1, x2 = draw(3, 2), draw(3, 2)
    y1 = np.tanh(x1 @ weights[0])
    got = compute_outputs(model, (x1, x2), tmp_path)
    assert_close(got[0], y1)
    assert_close(got[1], np.tanh((x2 + y1) @ weights[1]))


def test_bilinear_without_a_bias_is_read(tmp_path):
    weight, x = draw(3, 3, 2), draw(4, 3)
    assert_close(
        compute_outputs(flux("Bilinear", bw.array(weight), False, TANH), x, tmp_path),
        np.tanh(np.einsum("ni,nj,jio->no", x, x, weight)),
    )


@pytest.mark.parametrize(
    "model",
    [
        lambda s, b: flux("Diagonal", bw.array(s), bw.array(b)),
        lambda s, b: flux("Scale", bw.array(s), bw.array(b), IDENTITY),
    ],
    ids=["Diagonal until 0.12", "Scale since 0.13"],
)
def test_scale_is_read(model, tmp_path):
    scale, bias, x = draw(2, 3), draw(2, 3), draw(4, 2, 3)
    assert_close(compute_outputs(model(scale, bias), x, tmp_path), x * scale + bias)
    assert_close(compute_outputs(flux("Scale", bw.array(scale), False, TANH), x, tmp_path), np.tanh(x * scale))


def test_maxout_and_parallel_with_several_inputs_are_read(tmp_path):
    weights = draw(3, 2), draw(3, 2)
    layers = bw.tuple_of(*[flux("Dense", bw.array(weight), False, IDENTITY) for weight in weights])
    x, y = draw(4, 3), draw(4, 3)
    assert_close(compute_outputs(flux("Maxout", layers), x, tmp_path), np.maximum(x @ weights[0], x @ weights[1]))
    model = flux("Parallel", bw.function("Base.*"), layers)
    assert_close(compute_outputs(model, (x, y), tmp_path), (x @ weights[0]) * (y @ weights[1]))


@pytest.mark.parametrize("bias", [True, False])
def test_multi_head_attention_is_read(bias, tmp_path):
    # src/layers/attention.jl at v0.13.15 to v0.16.11; PyTorch's weights are ours transposed, its scores averaged.
    projections = {name: (draw(4, 4), draw(4)) for name in ("q", "k", "v", "out")}
    q, k, v, out = (
        flux("Dense", bw.array(weight), bw.array(shift) if bias else False, IDENTITY)
        for weight, shift in projections.values()
    )
    model = flux("MultiHeadAttention", 2, q, k, v, flux("Dropout", 0.1, COLON, None, None), out)
    queries, keys = draw(2, 3, 4), draw(2, 5, 4)
    y, scores = compute_outputs(model, (queries, keys), tmp_path)
    reference = torch.nn.MultiheadAttention(4, 2, bias=bias, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.tensor(np.concatenate([projections[n][0].T for n in "qkv"])))
        reference.out_proj.weight.copy_(torch.tensor(projections["out"][0].T))
        if bias:
            reference.in_proj_bias.copy_(torch.tensor(np.concatenate([projections[n][1] for n in "qkv"])))
            reference.out_proj.bias.copy_(torch.tensor(projections["out"][1]))
        want, weights = reference(*map(torch.tensor, (queries, keys, keys)), average_attn_weights=False)
    assert_close(y, want)
    assert_close(scores, weights)


@pytest.mark.parametrize(
    ("layer", "dims", "axes"),
    [
        # reparametrize in src/layers/normalise.jl at v0.16.0 sums over dims; Julia's 2nd axis is our 0th.
        (lambda v: flux("Dense", bw.array(v), bw.array(np.ones(2, np.float32)), IDENTITY), 2, 0),
        (lambda v: flux("Dense", bw.array(v), bw.array(np.ones(2, np.float32)), IDENTITY),
         bw.struct_of(bw.datatype("Base.UnitRange", bw.datatype("Core.Int64")), 1, 2), (0, 1)),
    ],
    ids=["an axis", "all axes"],
)  # fmt: skip
def test_weight_norm_is_read(layer, dims, axes, tmp_path):
    v, x = draw(3, 2), draw(4, 3)
    g = np.abs(draw(*(np.sum(v, axis=axes, keepdims=True).shape)))
    model = flux("WeightNorm", layer(v), bw.array(g), bw.symbol("weight"), dims)
    assert_close(compute_outputs(chain(model), x, tmp_path), x @ (g * v / np.sqrt((v**2).sum(axes, keepdims=True))) + 1)


def test_a_model_inside_another_value_is_loaded_and_named(tmp_path):
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    path = tmp_path / "agent.bson"
    path.write_bytes(bw.bson({"agent": bw.struct_of(bw.datatype("Main.Agent"), 3, dense)}))
    with pytest.warns(UserWarning, match=r"agent\.bson: loaded agent\.1; choose another by name="):
        assert load_model(path)[0] == lp.Dense(4, 2, use_bias=False)
    assert load_model(path, name="agent.1")[0] == lp.Dense(4, 2, use_bias=False)
    rebuild = bw.struct_of(bw.datatype("Optimisers.Restructure"), dense, {}, 8)
    path.write_bytes(bw.bson({"flat": bw.array(draw(8)), "rebuild": rebuild, "opt": {"model": dense}}))
    with pytest.warns(UserWarning, match=r"loaded rebuild\.0;"):
        load_model(path)
    path.write_bytes(bw.bson({"run": {"best": {"model": dense, "loss": 0.5}}}))
    assert load_model(path)[0] == lp.Dense(4, 2, use_bias=False)
    with pytest.raises(FileFormatError, match=r"no model 'last'; its models are run\.best\.model"):
        load_model(path, name="last")
    for version in ("1", "0.3", "0.17", "0.99", "0.06", "0.6.x"):
        for reader in (load_model, lambda path, flux: load_parameters(path, lp.Dense(4, 2), flux=flux)):
            with pytest.raises(ValueError, match=rf"a version of Flux as flux, '0.6' to '0.16', got '{version}'"):
                reader(path, flux=version)


def test_values_that_are_not_read_are_named(tmp_path):
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    path = tmp_path / "vae.bson"
    encoder = bw.struct_of(bw.datatype("Main.Encoder"), dense)
    path.write_bytes(bw.bson({"decoder": dense, "encoder": encoder, "loss": 0.5, "seen": [1, 2]}))
    with pytest.warns(
        UserWarning, match=r"loaded decoder, but other entries have layers, too: encoder; choose another by name="
    ):
        load_model(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(path, name="encoder.0")


def test_a_file_may_be_a_dictionary(tmp_path):
    # m)) writes => bson(path, Dict("model" => m)) writes it; BSON.@save writes the names as they are.
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    dictionary = bw.datatype("Base.Dict", bw.datatype("Core.String"), bw.datatype("Core.Any"))
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson(bw.struct_of(dictionary, ["model", "epoch"], [dense, 3])))
    assert load_model(path)[0] == lp.Dense(4, 2, use_bias=False)
    path.write_bytes(bw.bson(dense))
    assert load_model(path)[0] == lp.Dense(4, 2, use_bias=False)


def test_layers_that_share_their_arrays_in_the_file_are_tied(tmp_path):
    weight = bw.array(draw(2, 2))
    dense = flux("Dense", bw.backref(1), False, IDENTITY)
    other = flux("Dense", bw.array(draw(2, 2)), False, IDENTITY)
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson({"model": chain(dense, other, dense), "_backrefs": [weight]}))
    model, ps, st = load_model(path)
    assert isinstance(model, lp.Tied) and lp.parameter_length(model) == 8
    x = draw(3, 2)
    first, second = ps["layer_1"]["weight"], ps["layer_2"]["weight"]
    np.testing.assert_allclose(model(x, ps, st)[0], x @ first @ second @ first, rtol=1e-5)


def test_lux_layers_are_read_without_field_names(tmp_path):
    """BSON.jl stores no names: Lux 0.4's Dense{true}."""
    draws = bw.function("WeightInitializers.zeros32")
    weight, bias, x = draw(4, 2), draw(2), draw(3, 4)
    names = bw.tuple_of(bw.symbol("weight"), bw.symbol("bias"))
    kind = bw.datatype("Core.NamedTuple", names, bw.datatype("Core.Tuple"))
    path = tmp_path / "lux.bson"
    dense = bw.struct_of(bw.datatype("Lux.Dense", True), TANH, 4, 2, draws, draws)
    path.write_bytes(bw.bson({"model": dense, "ps": bw.struct_of(kind, bw.array(weight), bw.array(bias))}))
    model, ps, st = load_model(path)
    assert_close(model(x, ps, st)[0], np.tanh(x @ weight + bias))
    path.write_bytes(bw.bson({"model": bw.struct_of(bw.datatype("Lux.Dense"), TANH, 4, 2)}))
    with pytest.raises(FileFormatError, match=r"a Lux\.Dense with 3 fields; luxport knows 5 or 6"):
        load_model(path)


@pytest.mark.parametrize(
    ("wrapped", "want"),
    [
        (lambda a: bw.struct_of(bw.datatype("LinearAlgebra.Transpose"), bw.array(a)), lambda a: a.T),
        (lambda a: bw.struct_of(bw.datatype("LinearAlgebra.Adjoint"), bw.array(a[0])), lambda a: a[0][:, None]),
        (lambda a: bw.struct_of(bw.datatype("Base.ReshapedArray"), bw.array(a), ints(2, 6), ints()),
         lambda a: a.reshape(6, 2)),
        (lambda a: bw.struct_of(bw.datatype("Base.PermutedDimsArray", bw.datatype("Core.Float32"), 2, ints(2, 1)),
                                bw.array(a)), lambda a: a.T),
        # Julia's view(a, 1:2, 3): the first axis is our last.
        (lambda a: bw.struct_of(bw.datatype("Base.SubArray"), bw.array(a), bw.tuple_of(
            bw.struct_of(bw.datatype("Base.UnitRange"), 1, 2), bw.struct_of(bw.datatype("Base.Slice"), 3)), 0, 1),
         lambda a: a[:, :2]),
    ],
    ids=["transpose", "adjoint of a vector", "reshape", "permuted", "view"],
)  # fmt: skip
def test_wrapped_arrays_are_read(wrapped, want, tmp_path):
    inner = draw(3, 4)
    path = tmp_path / "p.bson"
    path.write_bytes(bw.bson({"p": {"weight": wrapped(inner)}}))
    n, m = want(inner).shape
    np.testing.assert_array_equal(
        load_parameters(path, lp.Dense(n, m, use_bias=False), backend="numpy")[0]["weight"], want(inner)
    )
