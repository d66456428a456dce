"""`Static`: a hashable constant that every tree library treats as structure, not as a leaf."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

import copy
import pickle

import pytest

import luxport as lp


def test_is_a_value():
    assert lp.Static(True) == lp.Static(True) != lp.Static(False)
    assert lp.Static(1) != lp.Static(True)
    assert lp.Static(1) != 1
    assert {lp.Static("a"): 1}[lp.Static("a")] == 1
    assert repr(lp.Static((1, "a"))) == "Static((1, 'a'))"
    for other in (copy.copy(lp.Static(3)), copy.deepcopy(lp.Static(3)), pickle.loads(pickle.dumps(lp.Static(3)))):
        assert other == lp.Static(3)


def test_its_truth_is_that_of_its_value():
    assert lp.Static(True)
    assert not lp.Static(0)


def test_cannot_change(message):
    text = message(AttributeError, setattr, lp.Static(1), "value", 2)
    assert text == "Static is immutable: build a new one"
    assert "unhashable" in message(TypeError, lp.Static, [1])


@pytest.mark.parametrize("value", [True, "text", (1, 2), None, 2.5])
def test_is_structure_to_every_tree_library(value):
    import jax
    import optree
    import tensorflow as tf
    import torch

    for name in ("jax", "torch", "tf"):
        lp.get_backend(name)
    tree = {"a": 1.0, "s": lp.Static(value)}
    torch_leaves, torch_spec = torch.utils._pytree.tree_flatten(tree)
    optree_leaves, optree_spec = optree.tree_flatten(tree)
    assert (
        jax.tree.leaves(tree) == torch_leaves == optree_leaves == lp.tree.leaves(tree) == tf.nest.flatten(tree) == [1.0]
    )
    for back in (
        jax.tree.map(lambda leaf: leaf, tree),
        torch.utils._pytree.tree_unflatten(torch_leaves, torch_spec),
        optree.tree_unflatten(optree_spec, optree_leaves),
        tf.nest.map_structure(lambda leaf: leaf, tree),
        lp.tree.map(lambda leaf: leaf, tree),
    ):
        assert back == tree


def test_equal_values_of_different_types_are_compiled_separately(backend, array, host):
    f = lp.jit(lambda x, st: x * (2.0 if st["s"].value is True else 3.0))
    x = array([1.0], backend)
    assert [float(host(f(x, {"s": lp.Static(value)}))[0]) for value in (True, 1, True)] == [2.0, 3.0, 2.0]
