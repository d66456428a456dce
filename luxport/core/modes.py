"""`train_mode`, `test_mode` and `update_state`: change the mode, or any entry of a given name, in a state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from luxport import tree
from luxport.call_arguments import explain_call_errors
from luxport.core.layer import Layer
from luxport.core.layer_base import States
from luxport.text import name_kind, show, warn
from luxport.tree.static import Static

__all__ = ["test_mode", "train_mode", "update_state"]


@explain_call_errors
def train_mode(st: States) -> dict[str, Any]:
    """Return the state with every ``training`` entry set to true.

    >>> import luxport
    >>> ps, st = luxport.setup(0, luxport.Dropout(0.5))
    >>> test_mode(st)["training"], train_mode(test_mode(st))["training"]
    (Static(False), Static(True))
    """
    _check_states("train_mode", st)
    _warn_of_parameters("train_mode", st)
    return update_state(st, "training", Static(True))


@explain_call_errors
def test_mode(st: States) -> dict[str, Any]:
    """Return the state with every ``training`` entry set to false."""
    _check_states("test_mode", st)
    _warn_of_parameters("test_mode", st)
    return update_state(st, "training", Static(False))


test_mode.__test__ = False  # type: ignore[attr-defined]  # pytest would take it for a test because of its name


@explain_call_errors
def update_state(
    st: States, name: str, value: Any, *, exclude: Callable[[Any], bool] = lambda entry: False
) -> dict[str, Any]:
    """Return the state with every entry of this name replaced, at any depth.

    Args:
        st: states
        name: the name of the entries
        value: their new value
        exclude: a function of a subtree; where it returns True, the subtree stays as it is

    >>> update_state({"a": {"carry": 1}, "carry": 2, "b": 3}, "carry", None)
    {'a': {'carry': None}, 'carry': None, 'b': 3}
    """
    _check_states("update_state", st)
    if not isinstance(name, str):
        raise TypeError(f"update_state expects the name of an entry as a string, got {show(name)}")

    def replace(entry: Any) -> Any:
        if exclude(entry):
            return entry
        if isinstance(entry, Mapping):
            return {key: value if key == name else replace(inner) for key, inner in entry.items()}
        if isinstance(entry, (tuple, list)):
            return tree.like_sequence(entry, [replace(inner) for inner in entry])
        return entry

    return replace(st)


_PARAMETERS = frozenset(("weight", "bias", "scale", "weight_ih", "weight_hh", "bias_ih", "bias_hh"))


def _warn_of_parameters(function: str, st: Any) -> None:
    """Warn about a tree without a mode all of whose arrays are named like parameters.

    This is not an error, as a layer of the user's may keep a weight in its state.
    """
    if _has_mode(st):
        return
    names = list(_yield_array_names(st))
    if names and _PARAMETERS.issuperset(names):
        found = ", ".join(dict.fromkeys(names))
        warn(
            f"{function} expects states, got a tree of {found} without a mode, as parameters are: "
            f"st = luxport.{function}(st), of ps, st = luxport.setup(rng, model)"
        )


def _yield_array_names(st: Any, name: str = "") -> Iterator[str]:
    if isinstance(st, Mapping):
        for key, inner in st.items():
            if key != "frozen_params":
                yield from _yield_array_names(inner, key)
    elif isinstance(st, (tuple, list)):
        for inner in st:
            yield from _yield_array_names(inner, name)
    elif st is not None and not isinstance(st, Static):
        yield name


def _has_mode(st: Any) -> bool:
    if isinstance(st, Mapping):
        return any(key == "training" or _has_mode(inner) for key, inner in st.items())
    return isinstance(st, (tuple, list)) and any(map(_has_mode, st))


def _check_states(function: str, st: Any) -> None:
    if isinstance(st, Layer):
        raise TypeError(
            f"{function} expects states, got the layer {type(st).__name__}: a model has no mode, its states have: "
            f"st = luxport.{function}(st), then model(x, ps, st)"
        )
    if not isinstance(st, (Mapping, tuple, list)):
        raise TypeError(f"{function} expects states, as luxport.setup returns them, got {name_kind(st)}")
