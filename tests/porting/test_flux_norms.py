"""Norms of every version of Flux are read, whatever they kept (a variance or a deviation) and wherever."""

# torch and NumPy are the second implementations.
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import warnings

import bson_writer as bw
import jld2_writer as jw
import numpy as np
import pytest
from flux_files import IDENTITY, TANH, assert_close, chain, compute_outputs, draw, flux, ints, load
from flux_norms import IMAGES, MEAN, MOVING, NORM, SCALE, SHIFT, UNSURE, float32, new_chain, normalize, old_chain

import luxport as lp
from luxport.porting import FileFormatError, load_model, load_parameters


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
def test_batch_norms_standard_deviation_is_read_until_0_6(wrap, epsilon, options, deviation, warned, tmp_path):
    model = wrap(flux("BatchNorm", IDENTITY, *NORM, epsilon, 0.1, True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = compute_outputs(model, IMAGES, tmp_path, **options)
    assert_close(got, normalize(MEAN, MOVING if deviation else np.sqrt(MOVING + epsilon)))
    assert len(caught) == warned
    if warned:
        assert "give the version of Flux, as load_model(..., flux='0.6')" in str(caught[0].message)
    # Parameters alone are read as in a model, wherever they are and whatever is beside them.
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
        assert "give the version of Flux, as load_parameters(..., flux='0.6')" in str(caught[1].message)


def test_models_of_two_versions_in_one_file_are_read_each_by_its_own(tmp_path):
    """A file that contradicts itself gives no version; each of its models does, and so does a struct of 11 fields."""
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
def test_a_batch_norm_without_a_variance_is_read(variance, tmp_path):
    broken = flux("BatchNorm", IDENTITY, *NORM[:3], variance, 1e-8, 0.1, True)
    dense = flux("Dense", bw.array(draw(4, 2)), False, IDENTITY)
    path = tmp_path / "norm.bson"
    path.write_bytes(bw.bson({"model": dense, "old": broken}))
    assert load_parameters(path, lp.Dense(4, 2, use_bias=False), backend="numpy")[0]["weight"].shape == (4, 2)
    got = "NoneType" if variance is None else "dict"
    with pytest.raises(FileFormatError, match=rf"norm\.bson: old: running_var: expected an array, got {got}$"):
        load_parameters(path, lp.BatchNorm(4), name="old")


def test_an_epsilon_that_is_not_a_number_is_named(tmp_path):
    path = tmp_path / "norm.bson"
    broken = flux("BatchNorm", IDENTITY, *NORM, "small", 0.1, True)
    path.write_bytes(bw.bson({"model": chain(broken), "other": 3}))
    with pytest.raises(FileFormatError, match=r"norm\.bson: model: layer_1\.ϵ: expected a number, got str$"):
        load_parameters(path, lp.Chain(lp.BatchNorm(4)), flux="0.6")
    assert load_parameters(path, lp.Chain(lp.BatchNorm(4)), flux="0.9", backend="numpy")[1]["layer_1"]


@pytest.mark.parametrize("name", ["σ", "σ²"])
def test_field_names_of_jld2_tell_what_batch_norm_kept(name, tmp_path):
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
    assert_close(model(IMAGES, ps, lp.test_mode(st))[0], normalize(MEAN, MOVING if name == "σ" else np.sqrt(MOVING)))
    _, fitted = load_parameters(path, lp.BatchNorm(4), backend="numpy")
    assert_close(fitted["running_var"], MOVING**2 if name == "σ" else MOVING)


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
def test_layer_norm_until_0_11_has_its_formula(version, formula, tmp_path):
    model = flux("LayerNorm", flux("Diagonal", bw.array(SCALE), bw.array(SHIFT)))
    assert_close(compute_outputs(model, ROWS, tmp_path, flux=version), layer_norm(ROWS, **formula))
    with pytest.warns(UserWarning, match="divides by n - 1 until Flux 0.7.2"):
        assert_close(compute_outputs(model, ROWS, tmp_path), layer_norm(ROWS, 1e-5))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_close(compute_outputs(new_chain(model), ROWS, tmp_path), layer_norm(ROWS, 1e-5))
        assert_close(compute_outputs(old_chain(model), ROWS, tmp_path), layer_norm(ROWS, 0, 1))


@pytest.mark.parametrize(("version", "inside"), [("0.12", False), ("0.14", False), (None, False), ("0.15", True)])
def test_layer_norm_since_0_12_has_its_formula(version, inside, tmp_path):
    # A large epsilon shows which formula is used: v0.14.25, v0.15.0.
    diagonal = flux("Scale", bw.array(SCALE), bw.array(SHIFT), TANH)
    model = flux("LayerNorm", TANH, diagonal, float32(0.125), ints(4), True)
    assert_close(compute_outputs(model, ROWS, tmp_path, flux=version), np.tanh(layer_norm(ROWS, 0.125, inside=inside)))
    plain = flux("LayerNorm", IDENTITY, IDENTITY, float32(0.125), ints(4), False)
    want = (layer_norm(ROWS, 0.125, inside=inside) - SHIFT) / SCALE
    np.testing.assert_allclose(compute_outputs(plain, ROWS, tmp_path, flux=version), want, rtol=1e-4, atol=1e-4)


def test_an_old_layer_norm_is_read_at_every_place(tmp_path):
    model, ps, st = load(chain(flux("LayerNorm", flux("Diagonal", bw.array(SCALE), bw.array(SHIFT)))), tmp_path)
    assert lp.output_shape(model, (7, 4)) == (7, 4)
    with pytest.raises(lp.LayerError, match=r"OldLayerNorm at layer_1 expects \(\.\.\., 4\), got \(5, 3\)"):
        model(ROWS[:, :3], ps, st)


def test_group_norms_statistics_are_read_until_0_11(tmp_path):
    # src/layers/normalise.jl at v0.11.6: test mode uses μ and σ² of each group, (G, 1).
    mean, variance = draw(2), np.abs(draw(2)) + 0.5
    model = flux("GroupNorm", 2, TANH, bw.array(SHIFT), bw.array(SCALE), bw.array(mean.reshape(1, 2)),
                 bw.array(variance.reshape(1, 2)), 1e-3, 0.1, None)  # fmt: skip
    with pytest.warns(UserWarning, match="a GroupNorm with moving statistics"):
        got = compute_outputs(model, IMAGES, tmp_path)
    assert_close(got, np.tanh(normalize(np.repeat(mean, 2), np.sqrt(np.repeat(variance, 2) + 1e-3))))


def test_instance_norms_statistics_are_read_until_0_11(tmp_path):
    model = flux("InstanceNorm", IDENTITY, *NORM, 1e-3, 0.1, None)
    assert_close(compute_outputs(model, IMAGES, tmp_path), normalize(MEAN, np.sqrt(MOVING + 1e-3)))
