"""`luxport.tree`: nested dicts, tuples and lists, whose leaves keep the order in which they were built."""

# Wrong on purpose, or typed too narrowly by NumPy's and TensorFlow's own annotations:
# pyright: reportArgumentType=false, reportCallIssue=false, reportAttributeAccessIssue=false
from __future__ import annotations

from collections import OrderedDict, namedtuple
from types import MappingProxyType

import numpy as np
import pytest

import luxport as lp
from luxport import tree

Pair = namedtuple("Pair", "first second")
TREE = {"b": 1, "a": (2, [3, {"c": 4}]), "p": Pair(5, None), "s": lp.Static("x"), "empty": {}, "none": ()}


def test_leaves_keep_the_order_they_were_built_in():
    assert tree.leaves(TREE) == [1, 2, 3, 4, 5]
    assert [".".join(path) for path, _ in tree.leaves_with_path(TREE)] == ["b", "a.0", "a.1.0", "a.1.1.c", "p.0"]


def test_map_keeps_the_structure():
    doubled = tree.map(lambda leaf: 2 * leaf, TREE)
    assert doubled == {**TREE, "b": 2, "a": (4, [6, {"c": 8}]), "p": Pair(10, None)}
    assert list(doubled) == list(TREE)
    assert isinstance(doubled["p"], Pair)
    assert tree.map(lambda *leaves: sum(leaves), TREE, TREE, TREE)["a"] == (6, [9, {"c": 12}])


def test_map_with_path():
    named = tree.map_with_path(lambda path, leaf: (*path, leaf), TREE)
    assert named["a"][1][1]["c"] == ("a", "1", "1", "c", 4)


def test_map_matches_keys_by_name_not_by_position():
    assert tree.map(lambda a, b: (a, b), {"x": 1, "y": 2}, {"y": 20, "x": 10}) == {"x": (1, 10), "y": (2, 20)}


def test_any_mapping_is_a_dict():
    for kind in (OrderedDict, MappingProxyType):
        assert tree.map(lambda leaf: leaf + 1, kind({"a": 1})) == {"a": 2}
        assert tree.structure(kind({"a": 1})) == tree.structure({"a": 1})


def test_structure_and_unflatten_are_inverse():
    shape = tree.structure(TREE)
    assert hash(shape) == hash(tree.structure(tree.map(str, TREE)))
    assert tree.unflatten(shape, iter(tree.leaves(TREE))) == TREE
    for other in (
        {**TREE, "s": lp.Static("y")},
        {**TREE, "p": (5, None)},
        {**TREE, "none": []},
        {**TREE, "empty": None},
    ):
        assert tree.structure(other) != shape


@pytest.mark.parametrize("other", [{"a": 1}, {"a": 1, "b": (2,), "c": 3}, {"a": 1, "b": (2, 3)}, {"a": 1, "b": 2}, 3])
def test_another_structure_is_an_error(other, message):
    text = message(ValueError, tree.map, lambda *leaves: leaves, {"a": 1, "b": (2,)}, other)
    assert text.startswith("trees of one structure expected, got ")


def test_dicts_nested_many_times_in_one_another_are_refused_quickly(tmp_path):
    deep: tree.Tree = {"w": np.ones(2, np.float32)}
    for _ in range(30):
        deep = {"a": deep, "b": deep}
    calls = {
        "to": lambda: lp.to(deep, backend="numpy"),
        "save": lambda: lp.save(tmp_path / "deep.safetensors", deep, {}),
        "flatten": lambda: lp.flatten(deep["a"], like=deep),
        "optimizers.setup": lambda: lp.optimizers.setup(lp.optimizers.Adam(), deep),
        "TrainState.create": lambda: lp.training.TrainState.create(lp.Dense(2, 2), lp.optimizers.Adam(), ps=deep),
    }
    for name, call in calls.items():
        with pytest.raises(ValueError, match=rf"^{name} expects a tree of at most 1,000,000 entries, got one of "):
            call()
    assert list(tmp_path.iterdir()) == []
