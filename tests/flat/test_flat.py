"""`flatten` and `FlatParameters`: order of the numbers, models on views, trees, transforms, optimizers."""

# Frameworks' own annotations do not know of parameters that are a view:
# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOptionalSubscript=false
from __future__ import annotations

import jax
import numpy as np
import optree
import pytest
import tensorflow as tf
import torch

import luxport
from luxport import FlatParameters, flatten, optimizers
from luxport.backend import get_backend

BACKENDS = ("numpy", "strict", "jax", "torch", "tf")
# More than ten layers, so that the model's order differs from that of sorted names.
DEEP = luxport.Chain(*[luxport.Dense(2, 2, luxport.tanh) for _ in range(11)], luxport.Dense(2, 1))
MODELS = {
    "Chain": (luxport.Chain(luxport.Dense(3, 4, luxport.tanh), luxport.Dense(4, 2)), (5, 3)),
    "Conv": (luxport.Chain(luxport.Conv((2, 2), 1, 2), luxport.FlattenLayer(), luxport.Dense(8, 1)), (2, 1, 3, 3)),
    "BatchNorm": (luxport.Chain(luxport.Dense(3, 4), luxport.BatchNorm(4)), (5, 3)),
    "nested": (luxport.Chain(luxport.Chain(luxport.Scale(3), luxport.Dense(3, 3)), luxport.Dense(3, 1)), (5, 3)),
}


def host(array):
    return luxport.backend.backend_of(array).to_numpy(array)


def set_up(name, backend):
    model, shape = MODELS[name]
    ps, st = luxport.setup(0, model, backend=backend)
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    return model, ps, st, get_backend(backend).asarray(x)


def make_loss(model, x, st):
    def loss(ps):
        y, _ = model(x, ps, st)
        return luxport.namespace(y).sum(y * y)

    return loss


def test_the_order_is_that_of_the_model():
    """As in Flux's ``destructure``: fields in order, each column by column in Julia, which is row by row here."""
    ps, _ = luxport.setup(0, DEEP)
    vector, unflatten = flatten(ps)
    pieces = [np.ravel(ps[f"layer_{i}"][name]) for i in range(1, 13) for name in ("weight", "bias")]
    np.testing.assert_array_equal(vector, np.concatenate(pieces))
    assert list(unflatten(vector)) == [f"layer_{i}" for i in range(1, 13)]


