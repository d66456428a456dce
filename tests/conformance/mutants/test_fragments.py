"""Test that fragments are found despite formatting and renaming, and that a fault that cannot be planted raises."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import pytest

import luxport
from luxport import ops

from .fragments import FragmentError, FunctionTree
from .planting import edited

SOURCE = '''
def scale(x, weight, flip=False, *, axis=-1):
    """Return weight * x."""
    total = sum_over(x, axis=axis)  # a comment
    if flip:
        weight = weight[::-1]
    return (
        weight
        * x
        / (
            total
            + len("a")
        )
    )
'''


def planted(old: str, new: str, globals_: tuple[str, ...] | None = None) -> str:
    tree = FunctionTree(SOURCE)
    (place,) = tree.find(old, globals_)
    return ast.unparse(tree.replace(place, new))


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("weight*x/(total+len('a'))", "x", "return x"),
        ("(((weight))) * x", "x", "return x / (total + len('a'))"),
        ("_ / (total + _1)", "_ / _1", "return weight * x / len('a')"),
        ("axis=axis", "axis=0", "total = sum_over(x, axis=0)"),
        ("axis=axis", "", "total = sum_over(x)"),
        ("total = _", "total = 1 + _", "total = 1 + sum_over(x, axis=axis)"),
        ("total = _", "", "pass"),
        ("if flip: ...", "if not flip: ...", "if not flip:"),
        ("return _", "return -_", "return -(weight * x / (total + len('a')))"),
        ("weight = _", "weight, x = x, _", "weight, x = (x, weight[::-1])"),
    ],
)
def test_a_fragment_is_changed_however_it_is_written(old: str, new: str, line: str) -> None:
    lines = planted(old, new).splitlines()
    assert line in [each.strip() for each in lines]
    original = ast.unparse(ast.parse(SOURCE)).splitlines()
    assert len(lines) == len(original)
    assert sum(one != other for one, other in zip(lines, original, strict=True)) == 1


def test_local_names_may_be_others() -> None:
    changed = planted("w * x / (sums + _)", "x / w / sums", ("sum_over",))
    assert "return x / weight / total" in changed
    tree = FunctionTree(SOURCE)
    assert not tree.find("w * x")
    # Names of the module, built-in names and names that the function itself uses match only themselves.
    assert not tree.find("w * x", ["w"])
    assert not tree.find("min * x", [])
    assert not tree.find("total * x", [])
    assert not tree.find("w * w", [])


def test_kinds_of_numbers_differ() -> None:
    tree = FunctionTree("def f(x):\n    return x + 1")
    assert tree.find("x + 1")
    assert not tree.find("x + 1.0")
    assert not tree.find("x + True")


def plant(public: Callable[..., Any] | type, old: str, new: str) -> Callable[[], None]:
    def call() -> None:
        with pytest.MonkeyPatch.context() as patch:
            edited(public, old, new)(patch)

    return call


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (plant(ops.softsign, "x +", "x"), r"^'x \+' is neither an expression nor a statement: invalid syntax$"),
        (plant(ops.softsign, "a; b", "x"), "^'a; b' is 2 statements; give one$"),
        (plant(ops.softmax, "no(such)", "x"), r"^'no\(such\)' stands in nothing that softmax calls$"),
        (
            plant(luxport.LSTMCell, "sigmoid(_)", "_"),
            r"^'sigmoid\(_\)' stands \d times in step_lstm: say more, so that",
        ),
        (plant(ops.relu, "return _", "_"), r"^'_' cannot stand where 'return xp.where\(x <= 0, 0, x\)' does$"),
        (
            plant(ops.relu, "return _", "return nothing_known"),
            "^'return nothing_known' has nothing_known, which relu does",
        ),
    ],
)
def test_what_cannot_be_planted_is_said_in_a_line(call: Callable[[], None], message: str) -> None:
    with pytest.raises(FragmentError, match=message):
        call()
