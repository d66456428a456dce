"""One-line errors for calls with wrong arguments: unknown, missing, too many, or given twice."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, ParamSpec, TypeVar

from luxport.errors import LayerError, LayerTypeError
from luxport.text import is_from_luxport, make_printable, make_safe, show

__all__ = [
    "explain_construction",
    "did_you_mean",
    "expect_function",
    "expect_argnums",
    "find_signature_mismatch",
    "is_raised_by_luxport",
    "explain_call_errors",
    "explain_wrong_arguments",
    "explain_wrong_call",
]

P = ParamSpec("P")
R = TypeVar("R")
Class = TypeVar("Class", bound=type)


def explain_call_errors(function: Callable[P, R], /) -> Callable[P, R]:
    """Decorate a function so that a call with missing, unknown, repeated or too many arguments says so in one line.

    >>> @explain_call_errors
    ... def scaled(x, *, factor=1.0):
    ...     return x * factor
    >>> scaled(2.0, faktor=3.0)
    Traceback (most recent call last):
    luxport.errors.LayerTypeError: scaled has no option 'faktor': did you mean factor? it takes x, factor
    """

    @functools.wraps(function)
    def call(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except TypeError as error:
            at = error.__traceback__
            if at is None or at.tb_next is not None:  # the arguments were accepted: the error is from inside
                _explain(function.__name__, function, args, options, error)
                raise
            wrong = explain_wrong_call(function, args, options)
            if wrong is None:
                raise
            raise LayerTypeError(wrong) from None
        except RecursionError:
            raise LayerError(
                f"{function.__name__} exceeded Python's recursion limit: expected a tree that does not contain itself "
                "and is not nested thousands deep"
            ) from None
        except Exception as error:
            _explain(function.__name__, function, args, options, error)
            raise

    return call


def _explain(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any], error: Exception
) -> None:
    """Raise an error that names the wrong argument if one is found; else complete `error`, which the caller raises."""
    if not isinstance(error, (LayerError, OSError, ImportError)) and not is_raised_by_luxport(error):
        from luxport.argument_types import explain_wrong_argument  # imported only when a call fails

        wrong = explain_wrong_argument(name, function, args, options)
        if wrong is not None:
            raise LayerTypeError(wrong) from error
    if isinstance(error, LayerError) and not error.place.describe() and error.detail.startswith("expects "):
        error.place.culprit = name
    make_printable(error)


def is_raised_by_luxport(error: Exception) -> bool:
    """Return whether a ``raise`` statement of luxport raised an error: its message needs no further explanation."""
    # An AttributeError is raised by a layer's __getattr__ when a layer was given where something else was expected.
    if isinstance(error, AttributeError):
        return False
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return is_from_luxport(error) and at is not None and at.tb_frame.f_code.co_code[at.tb_lasti] == _RAISE


_RAISE = dis.opmap["RAISE_VARARGS"]


def explain_construction(kind: Class) -> Class:
    """Decorate a class so that a wrong construction says so in one line; place it above ``@dataclass``."""
    init: Any = vars(kind)["__init__"]

    @functools.wraps(init)
    def wrapper(self: Any, *args: Any, **options: Any) -> None:
        try:
            init(self, *args, **options)
        except TypeError as error:
            at = error.__traceback__
            if at is None or at.tb_next is not None:
                _explain(type(self).__name__, init, (self, *args), options, error)
                raise
            wrong = explain_wrong_arguments(type(self).__name__, init, (self, *args), options)
            if wrong is None:
                raise
            raise LayerTypeError(wrong) from None
        except Exception as error:
            _explain(type(self).__name__, init, (self, *args), options, error)
            raise

    kind.__init__ = wrapper
    return kind


def expect_function(caller: str, f: Any) -> None:
    """Expect something that can be called.

    Raises: TypeError
    """
    if not callable(f):
        raise TypeError(f"{caller} expects a function, got {show(f)}")


def find_signature_mismatch(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Return the name and signature of a function that does not accept these arguments; None if it does.

    Also None for a function without a signature.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:  # some built-in functions have no signature
        return None
    try:
        signature.bind(*arguments)
    except TypeError:
        return f"{getattr(function, '__name__', type(function).__name__)}{signature}"
    return None


def expect_argnums(caller: str, argnums: Any, *, several: bool = False, name: str = "argnums") -> None:
    """Expect the position of an argument as an int; with `several`, also a tuple or list of positions.

    Raises: TypeError
    """
    numbers = argnums if several and isinstance(argnums, (tuple, list)) else (argnums,)
    if not numbers or not all([isinstance(n, int) and not isinstance(n, bool) for n in numbers]):
        wanted = "an int or a tuple of ints" if several else "an int"
        raise TypeError(f"{caller} expects {name} as {wanted}, got {show(argnums)}")


def explain_wrong_arguments(
    name: str, init: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]
) -> str | None:
    """Return why a class called `name` cannot be built from these arguments, which include self; None if it can."""
    return _explain_mismatch(f"{name} is built as", name, init, 1, args, options)


def explain_wrong_call(function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> str | None:
    """Return why a function does not accept these arguments; None if it does, or has no signature."""
    name = getattr(function, "__name__", type(function).__name__)
    return _explain_mismatch(f"{name} is called as", name, function, 0, args, options)


def _explain_mismatch(
    head: str,
    name: str,
    function: Callable[..., Any],
    first: int,
    args: tuple[Any, ...],
    options: Mapping[str, Any],
) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have no signature
        return None
    try:
        signature.bind(*args, **options)
    except TypeError:
        pass
    else:
        return None
    known = list(signature.parameters.values())
    first = 1 if known and known[0].name == "cls" else first
    known = known[first:]
    from luxport.hints import advise_on_option  # imported only when a call fails

    named = [p.name for p in known if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
    by_position = [p.name for p in known if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    any_number = any(p.kind == Parameter.VAR_POSITIONAL for p in known)
    for option in options:
        if option not in named:
            takes = f"it takes {', '.join(named)}" if named else "it takes no options"
            meant = advise_on_option(f"{name}.{option}") or did_you_mean(option, named) or advise_on_option(option)
            return f"{name} has no option '{make_safe(option, 60)}': {meant}{takes}"
    given = args[first:]
    if len(given) > len(by_position) and not any_number:
        by_name = [p.name for p in known if p.kind == Parameter.KEYWORD_ONLY]
        rest = f": by name are {', '.join(by_name)}" if by_name else ""
        return f"{head} {_write_call(name, known)}, got {len(given)} arguments by position{rest}"
    twice = [option for option in by_position[: len(given)] if option in options]
    if twice:
        return f"{head} {_write_call(name, known)}, got {twice[0]} both by position and by name"
    required = [p for p in known if p.default is Parameter.empty]
    missing = [p.name for p in required if p.name in by_position[len(given) :] and p.name not in options]
    missing += [p.name for p in required if p.kind is Parameter.KEYWORD_ONLY and p.name not in options]
    return f"{head} {_write_call(name, known)}, got no {' and no '.join(missing)}"


def did_you_mean(option: str, named: list[str]) -> str:
    """Return "did you mean ...? " with the option of `named` that is meant, or "" if none is similar.

    An option of another library is looked up by its name there, any other by its spelling.
    """
    from difflib import get_close_matches  # imported only when a call fails

    from luxport.hints.options import OPTIONS

    known = [name for name in OPTIONS.get(option, ()) if name in named]
    meant = known or get_close_matches(option, named, 1, 0.7)
    return f"did you mean {meant[0]}? " if meant else ""


def _write_call(name: str, known: list[Parameter]) -> str:
    """Write a correct call with its required arguments; ``...`` stands for options that have defaults."""
    by_position = [
        p.name if p.default is Parameter.empty else f"{p.name}=..."
        for p in known
        if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.POSITIONAL_ONLY)
    ]
    by_position += [f"*{p.name}" for p in known if p.kind == Parameter.VAR_POSITIONAL]
    options = [p for p in known if p.kind == Parameter.KEYWORD_ONLY]
    needed = [f"{p.name}=" for p in options if p.default is Parameter.empty]
    by_name = ["*", *needed, *(["..."] if len(needed) < len(options) else [])] if options else []
    return f"{name}({', '.join(by_position + by_name)})"