def test_the_order_of_other_dicts_does_not_matter():
    """jax.jit and jax.grad return dicts sorted by key: layer_10 comes before layer_2."""
    ps, _ = luxport.setup(0, DEEP, backend="jax")
    vector, unflatten = flatten(ps)
    shuffled = jax.jit(lambda ps: ps)(ps)
    assert list(shuffled) != list(ps)
    np.testing.assert_array_equal(unflatten.flatten(shuffled), vector)
    np.testing.assert_array_equal(unflatten.flatten_gradient(shuffled, vector), vector)
    flat = FlatParameters(vector, unflatten)
    state = optimizers.setup(optimizers.Descent(1.0), flat)
    np.testing.assert_array_equal(optimizers.update(state, flat, shuffled)[1].vector, 0.0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_runs_on_a_view(name, backend):
    model, ps, st, x = set_up(name, backend)
    expected, expected_st = model(x, ps, st)
    flat = FlatParameters.of(ps)
    assert flat.vector.shape == (luxport.parameter_length(model),)
    for parameters in (flat, flat.replace(flat.vector), flat.layout(flat.vector)):
        y, new_st = model(x, parameters, st)
        np.testing.assert_array_equal(host(y), host(expected))
        assert optree.tree_structure(new_st) == optree.tree_structure(expected_st)


@pytest.mark.parametrize(
    ("name", "backend"), [("Chain", "jax"), ("Chain", "tf"), *((name, "torch") for name in MODELS)]
)
def test_gradients_flow_through_the_vector(name, backend):
    model, ps, st, x = set_up(name, backend)
    loss = make_loss(model, x, st)
    vector, unflatten = flatten(ps)
    expected = host(unflatten.flatten(luxport.grad(loss)(ps)))
    through_view = luxport.grad(lambda v: loss(FlatParameters(v, unflatten)))
    through_tree = luxport.grad(lambda v: loss(unflatten(v)))
    through_node = luxport.grad(loss)(FlatParameters(vector, unflatten))
    assert isinstance(through_node, FlatParameters)
    for found in (through_view(vector), through_tree(vector), through_node.vector):
        np.testing.assert_allclose(host(found), expected, rtol=1e-5, atol=1e-6)


def test_the_frameworks_own_transforms_accept_a_view():
    """Each is tried with the vector, and with the view itself as an argument."""
    model, ps, st, x = set_up("Chain", "jax")
    loss, flat = make_loss(model, x, st), FlatParameters.of(ps)
    expected = host(jax.grad(lambda v: loss(flat.layout(v)))(flat.vector))
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(flat).vector, expected, rtol=1e-5)
    doubled = jax.tree.map(lambda leaf: jax.numpy.stack([leaf, leaf]), flat)
    assert jax.vmap(loss)(doubled).shape == (2,)
    assert jax.tree.leaves(flat)[0] is flat.vector and jax.tree.structure(flat) == jax.tree.structure(doubled)

    model, ps, st, x = set_up("Chain", "torch")
    loss, flat = make_loss(model, x, st), FlatParameters.of(ps)
    np.testing.assert_allclose(torch.func.grad(loss)(flat).vector, expected, rtol=1e-4, atol=1e-5)
    leaf = flat.vector.clone().requires_grad_()
    loss(FlatParameters(leaf, flat.layout)).backward()
    np.testing.assert_allclose(leaf.grad, expected, rtol=1e-4, atol=1e-5)
    sliced = flat.vector.clone().requires_grad_()
    loss(flat.replace(sliced)).backward()
    np.testing.assert_allclose(sliced.grad, expected, rtol=1e-4, atol=1e-5)
    compiled = torch.compile(
        lambda v: torch.func.grad(lambda v: loss(flat.layout(v)))(v), fullgraph=True, backend="eager"
    )
    np.testing.assert_allclose(compiled(flat.vector), expected, rtol=1e-4, atol=1e-5)
    hessian = torch.func.hessian(lambda v: loss(flat.layout(v)))(flat.vector)
    assert hessian.shape == (26, 26)

    model, ps, st, x = set_up("Chain", "tf")
    loss, flat = make_loss(model, x, st), FlatParameters.of(ps)

    @tf.function
    def slope(vector):
        with tf.GradientTape() as tape:
            tape.watch(vector)
            value = loss(flat.replace(vector))
        return tape.gradient(value, vector)

    np.testing.assert_allclose(slope(flat.vector), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(luxport.jit(luxport.grad(loss))(flat).vector, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_view_is_a_node_with_one_child(backend):
    _, ps, _, _ = set_up("Chain", backend)
    flat = FlatParameters.of(ps)
    assert luxport.tree.leaves(flat)[0] is flat.vector
    doubled = luxport.tree.map(lambda a, b: a + b, flat, flat)
    assert isinstance(doubled, FlatParameters)
    np.testing.assert_array_equal(host(doubled["layer_1"]["weight"]), 2 * host(ps["layer_1"]["weight"]))
    assert luxport.tree.structure(flat) == luxport.tree.structure(doubled)
    again = luxport.tree.unflatten(luxport.tree.structure(flat), iter(luxport.tree.leaves(flat)))
    assert again.vector is flat.vector and again.layout == flat.layout
    leaves, definition = optree.tree_flatten(flat)
    assert leaves[0] is flat.vector and isinstance(optree.tree_unflatten(definition, leaves), FlatParameters)
    other = FlatParameters.of({"weight": ps["layer_1"]["weight"]})
    with pytest.raises(ValueError, match="trees of one structure expected"):
        luxport.tree.map(lambda a, b: a, flat, other)


def test_moving_keeps_the_view():
    ps, _ = luxport.setup(0, MODELS["Chain"][0])
    moved = luxport.to(FlatParameters.of(ps), backend="torch", dtype="float64")
    assert isinstance(moved, FlatParameters) and moved["layer_1"]["weight"].dtype == torch.float64
    np.testing.assert_array_equal(moved["layer_1"]["weight"], ps["layer_1"]["weight"])


def test_the_view_is_a_mapping():
    flat = FlatParameters.of({"a": {"w": np.ones((2, 3)), "n": np.array(7)}, "b": np.zeros(2)})
    assert list(flat) == ["a", "b"] and len(flat) == 2 and "a" in flat and dict(flat["a"]).keys() == {"w", "n"}
    assert flat["a"]["n"] == 7 and flat.vector.shape == (8,)
    assert flat.replace(flat.vector)["a"]["n"] == 7
    assert repr(flat) == "FlatParameters(array([1., 1., 1., 1., 1., 1., 0., 0.]), Layout of 2 arrays in 8 numbers)"
    assert np.shares_memory(flat["a"]["w"], flat.vector)
    assert flatten(flat)[0] is flat.vector
    with pytest.raises(TypeError):
        flat["b"] = np.ones(2)


COMPILERS = {
    "numpy": lambda f: f,
    "jax": jax.jit,
    "torch": lambda f: torch.compile(f, fullgraph=True, backend="eager"),
    "tf": luxport.jit,
}


@pytest.mark.parametrize("backend", COMPILERS)
def test_optimizers_step_the_vector_at_once(backend):
    _, ps, _, _ = set_up("Chain", backend)
    rule = optimizers.Adam(0.1)
    update = COMPILERS[backend](optimizers.update)
    expected = update(optimizers.setup(rule, ps), ps, ps)[1]
    flat = FlatParameters.of(ps)
    state = optimizers.setup(rule, flat)
    assert state.leaves.state[0].shape == flat.vector.shape
    for grads in (flat, ps, flat.vector):
        _, new = update(state, flat, grads)
        assert isinstance(new, FlatParameters)
        np.testing.assert_allclose(host(new.vector), host(flat.layout.flatten(expected)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "strict", "torch", "tf"])
def test_mixed_dtypes_are_promoted_and_restored(backend):
    """CPA-08 and OPT-40: the vector has one dtype; unflatten restores the dtype of each array."""
    asarray = get_backend(backend).asarray
    ps = {"a": asarray(np.ones(2, np.float32)), "b": asarray(np.ones(2, np.float64))}
    vector, unflatten = flatten(ps)
    assert host(vector).dtype == np.float64
    assert [host(unflatten(vector)[name]).dtype.name for name in "ab"] == ["float32", "float64"]
    flat = FlatParameters(vector, unflatten)
    assert [host(flat[name]).dtype.name for name in "ab"] == ["float64", "float64"]


def test_tied_arrays_are_in_the_vector_once():
    twice = np.array([1.0, 2.0])
    ps = {"a": twice, "b": np.array([5.0]), "c": twice}
    flat = FlatParameters.of(ps)
    np.testing.assert_array_equal(flat.vector, [1.0, 2.0, 5.0])
    assert flat["a"] is flat["c"]
    state = optimizers.setup(optimizers.Descent(1.0), flat)
    grads = {"a": np.ones(2), "b": None, "c": 2 * np.ones(2)}
    np.testing.assert_array_equal(optimizers.update(state, flat, grads)[1].vector, [-2.0, -1.0, 5.0])


def test_layouts_are_values():
    first, second = (flatten(luxport.setup(seed, DEEP)[0])[1] for seed in (0, 1))
    assert first == second and hash(first) == hash(second)
    assert first != flatten({"a": np.ones(2)})[1]
    assert flatten({"a": np.ones(2)})[1] != flatten({"a": np.ones(2, np.float32)})[1]


def test_wrong_shapes_and_trees_are_errors():
    vector, unflatten = flatten({"a": np.ones(2), "b": np.ones(1)})
    with pytest.raises(ValueError, match=r"^unflatten expects a vector of 3 numbers, got shape \(4,\)$"):
        unflatten(np.ones(4))
    with pytest.raises(ValueError, match=r"^unflatten expects a vector of 3 numbers, got shape \(3, 1\)$"):
        FlatParameters(np.ones((3, 1)), unflatten)
    with pytest.raises(ValueError, match=r"^flatten expects an array of shape \(1,\) at b, got \(2,\)$"):
        unflatten.flatten({"a": np.ones(2), "b": np.ones(2)})
    with pytest.raises(TypeError, match="^FlatParameters expects the layout of a mapping, got a tuple of 1$"):
        FlatParameters(*flatten((np.ones(1),)))
    with pytest.raises(TypeError, match="arrays of one backend, got numpy and torch together"):
        flatten({"a": np.ones(2), "b": torch.ones(1)})


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        # In Flux.jl src/layers/normalise.jl, BatchNorm (259), InstanceNorm and GroupNorm have β before γ; LayerNorm
        # (186) has a Scale, whose scale comes first. Scales start as ones, biases as zeros.
        (luxport.BatchNorm(2), [0, 0, 1, 1]),
        (luxport.InstanceNorm(2, affine=True), [0, 0, 1, 1]),
        (luxport.GroupNorm(2, 1), [0, 0, 1, 1]),
        (luxport.LayerNorm(2), [1, 1, 0, 0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_scales_and_biases_are_in_fluxs_order(layer, wanted):
    assert flatten(luxport.setup(0, layer, backend="numpy")[0])[0].tolist() == wanted
