"""Errors with their location: each error that a layer's call raises contains the layer's name and path in the model."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from luxport.backend.memory import explain_memory
from luxport.call_arguments import explain_wrong_arguments
from luxport.core.entries import has_own_arrays
from luxport.core.layer_base import LayerBase, name_layers
from luxport.errors import LayerError, LayerTypeError, Place
from luxport.text import make_printable, make_safe, name_kind

__all__ = ["locate_errors", "mark_located", "replace_message"]

_ABSENT: Any = object()
_PLACE = "luxport_place"
# The errors that a missing entry, or None in its place, can cause: after any other, no entry is reported as missing.
_OF_ABSENCE = (KeyError, AttributeError, IndexError, TypeError)


def locate_errors(call: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a layer's ``__call__`` to check its parameters and states, and to add the layer's path to errors.

    The layer's name and path are written into the message of a LayerError. Where an entry is missing, not an array or
    of a wrong dtype, which every framework reports differently, a LayerError replaces the framework's. Any other error
    is raised unchanged, with a note of the location.
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
            if own is not None and not has_own_arrays(own, ps, st):
                from luxport.core.wrong_entries import check_entries  # correct calls rarely need it

                check_entries(self, ps, st)
            returned = call(self, x, ps, st, *more, **inputs) if more or inputs else call(self, x, ps, st)
            if type(returned) is not tuple or len(returned) != 2:
                _expect_pair(returned)
            return returned
        except LayerError as error:
            _extend_place(error.place, self, ps)
            raise error from error.__cause__
        except Exception as error:
            at = error.__traceback__
            refused = more or inputs or at is None or at.tb_next is None  # the call may have been refused, and not run
            if refused and isinstance(error, TypeError):
                problem = _find_wrong_arguments(call, self, (x, ps, st, *more), inputs)
                if problem is not None:
                    raise problem from None
            from luxport.backend.free_size_errors import explain_free_size
            from luxport.core.wrong_entries import find_wrong_entry

            wrong = find_wrong_entry(self, ps, st, absent=isinstance(error, _OF_ABSENCE))
            explained = explain_memory(error) or explain_free_size(error) if wrong is None else LayerError(wrong)
            if explained is None:
                make_printable(error)
                _note_place(error, self, ps)
                raise
            _extend_place(explained.place, self, ps)
            raise explained from error

    return wrapper


def _expect_pair(returned: Any) -> None:
    """Expect a pair of output and state: an array of two rows would be unpacked without an error."""
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        raise LayerTypeError(f"is called as y, st = model(x, ps, st), and returned {name_kind(returned)}: return y, st")


def _call_by_name(call: Callable[..., Any], layer: Any, given: Mapping[str, Any]) -> Any:
    """Call a layer with arguments by name, or raise an error about missing ones."""
    first = list(itertools.takewhile(lambda name: name in given, ("x", "ps", "st")))
    named = {name: value for name, value in given.items() if name not in first}
    try:
        bound = inspect.signature(call).bind(layer, *[given[name] for name in first], **named)
    except TypeError:
        error = LayerError(
            f"is called as y, st = model(x, ps, st), got model({', '.join(given)}): "
            "luxport.setup(0, model) makes ps and st, and each call returns the next st"
        )
        _extend_place(error.place, layer, None)
        raise error from None
    return call(*bound.args, **bound.kwargs)


def _find_wrong_arguments(
    call: Callable[..., Any], layer: Any, args: tuple[Any, ...], options: Mapping[str, Any]
) -> LayerError | None:
    """Return an error about arguments that are too many, unknown or given twice; None if the call accepts them."""
    wrong = explain_wrong_arguments("it", call, (layer, *args), options)
    if wrong is None:
        return None
    from luxport.hints import hint_at_option  # imported only when a call fails

    hint = next(filter(None, map(hint_at_option, options)), "") if " has no option " in wrong else ""
    error = LayerTypeError(f"is called as y, st = model(x, ps, st): {wrong.replace('is built as it', 'takes ')}{hint}")
    _extend_place(error.place, layer, None)
    return error


def _extend_place(place: Place, layer: Any, ps: Any) -> None:
    """Prepend the path from `layer` to the layer that the error has left last."""
    if place.layer is None:
        place.culprit = type(layer).__name__
    elif place.layer is not layer:
        # A layer may occur several times: the parameters it was called with identify which it was.
        places = [(path, inner) for path, child, inner in _list_places(layer, ps) if child is place.layer]
        exact = [(path, inner) for path, inner in places if inner is place.ps]
        found = exact if exact else places
        if len(found) == 1:
            place.path = (*found[0][0], *place.path)
        if layer._tells_as_own and not place.path:
            place.culprit = type(layer).__name__
    place.layer, place.ps = layer, ps


def _note_place(error: Exception, layer: Any, ps: Any) -> None:
    """Add a note of the location to an error that is not luxport's, or update the note; never raise."""
    try:
        place = vars(error).setdefault(_PLACE, Place())
        if place is None:
            return
        before = place.describe()
        _extend_place(place, layer, ps)
        notes = getattr(error, "__notes__", [])
        if before and notes and notes[-1] == _write_note(before):
            notes[-1] = _write_note(place.describe())
        else:
            error.add_note(_write_note(place.describe()))
    except Exception:
        return


def mark_located(error: Exception) -> Exception:
    """Mark an error whose message contains the location already, so that no note is added."""
    vars(error)[_PLACE] = None
    return error


def replace_message(detail: str, error: Exception) -> LayerTypeError:
    """Return a LayerTypeError with this message and the location of another error, which it replaces."""
    replaced = LayerTypeError(detail)
    replaced.place = vars(error).get(_PLACE) or replaced.place
    return replaced


def _write_note(where: str) -> str:
    return f"raised in {make_safe(where)}"


def _list_places(layer: Any, ps: Any) -> list[tuple[tuple[str, ...], Any, Any]]:
    """List the path, the layer and the parameters of each layer directly inside this one."""
    try:
        return list(_walk(layer.children(), ps, ()))
    except Exception:  # the `children` of a user's layer may be wrong: the error gets no path then
        return []


def _walk(layers: Any, ps: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for name, child in name_layers(layers).items():
        inner = ps.get(name) if isinstance(ps, Mapping) else None
        if isinstance(child, LayerBase):
            yield (*path, name), child, inner
        else:
            yield from _walk(child, inner, (*path, name))
