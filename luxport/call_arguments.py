"""What is wrong with the arguments of a call, in one line that names those there are."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Callable, Mapping
from inspect import Parameter
from typing import Any, ParamSpec, TypeVar

from luxport.errors import LayerError, LayerTypeError
from luxport.text import is_own, make_printable, make_safe, show

__all__ = [
    "explain_construction",
    "did_you_mean",
    "expect_function",
    "expect_places",
    "find_refused",
    "is_told",
    "says_what_it_takes",
    "explain_wrong_arguments",
    "explain_wrong_call",
]

P = ParamSpec("P")
R = TypeVar("R")
Class = TypeVar("Class", bound=type)

# What other libraries call an option, where no spelling is close enough to guess by.
_ELSEWHERE = {
    "lr": ("eta",),
    "learning_rate": ("eta",),
    "alpha": ("eta",),
    "eps": ("epsilon",),
    "betas": ("beta",),
    "beta1": ("beta",),
    "beta2": ("beta",),
    "b1": ("beta",),
    "b2": ("beta",),
    "momentum": ("rho",),
    "decay": ("rho", "lambda_"),
    "weight_decay": ("lambda_", "lam"),
    "bias": ("use_bias",),
    "in_features": ("in_dims",),
    "out_features": ("out_dims",),
    "units": ("out_dims",),
    "input_size": ("in_dims",),
    "hidden_size": ("out_dims",),
    "kernel_size": ("kernel", "window"),
    "pool_size": ("window",),
    "filters": ("out_channels",),
    "strides": ("stride",),
    "pad": ("padding",),
    "dilation_rate": ("dilation",),
    "rate": ("p",),
    "num_features": ("channels",),
    "num_groups": ("groups",),
    "num_channels": ("channels",),
    "normalized_shape": ("shape",),
    "elementwise_affine": ("affine",),
    "track_running_stats": ("track_stats",),
    "num_embeddings": ("in_dims",),
    "embedding_dim": ("out_dims",),
    "embed_dim": ("in_dims",),
    "num_heads": ("nheads",),
    "dropout": ("attention_dropout_probability",),
    "causal": ("is_causal",),
    "mode": ("reduction", "method"),
    "kernel_initializer": ("init_weight",),
    "init": ("init_weight",),
    "features": ("out_dims", "out_channels"),
    "return_sequences": ("return_sequence",),
    "batchsize": ("batch_size",),
    "bias_initializer": ("init_bias",),
    "n": ("repeats",),
    "scale_factor": ("scale",),
    "d_model": ("dims",),
    "nhead": ("nheads",),
    "dim_feedforward": ("hidden_dims",),
    "reduction": ("agg",),
    "apply_fn": ("model",),
    "params": ("ps",),
    "tx": ("optimizer",),
    "validation_data": ("validation",),
    "input_dim": ("in_dims",),
    "output_dim": ("out_dims",),
}


def says_what_it_takes(function: Callable[P, R], /) -> Callable[P, R]:
    """Let a function that is called with missing, unknown, too many or doubled arguments say so in one line.

    >>> @says_what_it_takes
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
            if at is None or at.tb_next is not None:  # it was called, and the error is from inside
                _explain(function.__name__, function, args, options, error)
                raise
            wrong = explain_wrong_call(function, args, options)
            if wrong is None:
                raise
            raise LayerTypeError(wrong) from None
        except RecursionError:
            raise LayerError(
                f"{function.__name__} goes deeper than Python does: a tree that is one expected, not one that holds "
                "itself or is nested thousands deep"
            ) from None
        except Exception as error:
            _explain(function.__name__, function, args, options, error)
            raise

    return call


def _explain(
    name: str, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any], error: Exception
) -> None:
    """Say which argument made a function fail, where the error does not; raise it as it is else."""
    if not isinstance(error, (LayerError, OSError, ImportError)) and not is_told(error):
        from luxport.argument_types import explain_wrong_argument  # mistakes alone need it

        wrong = explain_wrong_argument(name, function, args, options)
        if wrong is not None:
            raise LayerTypeError(wrong) from error
    if isinstance(error, LayerError) and not error.place.text() and error.detail.startswith("expects "):
        error.place.culprit = name
    make_printable(error)


