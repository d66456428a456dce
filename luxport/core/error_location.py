"""Errors that say where: what leaves a layer's call carries the layer's name and its path in the model."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from luxport.backend.memory import explain_memory
from luxport.call_arguments import explain_wrong_arguments
from luxport.core.anatomy import LayerBase, name_layers
from luxport.core.entries import fits
from luxport.errors import LayerError, LayerTypeError, Place
from luxport.text import make_printable, make_safe, name_kind

__all__ = ["locate_errors", "mark_located", "retell"]

_ABSENT: Any = object()
_PLACE = "luxport_place"
# The errors that an absent entry, or None in its place, leads to; after any other error no entry is missing.
_OF_ABSENCE = (KeyError, AttributeError, IndexError, TypeError)


def locate_errors(call: Callable[..., Any]) -> Callable[..., Any]:
    """Let a layer's call look at its parameters and states first, and errors that leave it say which layer it was.

    An error of luxport's gets the layer's name and path into its line. Every framework words it differently when an
    entry is absent, no array or one of other numbers: there the line says what was expected. Any other error stays
    the one that it is, with a note of the place.
    """

    @functools.wraps(call)
    def wrapper(self: Any, x: Any = _ABSENT, ps: Any = _ABSENT, st: Any = _ABSENT, /, *more: Any, **inputs: Any) -> Any:
        if st is _ABSENT:
            given = {name: v for name, v in (("x", x), ("ps", ps)) if v is not _ABSENT}
            if given.keys() & inputs.keys():
                raise _find_wrong_arguments(call, self, tuple(given.values()), inputs) or TypeError("given twice")
            given |= inputs
            if "x" in given and "ps" in given and "st" in given:
                return wrapper(self, given.pop("x"), given.pop("ps"), given.pop("st"), **given)
            return _call_by_name(call, self, given)
        try:
            own = self._own
            if own is not None and not fits(own, ps, st):
                from luxport.core.wrong_entries import check_entries  # mistakes alone need it, as a rule

                check_entries(self, ps, st)
            returned = call(self, x, ps, st, *more, **inputs) if more or inputs else call(self, x, ps, st)
            if type(returned) is not tuple or len(returned) != 2:
                _expect_pair(returned)
            return returned
        except LayerError as error:
            _move_out(error.place, self, ps)
            raise error from error.__cause__
        except Exception as error:
            if (more or inputs) and isinstance(error, TypeError):
                problem = _find_wrong_arguments(call, self, (x, ps, st, *more), inputs)
                if problem is not None:
                    raise problem from None
            from luxport.backend.undecided import explain_undecided
            from luxport.core.wrong_entries import find_wrong_entry

            wrong = find_wrong_entry(self, ps, st, absent=isinstance(error, _OF_ABSENCE))
            explained = explain_memory(error) or explain_undecided(error) if wrong is None else LayerError(wrong)
            if explained is None:
                make_printable(error)
                _note_place(error, self, ps)
                raise
            _move_out(explained.place, self, ps)
            raise explained from error

    return wrapper


def _expect_pair(returned: Any) -> None:
    """Expect the output and the state: an array of two rows alone would be taken apart as if it were both."""
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise LayerTypeError(f"is called as y, st = model(x, ps, st), and returned {name_kind(returned)}: return y, st")


def _call_by_name(call: Callable[..., Any], layer: Any, given: Mapping[str, Any]) -> Any:
    """Call a layer that names its arguments otherwise or leaves some out, or say what is missing."""
    first = list(itertools.takewhile(lambda name: name in given, ("x", "ps", "st")))
    named = {name: value for name, value in given.items() if name not in first}
    try:
        bound = inspect.signature(call).bind(layer, *[given[name] for name in first], **named)
    except TypeError:
        error = LayerError(
            f"is called as y, st = model(x, ps, st), got model({', '.join(given)}): "
            "luxport.setup(0, model) makes ps and st, and each call returns the next st"
        )
        _move_out(error.place, layer, None)
        raise error from None
    return call(*bound.args, **bound.kwargs)


def _find_wrong_arguments(
    call: Callable[..., Any], layer: Any, args: tuple[Any, ...], options: Mapping[str, Any]
) -> LayerError | None:
    """Say which arguments of a call are too many, unknown or given twice; None if it takes them."""
    wrong = explain_wrong_arguments("it", call, (layer, *args), options)
    if wrong is None:
        return None
    from luxport.habits import hint_at_option  # mistakes alone need it

    hint = next(filter(None, map(hint_at_option, options)), "") if " has no option " in wrong else ""
    error = LayerTypeError(f"is called as y, st = model(x, ps, st): {wrong.replace('is built as it', 'takes ')}{hint}")
    _move_out(error.place, layer, None)
    return error


def _move_out(place: Place, layer: Any, ps: Any) -> None:
    """Let a place be seen from the layer that the error leaves next."""
    if place.layer is None:
        place.culprit = type(layer).__name__
    elif place.layer is not layer:
        # One layer may have several places: the parameters it was called with tell which.
        places = [(path, inner) for path, child, inner in _list_places(layer, ps) if child is place.layer]
        exact = [(path, inner) for path, inner in places if inner is place.ps]
        found = exact if exact else places
        if len(found) == 1:
            place.path = (*found[0][0], *place.path)
        if layer._tells_as_own and not place.path:
            place.culprit = type(layer).__name__
    place.layer, place.ps = layer, ps


def _note_place(error: Exception, layer: Any, ps: Any) -> None:
    """Add to an error that is not luxport's a note of where in the model it came from; never raise another instead."""
    try:
        place = vars(error).setdefault(_PLACE, Place())
        if place is None:
            return
        before = place.text()
        _move_out(place, layer, ps)
        notes = getattr(error, "__notes__", [])
        if before and notes and notes[-1] == _note(before):
            notes[-1] = _note(place.text())
        else:
            error.add_note(_note(place.text()))
    except Exception:
        return


def mark_located(error: Exception) -> Exception:
    """Mark an error whose line names the place already."""
    vars(error)[_PLACE] = None
    return error


def retell(detail: str, error: Exception) -> LayerTypeError:
    """Return an error of one line in place of a longer one of a framework, from the same place in the model."""
    told = LayerTypeError(detail)
    told.place = vars(error).get(_PLACE) or told.place
    return told


def _note(where: str) -> str:
    return f"raised in {make_safe(where)}"


def _list_places(layer: Any, ps: Any) -> list[tuple[tuple[str, ...], Any, Any]]:
    """List where each layer inside is, the layer and its parameters."""
    try:
        return list(_walk(layer.children(), ps, ()))
    except Exception:  # `children` of a user's own layer may be wrong: the error has no path then
        return []


def _walk(layers: Any, ps: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for name, child in name_layers(layers).items():
        inner = ps.get(name) if isinstance(ps, Mapping) else None
        if isinstance(child, LayerBase):
            yield (*path, name), child, inner
        else:
            yield from _walk(child, inner, (*path, name))
