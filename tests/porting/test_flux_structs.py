"""Flux's structs that few models have, and those whose meaning changed between versions."""

# torch and NumPy are the second implementations.
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import warnings

import bson_writer as bw
import jld2_writer as jw
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_flux_models import GATES, IDENTITY, TANH, WH, WI, chain, close, draw, flux, ints, loaded, outputs

import luxport as lp
from luxport.porting import FileFormatError, load_model, load_parameters

IMAGES = draw(2, 4, 3, 5)
COLON = bw.struct_of(bw.datatype("Base.Colon"))


def float32(value):
    return bw.bits_of("Core.Float32", np.float32(value).tobytes())


@pytest.mark.parametrize(
    ("mode", "fields", "want"),
    [
        # The fields of Upsample{mode}: src/layers/upsample.jl at v0.12.0. Julia's (2, 3) is along (w, h).
        ("nearest", (2, None), lambda x: F.interpolate(x, scale_factor=2)),
        ("nearest", (ints(2, 3), None), lambda x: F.interpolate(x, scale_factor=(3, 2))),
        ("nearest", (None, ints(10, 6)), lambda x: F.interpolate(x, size=(6, 10))),
        ("bilinear", (2, None), lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)),
        ("bilinear", (None, ints(7, 4)), lambda x: F.interpolate(x, (4, 7), mode="bilinear", align_corners=True)),
    ],
)
def test_upsample(mode, fields, want, tmp_path):
    model = flux("Upsample", *fields, params=[bw.symbol(mode)])
    close(outputs(model, IMAGES, tmp_path), want(torch.tensor(IMAGES)))


def test_pixel_shuffle(tmp_path):
    # NNlib's puts the parts of a channel side by side, first along the width, as torch's does.
    close(outputs(flux("PixelShuffle", 2), IMAGES, tmp_path), F.pixel_shuffle(torch.tensor(IMAGES), 2))


def test_adaptive_mean_pool(tmp_path):
    close(
        outputs(flux("AdaptiveMeanPool", ints(2, 3)), IMAGES, tmp_path),
        F.adaptive_avg_pool2d(torch.tensor(IMAGES), (3, 2)),
    )


@pytest.mark.parametrize("rest", [(), (True,), (None, None)], ids=["0.10", "0.8 to 0.12", "since 0.13"])
def test_alpha_dropout(rest, tmp_path):
    model, ps, st = loaded(flux("AlphaDropout", 0.25, *rest), tmp_path)
    assert model == lp.AlphaDropout(0.25)
    close(model(IMAGES, ps, lp.test_mode(st))[0], IMAGES)


@pytest.mark.parametrize(
    ("rest", "axes"),
    [((True,), None), ((False,), None), ((COLON,), None), ((3,), (-3,)), ((ints(1, 3), None), (-3, -1))],
    ids=["active until 0.8", "inactive until 0.8", "0.10", "an axis", "axes"],
)
def test_what_the_second_field_of_dropout_means(rest, axes, tmp_path):
    assert loaded(flux("Dropout", 0.5, *rest), tmp_path)[0] == lp.Dropout(0.5, axes=axes)


@pytest.mark.parametrize(("name", "want"), [("mean", "mean"), ("sum", "sum"), ("maximum", "max")])
def test_embedding_bag(name, want, tmp_path):
    table, bags = draw(6, 3), np.array([[0, 5, 2], [1, 1, 4]])
    model = flux("EmbeddingBag", bw.array(table), bw.function(f"Base.{name}"))
    rows = table[bags]
    close(outputs(model, bags, tmp_path), {"mean": rows.mean(1), "sum": rows.sum(1), "max": rows.max(1)}[want])


def test_embedding_with_padding(tmp_path):
    # src/layers/basic.jl at v0.16.11: padding_idx counts from 1, and its row is zero in the gradient only.
    table = draw(5, 2)
    model, ps, st = loaded(flux("Embedding", bw.array(table), 3), tmp_path)
    assert model == lp.Embedding(5, 2, padding_idx=2)
    close(model(np.array([1, 3]), ps, st)[0], table[[1, 3]])