def is_told(error: Exception) -> bool:
    """Whether luxport raised an error itself, by a ``raise``: it says what it has to say."""
    if isinstance(error, AttributeError):  # a layer's words about a name it has not, in the place of another thing
        return False
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return is_own(error) and at is not None and at.tb_frame.f_code.co_code[at.tb_lasti] == _RAISE


_RAISE = dis.opmap["RAISE_VARARGS"]


def explain_construction(kind: Class) -> Class:
    """Do the same for a class: put it above the dataclass, if it is one."""
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


def find_refused(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Return the name and signature of a function that cannot be called so; None if it can, or does not tell."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # some built-in functions have no signature
        return None
    try:
        signature.bind(*arguments)
    except TypeError:
        return f"{getattr(function, '__name__', type(function).__name__)}{signature}"
    return None


def expect_places(caller: str, argnums: Any, *, several: bool = False, name: str = "argnums") -> None:
    """Expect the number of an argument, or a tuple of such.

    Raises: TypeError
    """
    numbers = argnums if several and isinstance(argnums, (tuple, list)) else (argnums,)
    if not numbers or not all([isinstance(n, int) and not isinstance(n, bool) for n in numbers]):
        wanted = "an int or a tuple of ints" if several else "an int"
        raise TypeError(f"{caller} expects {name} as {wanted}, got {show(argnums)}")


def explain_wrong_arguments(
    name: str, init: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]
) -> str | None:
    """Say why a class that is called `name` cannot be built of these arguments, self among them; None if it can."""
    return _explain_in_words(f"{name} is built as", name, init, 1, args, options)


def explain_wrong_call(function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> str | None:
    """Say why a function does not take these arguments; None if it does, or does not tell."""
    name = getattr(function, "__name__", type(function).__name__)
    return _explain_in_words(f"{name} is called as", name, function, 0, args, options)


def _explain_in_words(
    head: str,
    name: str,
    function: Callable[..., Any],
    first: int,
    args: tuple[Any, ...],
    options: Mapping[str, Any],
) -> str | None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions do not tell
        return None
    try:
        signature.bind(*args, **options)
    except TypeError:
        pass
    else:
        return None
    known = list(signature.parameters.values())[first:]
    known = known[1:] if known and known[0].name == "cls" else known
    named = [p.name for p in known if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
    by_position = [p.name for p in known if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]
    any_number = any(p.kind == Parameter.VAR_POSITIONAL for p in known)
    for option in options:
        if option not in named:
            takes = f"it takes {', '.join(named)}" if named else "it takes no options"
            meant = did_you_mean(option, named) or _advise(name, option)
            return f"{name} has no option '{make_safe(option, 60)}': {meant}{takes}"
    given = args[first:]
    if len(given) > len(by_position) and not any_number:
        by_name = [p.name for p in known if p.kind == Parameter.KEYWORD_ONLY]
        rest = f": by name are {', '.join(by_name)}" if by_name else ""
        return f"{head} {_call(name, known)}, got {len(given)} arguments by position{rest}"
    twice = [option for option in by_position[: len(given)] if option in options]
    if twice:
        return f"{head} {_call(name, known)}, got {twice[0]} both by position and by name"
    required = [p for p in known if p.default is Parameter.empty]
    missing = [p.name for p in required if p.name in by_position[len(given) :] and p.name not in options]
    missing += [p.name for p in required if p.kind is Parameter.KEYWORD_ONLY and p.name not in options]
    return f"{head} {_call(name, known)}, got no {' and no '.join(missing)}"


def _advise(name: str, option: str) -> str:
    """Say how what another library's option does is done here, as a sentence of its own; nothing if that is unknown."""
    from luxport.habits import advise_on_option  # mistakes alone need it

    return advise_on_option(name, option)


def did_you_mean(option: str, named: list[str]) -> str:
    """Ask for the option that was meant: by what other libraries call it, else by its spelling; "" if none is near."""
    from difflib import get_close_matches  # only a wrong call needs it

    known = _ELSEWHERE.get(option)
    meant = [name for name in known if name in named] if known else get_close_matches(option, named, 1)
    return f"did you mean {meant[0]}? " if meant else ""


def _call(name: str, known: list[Parameter]) -> str:
    """Write the call as it would be right: what is needed by name, and that there are options."""
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
