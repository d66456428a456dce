"""The order of a tree is that of the model, even after JAX has sorted the keys of its dicts."""

# JAX's own annotations know nothing of a tree: pyright: reportArgumentType=false
from __future__ import annotations

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import luxport
from luxport import flatten, optimizers, tree
from luxport.tree.ordered_keys import Key, add_places, list_in_order

# More than ten layers, so that the model's order differs from that of sorted names.
DEEP = luxport.Chain(*[luxport.Dense(2, 2, luxport.tanh) for _ in range(11)], luxport.Dense(2, 1))
NAMES = [f"layer_{i}" for i in range(1, 13)]
X = np.ones((3, 2), np.float32)
PS, ST = luxport.setup(0, DEEP, backend="jax")
PLAIN = {str(layer): {str(name): PS[layer][name] for name in PS[layer]} for layer in PS}


def loss(ps):
    return jnp.sum(DEEP(jnp.asarray(X), ps, ST)[0])


@pytest.fixture(scope="module")
def slopes():
    """Return the gradient as a vector in the model's order, from a backend that does not sort keys."""
    ps, st = luxport.to((PS, ST), backend="tf")
    x = luxport.asarray(X, backend="tf")
    assert not any(type(key) is Key for key in ps)
    gradient = luxport.grad(lambda ps: luxport.namespace(x).sum(DEEP(x, ps, st)[0]))(ps)
    return np.concatenate([np.ravel(gradient[layer][name]) for layer in NAMES for name in ("weight", "bias")])


def stack_twice(values):
    return jax.tree.map(lambda a: jnp.stack([a, a]), values)