def test_pairwise_fusion(tmp_path):
    # src/layers/basic.jl at v0.13.4: y1 = layer1(x1), y2 = layer2(connection(x2, y1)), and so on; all are returned.
    weights = draw(2, 2), draw(2, 2)
    layers = [flux("Dense", bw.array(weight), False, TANH) for weight in weights]
    model = flux("PairwiseFusion", bw.function("Base.+"), bw.tuple_of(*layers))
    x1, x2 = draw(3, 2), draw(3, 2)
    y1 = np.tanh(x1 @ weights[0])
    got = outputs(model, (x1, x2), tmp_path)
    close(got[0], y1)
    close(got[1], np.tanh((x2 + y1) @ weights[1]))


def test_bilinear_without_a_bias(tmp_path):
    weight, x = draw(3, 3, 2), draw(4, 3)
    close(
        outputs(flux("Bilinear", bw.array(weight), False, TANH), x, tmp_path),
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
def test_scale(model, tmp_path):
    scale, bias, x = draw(2, 3), draw(2, 3), draw(4, 2, 3)
    close(outputs(model(scale, bias), x, tmp_path), x * scale + bias)
    close(outputs(flux("Scale", bw.array(scale), False, TANH), x, tmp_path), np.tanh(x * scale))


def test_maxout_and_parallel_with_several_inputs(tmp_path):
    weights = draw(3, 2), draw(3, 2)
    layers = bw.tuple_of(*[flux("Dense", bw.array(weight), False, IDENTITY) for weight in weights])
    x, y = draw(4, 3), draw(4, 3)
    close(outputs(flux("Maxout", layers), x, tmp_path), np.maximum(x @ weights[0], x @ weights[1]))
    model = flux("Parallel", bw.function("Base.*"), layers)
    close(outputs(model, (x, y), tmp_path), (x @ weights[0]) * (y @ weights[1]))


@pytest.mark.parametrize("bias", [True, False])
def test_multi_head_attention(bias, tmp_path):
    # src/layers/attention.jl at v0.13.15 to v0.16.11; torch's weights are ours turned round, its scores averaged.
    projections = {name: (draw(4, 4), draw(4)) for name in ("q", "k", "v", "out")}
    q, k, v, out = (
        flux("Dense", bw.array(weight), bw.array(shift) if bias else False, IDENTITY)
        for weight, shift in projections.values()
    )
    model = flux("MultiHeadAttention", 2, q, k, v, flux("Dropout", 0.1, COLON, None, None), out)
    queries, keys = draw(2, 3, 4), draw(2, 5, 4)
    y, scores = outputs(model, (queries, keys), tmp_path)
    reference = torch.nn.MultiheadAttention(4, 2, bias=bias, batch_first=True)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.tensor(np.concatenate([projections[n][0].T for n in "qkv"])))
        reference.out_proj.weight.copy_(torch.tensor(projections["out"][0].T))
        if bias:
            reference.in_proj_bias.copy_(torch.tensor(np.concatenate([projections[n][1] for n in "qkv"])))
            reference.out_proj.bias.copy_(torch.tensor(projections["out"][1]))
        want, weights = reference(*map(torch.tensor, (queries, keys, keys)), average_attn_weights=False)
    close(y, want)
    close(scores, weights)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gru_step(x, h, wi, wh, b, version3=None):
    """Source: src/layers/recurrent.jl at v0.12.7, v0.14.25, v0.16.11."""
    gx, bias = np.split(x @ wi, 3, -1), np.split(b, 3)
    gh = np.split(h @ wh, 2 if version3 is not None else 3, -1)
    r, z = sigmoid(gx[0] + gh[0] + bias[0]), sigmoid(gx[1] + gh[1] + bias[1])
    inner = (r * h) @ version3 if version3 is not None else r * gh[2]
    return (1 - z) * np.tanh(gx[2] + inner + bias[2]) + z * h


def run(step, x, h):
    found = []
    for i in range(x.shape[1]):
        h = step(x[:, i], h)
        found.append(h)
    return np.stack(found, 1)


