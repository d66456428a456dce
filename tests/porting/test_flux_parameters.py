"""Parameters of Flux without a model (lists, Zygote's, flat vectors) fit into a model of luxport."""

from __future__ import annotations

import warnings

import bson_writer as bw
import numpy as np
import pytest
from flux_files import IDENTITY, RELU, TANH, chain, draw, flux, save_entries

import luxport as lp
from luxport.porting import FileFormatError, load_parameters, read
from luxport.porting.inspect_command import describe

MODEL = lp.Chain(lp.Dense(3, 4, lp.tanh), lp.BatchNorm(4), lp.Dense(4, 2, use_bias=False))
W1, B1, W2 = draw(3, 4), draw(4), draw(4, 2)
GAMMA, BETA, MU, SIGMA2 = draw(4), draw(4), draw(4), np.abs(draw(4)) + 0.5


def assert_fitted(path, statistics=False, **options):
    ps, st = load_parameters(path, MODEL, backend="numpy", **options)
    leaves = lp.tree.leaves(ps)
    for got, want in zip(leaves, (W1, B1, BETA, GAMMA, W2), strict=True):
        np.testing.assert_array_equal(got, want)
    if statistics:
        np.testing.assert_array_equal(st["layer_2"]["running_mean"], MU)
        np.testing.assert_array_equal(st["layer_2"]["running_var"], SIGMA2)


def named(**entries):
    names = bw.tuple_of(*[bw.symbol(name) for name in entries])
    return bw.struct_of(bw.datatype("Core.NamedTuple", names, bw.datatype("Core.Tuple")), *entries.values())


def test_a_list_of_parameters_has_a_norms_bias_first(tmp_path):
    assert_fitted(save_entries({"params": [bw.array(a) for a in (W1, B1, BETA, GAMMA, W2)]}, tmp_path))


def test_a_list_of_parameters_has_a_layer_norms_scale_first(tmp_path):
    """Flux.jl src/layers/normalise.jl:186: its parameters are those of a Scale."""
    path = save_entries({"params": [bw.array(GAMMA), bw.array(BETA)]}, tmp_path)
    ps, _ = load_parameters(path, lp.LayerNorm(4), backend="numpy")
    np.testing.assert_array_equal(ps["scale"], GAMMA)
    np.testing.assert_array_equal(ps["bias"], BETA)


@pytest.mark.parametrize("buffered", [False, True], ids=["until 0.4", "since 0.5"])
def test_parameters_of_zygote_are_read(buffered, tmp_path):
    """Params has them in a vector, later in a Buffer, and again as keys of an IdDict whose values are nothing."""
    arrays = [bw.array(a) for a in (W1, B1, BETA, GAMMA, W2)]
    nothing = {"tag": "array", "type": bw.datatype("Core.Nothing"), "size": [5], "data": b""}
    keys = bw.struct_of(bw.datatype("Zygote.IdSet"), bw.struct_of(bw.datatype("Base.IdDict"), arrays, nothing))
    order = bw.struct_of(bw.datatype("Zygote.Buffer"), arrays, False) if buffered else arrays
    path = save_entries({"ps": bw.struct_of(bw.datatype("Zygote.Params"), order, keys)}, tmp_path)
    assert_fitted(path)
    assert "        float32 array (3, 4): nothing" in describe(read(path))


def test_a_flat_vector_is_read(tmp_path):
    flat = np.concatenate([a.ravel() for a in (W1, B1, BETA, GAMMA, W2)])
    assert_fitted(save_entries({"θ": bw.array(flat), "epoch": 3}, tmp_path))
    with pytest.raises(FileFormatError, match="expected a vector of 32 numbers, got 31"):
        load_parameters(save_entries({"θ": bw.array(flat[1:])}, tmp_path), MODEL)


def test_a_whole_models_parameters_are_read(tmp_path):
    norm = [bw.array(a) for a in (BETA, GAMMA, MU, SIGMA2)]
    model = chain(
        flux("Dense", bw.array(W1), bw.array(B1), TANH),
        flux("BatchNorm", IDENTITY, *norm, 1e-5, 0.1, True, True, None, 4),
        flux("Dense", bw.array(W2), False, IDENTITY),
    )
    assert_fitted(save_entries({"model": model}, tmp_path), statistics=True)


def test_parameters_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(FileFormatError, match=r"layer_1\.weight: shape \(3, 4\) expected, got \(4, 2\)"):
        load_parameters(save_entries({"p": [bw.array(a) for a in (W2, B1, BETA, GAMMA, W2)]}, tmp_path), MODEL)
    with pytest.raises(FileFormatError, match="expected 5 arrays, got 4"):
        load_parameters(save_entries({"p": [bw.array(a) for a in (W1, B1, BETA, GAMMA)]}, tmp_path), MODEL)
    several = {key: [bw.array(a) for a in (W1, B1, BETA, GAMMA, W2)] for key in ("best", "last")}
    with pytest.raises(FileFormatError, match="more than one entry fits: best, last; choose one by name"):
        load_parameters(save_entries(several, tmp_path), MODEL)
    assert_fitted(save_entries(several, tmp_path), name="last")


def test_activations_that_differ_from_the_files_are_named(tmp_path):
    """Parameters fit whatever the activations are; luxport's fast variants are the same functions."""
    fast = bw.function("NNlib.tanh_fast")
    layers = [flux("Dense", bw.array(draw(3, 3)), bw.array(draw(3)), function) for function in (RELU, fast, IDENTITY)]
    path = save_entries({"model": chain(*layers)}, tmp_path)
    dense = lp.Dense(3, 3, lp.gelu), lp.Dense(3, 3, lp.tanh), lp.Dense(3, 3)
    with pytest.warns(UserWarning, match=r"activations differ: layer_1 has gelu, the file relu$"):
        load_parameters(path, lp.Chain(*dense))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_parameters(path, lp.Chain(lp.Dense(3, 3, lp.relu), *dense[1:]))
        load_parameters(path, lp.Chain(lp.Dense(3, 3, lambda x: x), *dense[1:]))


def test_the_entry_that_fits_best_is_named_first(tmp_path):
    near = flux("Dense", bw.array(draw(3, 4)), bw.array(draw(5)), IDENTITY)
    path = save_entries({"epochs": 3, "far": [bw.array(draw(2))], "near": near}, tmp_path)
    with pytest.raises(FileFormatError, match=r"parameters\.bson: near: bias: shape .* far: expected 2 arrays"):
        load_parameters(path, lp.Dense(3, 4))