TRANSFORMS = {
    "grad": jax.grad(loss),
    "jit": jax.jit(jax.grad(loss)),
    "tree.map": lambda ps: jax.tree.map(lambda a: a, jax.grad(loss)(ps)),
    "of a literal around it": lambda ps: jax.grad(loss)({**ps, "layer_3": ps["layer_3"]}),
    "vmap": lambda ps: jax.tree.map(lambda a: a[0], jax.vmap(jax.grad(loss))(stack_twice(ps))),
    "pickle": lambda ps: jax.grad(loss)(pickle.loads(pickle.dumps(ps))),
    "deepcopy": lambda ps: jax.grad(loss)(copy.deepcopy(ps)),
    "scan": lambda ps: jax.lax.scan(
        lambda ps, _: (jax.tree.map(lambda p, g: g, ps, jax.grad(loss)(ps)), None), ps, None, 1
    )[0],
    "NumPy's arrays": lambda ps: jax.grad(loss)(luxport.to(ps, backend="numpy")),
    "luxport.tree.map": lambda ps: tree.map(lambda p, g: g, dict(sorted(ps.items())), jax.grad(loss)(ps)),
}
OURS = {
    "grad": luxport.grad(loss),
    "jit": luxport.jit(luxport.grad(loss)),
    "vjp": lambda ps: luxport.vjp(loss, ps)[1](jnp.ones(()))[0],
    "jacobian": luxport.jacobian(loss),
    "scan": lambda ps: luxport.scan(
        lambda carry, _: ({name: luxport.grad(loss)(carry)[name] for name in sorted(carry)}, None), ps, None, length=1
    )[0],
    "aux": lambda ps: luxport.grad(lambda ps: (loss(ps), luxport.grad(loss)(ps)), has_aux=True)(ps)[1],
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_trees_sorted_by_jax_are_flattened_in_the_models_order(name, slopes):
    gradient = TRANSFORMS[name](PS)
    vector, layout = flatten(gradient)
    np.testing.assert_allclose(vector, slopes, atol=1e-6)
    assert layout == flatten(PS)[1]
    assert tree.structure(gradient) == tree.structure(PS)
    assert [path for path, _ in tree.leaves_with_path(gradient)] == [path for path, _ in tree.leaves_with_path(PS)]


@pytest.mark.parametrize("ps", [PS, PLAIN], ids=["setup", "plain"])
@pytest.mark.parametrize("name", OURS)
def test_transforms_of_luxport_keep_the_order_of_any_dict(name, ps, slopes):
    gradient = OURS[name](ps)
    assert list(gradient) == NAMES
    assert list(gradient["layer_1"]) == ["weight", "bias"]
    np.testing.assert_allclose(flatten(gradient)[0], slopes, atol=1e-6)


@pytest.mark.parametrize("ps", [PS, PLAIN], ids=["setup", "plain"])
def test_a_transformed_function_sees_the_callers_order(ps):
    def vector(ps):
        return flatten(ps)[0]

    want = vector(PS)
    for y in (
        luxport.jit(vector)(ps),
        luxport.vjp(vector, ps)[0],
        luxport.jvp(vector, (ps,), (ps,))[1],
        luxport.grad(lambda ps: (loss(ps), vector(ps)), has_aux=True)(ps)[1],
        luxport.scan(lambda ps, _: (ps, vector(ps)), ps, None, length=1)[1][0],
    ):
        np.testing.assert_array_equal(y, want)


def test_results_keep_the_order_of_their_own_program():
    program = luxport.jit(lambda values: {"z": values, "a": "text"})
    pairs, triples = {"b": jnp.ones(1), "a": jnp.ones(2)}, {"c": jnp.ones(1), "b": jnp.ones(2), "a": jnp.ones(3)}
    for _ in range(3):  # later calls take another path through JAX than the first
        for values in (pairs, triples):
            result = program(values)
            assert list(result) == ["z", "a"]
            assert result["a"] == "text"
            assert {key: len(value) for key, value in result["z"].items()} == {k: len(v) for k, v in values.items()}
            assert list(result["z"]) == list(values)


def test_a_plain_dict_is_flattened_like_another(slopes):
    gradient = jax.grad(loss)(PLAIN)
    vector, unflatten = flatten(gradient, like=PLAIN)
    np.testing.assert_allclose(vector, slopes, atol=1e-6)
    np.testing.assert_array_equal(flatten(gradient, like=unflatten)[0], vector)
    with pytest.raises(ValueError, match="trees of one structure expected"):
        flatten({"weight": jnp.ones(1)}, like=PLAIN)
    shared = jnp.ones(1)
    with pytest.raises(ValueError, match="flatten expects at b the array that is at an earlier path, got another"):
        flatten({"a": jnp.ones(1), "b": jnp.ones(1)}, like={"a": shared, "b": shared})


def test_optimizers_match_by_name(slopes):
    state = optimizers.setup(optimizers.Momentum(1.0), PS)
    state, ps = jax.jit(optimizers.update)(state, PS, jax.grad(loss)(PS))
    np.testing.assert_allclose(flatten(ps)[0], flatten(PS)[0] - slopes, atol=1e-6)
    state, ps = optimizers.update(state, ps, dict(sorted(ps.items())))
    assert list(list_in_order(state.leaves)) == list(list_in_order(ps)) == NAMES


def test_an_exported_program_of_jax_keeps_its_keys():
    """JAX serializes a dict by the names of its keys alone."""
    exported = jax.export.export(jax.jit(loss))(PS)
    np.testing.assert_allclose(jax.export.deserialize(exported.serialize()).call(PS), jax.jit(loss)(PS), rtol=1e-6)


def test_places_order_the_keys():
    assert list(list_in_order({Key("b", 1): 0, "x": 0, Key("a", 0): 0})) == ["a", "b", "x"]
    assert list(list_in_order({"b": 0, "a": 0})) == ["b", "a"]
    assert list(list_in_order(dict.fromkeys(sorted(NAMES)))) == NAMES
    assert list(list_in_order(dict.fromkeys([*sorted(NAMES), "last"]))) == [*sorted(NAMES), "last"]
    known = add_places({"b": (1, {"d": 2, "c": 3}), "a": [{"f": 4}]})
    assert repr(known) == "{'b': (1, {'d': 2, 'c': 3}), 'a': [{'f': 4}]}"
    assert [key.place for key in known["b"][1]] == [0, 1]
    assert {type(key) for key in add_places(known, known=False)["b"][1]} == {str}


@pytest.mark.parametrize("transform", [lambda f: f, luxport.jit, jax.jit], ids=["eager", "luxport.jit", "jax.jit"])
def test_equal_gradients_are_not_taken_for_shared_arrays(transform):
    """JAX returns the same object as the gradient of both terms of a sum."""
    ps = {"a": jnp.ones(2), "b": jnp.ones(2), "c": {"a": jnp.ones(2)}}

    def add_all(ps):
        return jnp.sum(ps["a"] + ps["b"] + 2.0 * ps["c"]["a"])

    wanted = [1.0, 1, 1, 1, 2, 2]
    np.testing.assert_array_equal(transform(lambda ps: flatten(luxport.grad(add_all)(ps))[0])(ps), wanted)
    pulled = transform(lambda ps: flatten(luxport.vjp(add_all, ps)[1](jnp.ones(()))[0])[0])(ps)
    np.testing.assert_array_equal(pulled, wanted)