CELLS = {
    "RNN": ([TANH], (2, 2), lambda x, h, a: np.tanh(x @ a[0] + h @ a[1] + a[2])),
    "GRU": ([], (6, 6), lambda x, h, a: gru_step(x, h, *a)),
    "GRUv3": ([], (6, 4), lambda x, h, a: gru_step(x, h, *a)),
}


def cell(name, state=None):
    """Return a cell, its formula, and its arrays: without a state of its own since 0.15."""
    first, (wide, recurrent), step = CELLS[name]
    arrays = [draw(3, wide), draw(2, recurrent), draw(wide)] + ([draw(2, 2)] if name == "GRUv3" else [])
    written = map(bw.array, arrays)
    return flux(f"{name}Cell", *first, *written, *([] if state is None else [bw.array(state)])), step, arrays


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("trained", [False, True])
def test_recur_until_0_14(name, trained, tmp_path):
    # "state0 is trainable": src/layers/recurrent.jl at v0.14.25; its size in Julia is (2, 1), until 0.11 (2,).
    start = draw(1, 2) if trained else np.zeros((1, 2), np.float32)
    inner, step, arrays = cell(name, start)
    layer, ps, st = loaded(flux("Recur", inner, bw.array(draw(1, 2))), tmp_path)
    x, steps = draw(4, 3, 3), []
    for i in range(3):
        y, st = layer(x[:, i], ps, st)
        steps.append(y)
    close(np.stack(steps, 1), run(lambda x, h: step(x, h, arrays), x, np.tile(start, (4, 1))))
    assert ("hidden_state" in ps) == trained


def test_lstm_with_trained_h_and_c_until_0_11(tmp_path):
    h, c = draw(2), draw(2)
    inner = flux("LSTMCell", *map(bw.array, (WI, WH, GATES, h, c)))
    layer, ps, st = loaded(flux("Recur", inner, bw.tuple_of(), bw.tuple_of()), tmp_path)
    x = draw(4, 3)
    reference = torch.nn.LSTMCell(3, 2)
    with torch.no_grad():
        for parameter, value in zip(reference.parameters(), (WI.T, WH.T, GATES, GATES * 0), strict=True):
            parameter.copy_(torch.tensor(value))
        start = torch.tensor(np.tile(h, (4, 1))), torch.tensor(np.tile(c, (4, 1)))
        want, _ = reference(torch.tensor(x), start)
    close(layer(x, ps, st)[0], want)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("returned", [None, False, True], ids=["0.15", "0.16", "0.16 with its state"])
def test_sequences_since_0_15(name, returned, tmp_path):
    inner, step, arrays = cell(name)
    params = [] if returned is None else [returned, bw.datatype(f"Flux.{name}Cell")]
    x = draw(4, 5, 3)
    want = run(lambda x, h: step(x, h, arrays), x, np.zeros((4, 2), np.float32))
    for kind in (name, "Recurrence") if returned is not None else (name,):
        got = outputs(flux(kind, inner, params=params), x, tmp_path)
        if returned:
            got, (state,) = got
            close(state, want[:, -1])
        close(got, want)


def test_what_is_no_cell_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"cell: a recurrent cell of Flux expected, got Dense\(2, 2"):
        loaded(flux("Recur", flux("Dense", bw.array(draw(2, 2)), False, IDENTITY), None), tmp_path)


@pytest.mark.parametrize(
    ("layer", "dims", "axes"),
    [
        # reparametrize in src/layers/normalise.jl at v0.16.0: dims are summed over; Julia's 2nd axis is our 0th.
        (lambda v: flux("Dense", bw.array(v), bw.array(np.ones(2, np.float32)), IDENTITY), 2, 0),
        (lambda v: flux("Dense", bw.array(v), bw.array(np.ones(2, np.float32)), IDENTITY),
         bw.struct_of(bw.datatype("Base.UnitRange", bw.datatype("Core.Int64")), 1, 2), (0, 1)),
    ],
    ids=["an axis", "all axes"],
)  # fmt: skip
def test_weight_norm(layer, dims, axes, tmp_path):
    v, x = draw(3, 2), draw(4, 3)
    g = np.abs(draw(*(np.sum(v, axis=axes, keepdims=True).shape)))
    model = flux("WeightNorm", layer(v), bw.array(g), bw.symbol("weight"), dims)
    close(outputs(chain(model), x, tmp_path), x @ (g * v / np.sqrt((v**2).sum(axes, keepdims=True))) + 1)


# Normalizations, whose formulas changed.

SCALE, SHIFT, MEAN, MOVING = draw(4), draw(4), draw(4), np.abs(draw(4)) + 0.5
NORM = [bw.array(a) for a in (SHIFT, SCALE, MEAN, MOVING)]
UNSURE = flux("BatchNorm", IDENTITY, *[bw.array(draw(3)) for _ in range(4)], 1e-3, 0.1, True)


def normed(mean, root, x=IMAGES):
    def along(v):
        return v.reshape(-1, 1, 1)

    return (x - along(mean)) / along(root) * along(SCALE) + along(SHIFT)


def old_chain(*layers):
    """Flux 0.6's Chain has a Vector{Any}, and no parameters."""
    return flux("Chain", list(layers))


def new_chain(*layers):
    return flux("Chain", bw.tuple_of(*layers), params=[bw.datatype("Core.Tuple")])


@pytest.mark.parametrize(
    ("wrap", "epsilon", "options", "deviation", "warned"),
    [
        (old_chain, 1e-8, {}, True, False),
        (new_chain, 1e-8, {}, False, False),
        (new_chain, 1e-5, {}, False, False),
        (lambda layer: layer, 1e-8, {}, True, True),
        (lambda layer: layer, 1e-5, {}, False, False),
        (lambda layer: layer, 1e-3, {}, False, True),
        (lambda layer: layer, 1e-8, {"flux": "0.9"}, False, False),
        (lambda layer: layer, 1e-5, {"flux": "v0.6.10"}, True, False),
    ],
    ids=["0.6 by its Chain", "0.7 by its Chain", "usual", "0.6 by ϵ", "0.7 by ϵ", "unknown", "told 0.9", "told 0.6"],
)
def test_batch_norm_kept_a_standard_deviation_until_0_6(wrap, epsilon, options, deviation, warned, tmp_path):
    model = wrap(flux("BatchNorm", IDENTITY, *NORM, epsilon, 0.1, True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = outputs(model, IMAGES, tmp_path, **options)
    close(got, normed(MEAN, MOVING if deviation else np.sqrt(MOVING + epsilon)))
    assert len(caught) == warned
    if warned:
        assert "name the version, as load_model(..., flux='0.6')" in str(caught[0].message)
    # Parameters alone are read as a model is, wherever they are and whatever is beside them.
    path = tmp_path / "norm.bson"
    path.write_bytes(bw.bson({"run": {"best": {"model": model}, "last": [UNSURE, UNSURE]}}))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layer, _, st = load_model(path, name="run.best.model", backend="numpy", **options)
        told = len(caught)
        _, again = load_parameters(path, layer, backend="numpy", **options)
    assert len(caught) == 2 * warned and told == warned
    for one, other in zip(lp.tree.leaves(st), lp.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    if warned:
        assert "name the version, as load_parameters(..., flux='0.6')" in str(caught[1].message)


def test_the_models_of_two_versions_in_one_file(tmp_path):
    """A file that contradicts itself says nothing; each of its models does, and so does a struct of 11 fields."""
    eight = flux("BatchNorm", IDENTITY, *NORM, 1e-5, 0.1, True)
    eleven = flux("BatchNorm", IDENTITY, *NORM, 1e-8, 0.1, True, True, None, 4)
    dense = flux("Dense", bw.array(draw(4, 4)), False, IDENTITY)
    path = tmp_path / "both.bson"
    models = {"old": old_chain(eight), "new": new_chain(eleven), "bare": eleven, "late": new_chain(dense)}
    path.write_bytes(bw.bson(models))
    norm, chained = lp.BatchNorm(4), lp.Chain(lp.BatchNorm(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, model, want in (("old", chained, MOVING**2 - 1e-5), ("new", chained, MOVING), ("bare", norm, MOVING)):
            _, _, st = load_model(path, name=name, backend="numpy")
            _, fitted = load_parameters(path, model, name=name, backend="numpy")
            for states in (st, fitted):
                np.testing.assert_allclose(states.get("layer_1", states)["running_var"], want, rtol=1e-6)


@pytest.mark.parametrize("variance", [None, {"a": 1}], ids=["nothing", "a dict"])
def test_a_batch_norm_without_a_variance_is_no_obstacle(variance, tmp_path):
    broken = flux("BatchNorm", IDENTITY, *NORM[:3], variance, 1e-8, 0.1, True)
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    path = tmp_path / "norm.bson"
    path.write_bytes(bw.bson({"model": dense, "old": broken}))
    assert load_parameters(path, lp.Dense(4, 2, use_bias=False), backend="numpy")[0]["weight"].shape == (4, 2)
    got = "NoneType" if variance is None else "dict"
    with pytest.raises(FileFormatError, match=rf"norm\.bson: old: running_var: an array expected, got {got}$"):
        load_parameters(path, lp.BatchNorm(4), name="old")


def test_an_epsilon_that_is_no_number_is_named(tmp_path):
    path = tmp_path / "norm.bson"
    broken = flux("BatchNorm", IDENTITY, *NORM, "small", 0.1, True)
    path.write_bytes(bw.bson({"model": chain(broken), "other": 3}))
    with pytest.raises(FileFormatError, match=r"norm\.bson: model: layer_1\.ϵ: a number expected, got str$"):
        load_parameters(path, lp.Chain(lp.BatchNorm(4)), flux="0.6")
    assert load_parameters(path, lp.Chain(lp.BatchNorm(4)), flux="0.9", backend="numpy")[1]["layer_1"]


@pytest.mark.parametrize("name", ["σ", "σ²"])
def test_jld2_names_what_batch_norm_kept(name, tmp_path):
    w = jw.JLD2Writer()
    names = [("λ", None), ("β", SHIFT), ("γ", SCALE), ("μ", MEAN), (name, MOVING)]
    function = w.singleton("Base.#identity")
    record = jw.compound([(n, jw.REFERENCE) for n, value in names if value is not None] + [("ϵ", jw.FLOAT64),
                         ("momentum", jw.FLOAT64)])  # fmt: skip
    kind = w.commit(
        w.type_record("Flux.BatchNorm"),
        record,
        fields=[(n, function if value is None else 0) for n, value in names] + [("ϵ", 0), ("momentum", 0)],
    )
    places = [w.array(value, jw.FLOAT32) for _, value in names if value is not None]
    data = np.array(places, "<u8").tobytes() + np.array([1e-8, 0.1]).tobytes()
    path = tmp_path / "norm.jld2"
    path.write_bytes(w.finish(model=w.scalar(jw.shared(kind), data)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, ps, st = load_model(path, backend="numpy")
    close(model(IMAGES, ps, lp.test_mode(st))[0], normed(MEAN, MOVING if name == "σ" else np.sqrt(MOVING)))
    _, fitted = load_parameters(path, lp.BatchNorm(4), backend="numpy")
    close(fitted["running_var"], MOVING**2 if name == "σ" else MOVING)


ROWS = draw(5, 4) / 100


def layer_norm(x, epsilon, correction=0, inside=False):
    mean, deviation = x.mean(-1, keepdims=True), x.std(-1, ddof=correction, keepdims=True)
    root = np.sqrt(deviation**2 + epsilon**2) if inside else deviation + epsilon
    return (x - mean) / root * SCALE + SHIFT


@pytest.mark.parametrize(
    ("version", "formula"),
    [
        # normalize in src/layers/stateless.jl at v0.6.10, v0.9.0, v0.11.6
        ("0.6", {"epsilon": 0, "correction": 1}),
        ("0.9", {"epsilon": 0}),
        ("0.11", {"epsilon": 1e-5}),
    ],
)
def test_layer_norm_until_0_11(version, formula, tmp_path):
    model = flux("LayerNorm", flux("Diagonal", bw.array(SCALE), bw.array(SHIFT)))
    close(outputs(model, ROWS, tmp_path, flux=version), layer_norm(ROWS, **formula))
    with pytest.warns(UserWarning, match="divides by n - 1 until Flux 0.7.2"):
        close(outputs(model, ROWS, tmp_path), layer_norm(ROWS, 1e-5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        close(outputs(new_chain(model), ROWS, tmp_path), layer_norm(ROWS, 1e-5))
        close(outputs(old_chain(model), ROWS, tmp_path), layer_norm(ROWS, 0, 1))


@pytest.mark.parametrize(("version", "inside"), [("0.12", False), ("0.14", False), (None, False), ("0.15", True)])
def test_layer_norm_since_0_12(version, inside, tmp_path):
    # A large epsilon, to tell the formulas apart: v0.14.25, v0.15.0.
    diagonal = flux("Scale", bw.array(SCALE), bw.array(SHIFT), TANH)
    model = flux("LayerNorm", TANH, diagonal, float32(0.125), ints(4), True)
    close(outputs(model, ROWS, tmp_path, flux=version), np.tanh(layer_norm(ROWS, 0.125, inside=inside)))
    plain = flux("LayerNorm", IDENTITY, IDENTITY, float32(0.125), ints(4), False)
    want = (layer_norm(ROWS, 0.125, inside=inside) - SHIFT) / SCALE
    np.testing.assert_allclose(outputs(plain, ROWS, tmp_path, flux=version), want, rtol=1e-4, atol=1e-4)


def test_old_layer_norm_in_every_place(tmp_path):
    model, ps, st = loaded(chain(flux("LayerNorm", flux("Diagonal", bw.array(SCALE), bw.array(SHIFT)))), tmp_path)
    assert lp.output_shape(model, (7, 4)) == (7, 4)
    with pytest.raises(lp.LayerError, match=r"OldLayerNorm at layer_1 expects \(\.\.\., 4\), got \(5, 3\)"):
        model(ROWS[:, :3], ps, st)


def test_group_norm_with_statistics_until_0_11(tmp_path):
    # src/layers/normalise.jl at v0.11.6: μ and σ² of each group, (G, 1), are used in tests.
    mean, variance = draw(2), np.abs(draw(2)) + 0.5
    model = flux("GroupNorm", 2, TANH, bw.array(SHIFT), bw.array(SCALE), bw.array(mean.reshape(1, 2)),
                 bw.array(variance.reshape(1, 2)), 1e-3, 0.1, None)  # fmt: skip
    with pytest.warns(UserWarning, match="a GroupNorm with moving statistics"):
        got = outputs(model, IMAGES, tmp_path)
    close(got, np.tanh(normed(np.repeat(mean, 2), np.sqrt(np.repeat(variance, 2) + 1e-3))))


def test_instance_norm_with_statistics_until_0_11(tmp_path):
    model = flux("InstanceNorm", IDENTITY, *NORM, 1e-3, 0.1, None)
    close(outputs(model, IMAGES, tmp_path), normed(MEAN, np.sqrt(MOVING + 1e-3)))


def test_a_model_inside_other_things_is_named(tmp_path):
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    path = tmp_path / "agent.bson"
    path.write_bytes(bw.bson({"agent": bw.struct_of(bw.datatype("Main.Agent"), 3, dense)}))
    with pytest.warns(UserWarning, match=r"agent\.bson: this loads agent\.1; name= chooses"):
        assert load_model(path)[0] == lp.Dense(4, 2, use_bias=False)
    assert load_model(path, name="agent.1")[0] == lp.Dense(4, 2, use_bias=False)
    rebuild = bw.struct_of(bw.datatype("Optimisers.Restructure"), dense, {}, 8)
    path.write_bytes(bw.bson({"flat": bw.array(draw(8)), "rebuild": rebuild, "opt": {"model": dense}}))
    with pytest.warns(UserWarning, match=r"this loads rebuild\.0;"):
        load_model(path)
    path.write_bytes(bw.bson({"run": {"best": {"model": dense, "loss": 0.5}}}))
    assert load_model(path)[0] == lp.Dense(4, 2, use_bias=False)
    with pytest.raises(FileFormatError, match=r"no model 'last'; there are run\.best\.model"):
        load_model(path, name="last")
    for version in ("1", "0.3", "0.17", "0.99", "0.06", "0.6.x"):
        for reader in (load_model, lambda path, flux: load_parameters(path, lp.Dense(4, 2), flux=flux)):
            with pytest.raises(ValueError, match=rf"a version of Flux as flux, '0.6' to '0.16', got '{version}'"):
                reader(path, flux=version)


def test_what_is_left_behind_is_named(tmp_path):
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    path = tmp_path / "vae.bson"
    encoder = bw.struct_of(bw.datatype("Main.Encoder"), dense)
    path.write_bytes(bw.bson({"decoder": dense, "encoder": encoder, "loss": 0.5, "seen": [1, 2]}))
    with pytest.warns(UserWarning, match=r"this loads decoder and leaves behind what else has layers: encoder; name="):
        load_model(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(path, name="encoder.0")


def test_a_file_that_is_itself_a_dictionary(tmp_path):
    # What bson(path, Dict("model" => m)) writes, where BSON.@save writes the names as they are.
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


def test_lux_layers_are_read_without_names_of_fields_too(tmp_path):
    """BSON.jl stores no names: Lux 0.4's Dense{true}."""
    draws = bw.function("WeightInitializers.zeros32")
    weight, bias, x = draw(4, 2), draw(2), draw(3, 4)
    names = bw.tuple_of(bw.symbol("weight"), bw.symbol("bias"))
    kind = bw.datatype("Core.NamedTuple", names, bw.datatype("Core.Tuple"))
    path = tmp_path / "lux.bson"
    dense = bw.struct_of(bw.datatype("Lux.Dense", True), TANH, 4, 2, draws, draws)
    path.write_bytes(bw.bson({"model": dense, "ps": bw.struct_of(kind, bw.array(weight), bw.array(bias))}))
    model, ps, st = load_model(path)
    close(model(x, ps, st)[0], np.tanh(x @ weight + bias))
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
def test_arrays_in_wrappers(wrapped, want, tmp_path):
    inner = draw(3, 4)
    path = tmp_path / "p.bson"
    path.write_bytes(bw.bson({"p": {"weight": wrapped(inner)}}))
    n, m = want(inner).shape
    np.testing.assert_array_equal(
        load_parameters(path, lp.Dense(n, m, use_bias=False), backend="numpy")[0]["weight"], want(inner)
    )


LSTM = lp.StatefulRecurrentCell(lp.LSTMCell(3, 2, use_recurrent_bias=False))
TRAINED_LSTM = lp.StatefulRecurrentCell(
    lp.LSTMCell(3, 2, use_recurrent_bias=False, train_state=True, train_memory=True)
)


@pytest.mark.parametrize("form", ["params", "state", "model"])
@pytest.mark.parametrize("trained", [False, True])
def test_initial_states_in_parameters(form, trained, tmp_path):
    """Flux 0.12 to 0.14 count them among the parameters: those of zeros have no place here and need none."""
    h, c = (draw(1, 2), draw(1, 2)) if trained else (np.zeros((1, 2), np.float32),) * 2
    arrays = [bw.array(a) for a in (WI, WH, GATES)]
    start = bw.tuple_of(bw.array(h), bw.array(c))
    names = bw.tuple_of(*map(bw.symbol, ("Wi", "Wh", "b", "state0")))
    saved = {
        "params": [*arrays, bw.array(h), bw.array(c)],
        "state": {"cell": bw.struct_of(bw.datatype("Core.NamedTuple", names, bw.datatype("Core.Tuple")),
                                       *arrays, start)},
        "model": flux("Recur", flux("LSTMCell", *arrays, start), start),
    }[form]  # fmt: skip
    path = tmp_path / "lstm.bson"
    path.write_bytes(bw.bson({"p": saved}))
    ps, _ = load_parameters(path, TRAINED_LSTM, backend="numpy")
    np.testing.assert_array_equal(ps["hidden_state"], h[0])
    np.testing.assert_array_equal(ps["memory"], c[0])
    if trained:
        wrong = "3 arrays expected, got 5" if form == "params" else "state0 is left over; c is left over"
        with pytest.raises(FileFormatError, match=wrong):
            load_parameters(path, LSTM)
    else:
        np.testing.assert_array_equal(load_parameters(path, LSTM, backend="numpy")[0]["bias_ih"], GATES)
