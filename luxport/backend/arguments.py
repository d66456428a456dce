"""Declarations of what a function accepts, from which errors about wrong arguments are made.

Arrays are declared by a pattern, or several as alternatives (see `luxport.backend.array_patterns`), options by rules.
Where nothing is declared, the function's annotations say which arguments are arrays, numbers and flags. Annotations are
used only to explain a call that has failed, never to refuse one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from luxport.backend._dtype_names import dtype_name
from luxport.backend._registry import backend_of, find_owner
from luxport.backend.array_patterns import ArrayPattern, find_mismatch, is_match, parse
from luxport.backend.memory import explain_memory
from luxport.backend.option_rules import ANNOTATED, Rule, is_int, is_number
from luxport.call_arguments import did_you_mean, is_raised_by_luxport
from luxport.errors import LayerError, LayerTypeError, shape_text

__all__ = [
    "Arguments",
    "Check",
    "name_positional_arguments",
    "check_call",
    "convert_options",
    "expect_options",
    "write_short",
]

F = TypeVar("F", bound=Callable[..., Any])

Check = Callable[..., None]
"""A further test, called with the arguments of the function: it raises a LayerError if they are wrong."""


class Arguments:
    """What one function accepts: its arrays by one or more patterns, its other arguments by rules.

    Patterns and signatures are parsed only when a call has failed, so that imports and correct calls stay fast.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        takes: str | Sequence[str],
        rules: Mapping[str, Rule],
        check: Check | None = None,
    ) -> None:
        self.name: str = function.__name__
        self.function = function
        self.takes: Sequence[str] = [takes] if isinstance(takes, str) else takes
        self.all_rules = rules
        self.rules: dict[str, Rule] = {name: rule for name, rule in rules.items() if not rule.late}
        self.check = check

    @functools.cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The function's parameters by name."""
        return inspect.signature(self.function).parameters

    @functools.cached_property
    def positional(self) -> list[str]:
        """The names of the parameters that can be given by position."""
        return [name for name, p in self.parameters.items() if p.kind is not p.KEYWORD_ONLY]

    @functools.cached_property
    def patterns(self) -> tuple[tuple[ArrayPattern, ...], ...]:
        """The declared patterns of arrays, parsed: alternatives of each other."""
        return tuple([parse(pattern) for pattern in self.takes])

    @functools.cached_property
    def every_rule(self) -> dict[str, Rule]:
        """The declared rules and those that follow from annotations; only for explaining a call that has failed."""
        return {**_assume_rules(self.parameters), **self.all_rules}

    def find_early_test(self) -> Check | None:
        """Return the test to run before every call, or None if nothing is declared; this parses the patterns."""
        return self.expect_arrays if self.patterns or self.check else None

    def expect_arrays(self, *arrays: Any, **options: Any) -> None:
        """Expect arrays that match one of the patterns and pass the check.

        Raises: LayerError
        """
        if self.patterns and not any([is_match(pattern, arrays) for pattern in self.patterns]):
            problem = self._find_array_problem(dict(zip(self.positional, arrays, strict=False)))
            if problem is not None:
                raise problem
        if self.check is not None:
            self.check(*arrays, **options)

    def expect_options(self, options: Mapping[str, Any], x: Any) -> None:
        """Expect options that satisfy their rules.

        Raises: LayerError
        """
        expect_options(self.rules, options, x)

    def explain(self, error: Exception, given: tuple[Any, ...], options: Mapping[str, Any]) -> Exception:
        """Return an error that says what is wrong with a failed call; the original error if nothing is found."""
        if isinstance(error, LayerError) and error.place.layer is not None:
            return error  # raised by a layer that a function among the arguments called
        from luxport.backend.free_size_errors import explain_free_size  # imported only when a call fails

        problem = self._find_problem(given, options) or explain_memory(error) or explain_free_size(error)
        problem = problem or _explain_unsigned(error, given)
        problem = problem or _explain_unknown(error, given, options)
        if problem is None and not isinstance(error, LayerError):
            return error
        shown = error if problem is None else problem
        assert isinstance(shown, LayerError)
        shown.place.culprit = self.name
        return shown

    def _find_problem(self, given: tuple[Any, ...], options: Mapping[str, Any]) -> LayerError | None:
        problem = self._find_name_problem(given, options)
        if problem is not None:
            return problem
        named = {**dict(zip(self.positional, given, strict=False)), **options}
        problem = self._find_array_problem(named)
        if problem is not None:
            return problem
        try:
            defaults = {name: p.default for name, p in self.parameters.items() if p.default is not None}
            expect_options(
                self.every_rule, {**defaults, **named}, named.get(self.positional[0]) if self.positional else None
            )
            if self.check is not None:
                by_name = {name: p.default for name, p in self.parameters.items() if p.kind is p.KEYWORD_ONLY}
                self.check(*given, **{**by_name, **options})
        except LayerError as error:
            return error
        except Exception:
            return None  # the check itself failed on such arguments: the error of the call says more
        return None

    def _find_name_problem(self, given: tuple[Any, ...], options: Mapping[str, Any]) -> LayerError | None:
        every = ", ".join(self.parameters)
        variadic = any(p.kind is p.VAR_POSITIONAL for p in self.parameters.values())
        if len(given) > len(self.positional) and not variadic:
            return LayerTypeError(
                f"expects ({', '.join(self.positional)}), got {len(given)} by position: "
                f"it takes ({every}), options by keyword"
            )
        for name in options:
            if name not in self.parameters:
                meant = did_you_mean(name, list(self.parameters))
                return LayerTypeError(f"expects no {name}: {meant}it takes ({every})")
            if self.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
                return LayerTypeError(f"expects {name} by position, not by name: it takes ({every})")
        for i, (name, parameter) in enumerate(self.parameters.items()):
            absent = name not in options and (name not in self.positional or i >= len(given))
            if absent and parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
                return LayerTypeError(f"expects {name}, which is missing: it takes ({every})")
        for i, name in enumerate(self.positional):
            if i < len(given) and name in options:
                return LayerTypeError(f"expects {name} once, got it by position and by name")
        return None

    def _find_array_problem(self, named: Mapping[str, Any]) -> LayerError | None:
        found: tuple[int, LayerError] | None = None
        for pattern in self.patterns or (_assume_arrays(self.parameters, self.positional),):
            problem = find_mismatch(pattern, named)
            if problem is None:
                return None
            # Of several alternatives, the one that matches most arrays is probably the one that was meant.
            if found is None or problem[0] > found[0]:
                found = problem
        return None if found is None else found[1]


def check_call(
    takes: str | Sequence[str] = (),
    *,
    rules: Mapping[str, Rule] | None = None,
    check: Check | None = None,
    canonical: Callable[..., Any] | None = None,
    early: bool = False,
) -> Callable[[F], F]:
    """Decorate a function that is no `operation` itself, so that a wrong call raises an error that explains it.

    With `early`, arrays are tested before every call, for functions where one framework accepts what another refuses.
    `canonical` is the operation that the function calls with all options normalized; its definition is adopted.
    """

    def decorate(function: F) -> F:
        arguments = Arguments(function, takes, rules or {}, check)
        names, _ = name_positional_arguments(function)
        expect_options = arguments.expect_options if arguments.rules else None
        any_by_position = any(name in arguments.rules for name in names)
        expect = arguments.find_early_test() if early else None

        @functools.wraps(function)
        def call(*given: Any, **options: Any) -> Any:
            try:
                if expect_options is not None:
                    convert_options(options, names)
                    named = {**dict(zip(names, given, strict=False)), **options} if any_by_position else options
                    expect_options(named, given[0] if given else None)
                if expect is not None:
                    expect(*given)
                return function(*given, **options)
            except Exception as error:
                problem = arguments.explain(error, given, options)
                if problem is error:
                    raise
                raise problem from error

        if canonical is not None:
            call.definition = canonical.definition  # type: ignore[attr-defined]
        call.autograph_info__ = True  # type: ignore[attr-defined]  # keeps TensorFlow's AutoGraph from rewriting it
        return call  # type: ignore[return-value]

    return decorate


def name_positional_arguments(function: Callable[..., Any]) -> tuple[Sequence[str], int]:
    """Return the names of a function's positional arguments and the number of those without a default."""
    inner = inspect.unwrap(function)
    names = inner.__code__.co_varnames[: inner.__code__.co_argcount]
    return names, len(names) - len(inner.__defaults__ or ())


def _assume_arrays(parameters: Mapping[str, inspect.Parameter], positional: Sequence[str]) -> tuple[ArrayPattern, ...]:
    """Return a pattern of arrays of any dtype and shape, one for each argument that is annotated as an array."""
    arrays = [name for name in positional if str(parameters[name].annotation).startswith("Array")]
    optional = [name for name in arrays if "None" in str(parameters[name].annotation)]
    return parse(", ".join([f"{name} (...)?" if name in optional else name for name in arrays])) if arrays else ()


def _assume_rules(parameters: Mapping[str, inspect.Parameter]) -> dict[str, Rule]:
    return {name: ANNOTATED[str(p.annotation)] for name, p in parameters.items() if str(p.annotation) in ANNOTATED}


def _explain_unsigned(error: Exception, given: tuple[Any, ...]) -> LayerError | None:
    """Return an error about unsigned integers, for which PyTorch has dtypes and few functions; None for any other."""
    if isinstance(error, NotImplementedError):
        for x in given:
            if find_owner(type(x)) is not None and dtype_name(x) in ("uint16", "uint32", "uint64"):
                return LayerTypeError(
                    f"expects numbers that {backend_of(x).name} computes with, got {dtype_name(x)}: convert them with "
                    f"luxport.asarray(..., backend={backend_of(x).name!r}, dtype='int64')"
                )
    return None


def _explain_unknown(error: Exception, given: tuple[Any, ...], options: Mapping[str, Any]) -> LayerError | None:
    """Return an error about a size that is needed and not known during compilation, as in TensorFlow; else None.

    An error that luxport raised explains itself, whether sizes are unknown or not.
    """
    if isinstance(error, LayerError) or is_raised_by_luxport(error):
        return None
    shapes = [tuple(shape) for x in given if (shape := getattr(x, "shape", None)) is not None]
    if isinstance(options.get("shape"), tuple):
        shapes.append(options["shape"])
    if not any([None in shape for shape in shapes]):
        return None
    known = " and ".join(map(str, shapes))
    return LayerError(f"expects sizes that are known during compilation, got {known}: compile for fixed sizes")


def expect_options(rules: Mapping[str, Rule], options: Mapping[str, Any], x: Any) -> None:
    """Expect options that satisfy their rules; `x` is the array whose axes an option may name, or None.

    Raises: LayerError
    """
    for name in options:
        rule = rules.get(name)
        if rule is not None and not rule.holds(options[name], getattr(x, "shape", None)):
            raise _find_option_problem(name, rule, options[name], x)


def convert_options(options: dict[str, Any], arrays: Sequence[str] = ()) -> None:
    """Convert NumPy scalars among options in place; what is named in `arrays` may be an array without axes."""
    for name, value in options.items():
        if isinstance(value, np.generic) and name not in arrays:
            options[name] = value.item()


def _find_option_problem(name: str, rule: Rule, value: Any, x: Any) -> LayerError:
    kind = LayerError if is_number(value) or is_int(value) else LayerTypeError
    shape = f" for the shape {shape_text(x)}" if rule.tells_axes and getattr(x, "shape", None) is not None else ""
    # An int of more than 64 bits is not accepted as a number, although the float of the same value is.
    too_wide = is_int(value) and not is_number(value) and rule.holds(float(value), None)
    remedy = ": a float can be as large" if too_wide else ""
    return kind(f"expects {name} as {rule.wanted}{shape}, got {write_short(value)}{remedy}")


def write_short(value: Any) -> str:
    """Write a value on one line of at most 80 characters, an array by its shape."""
    if find_owner(type(value)) is not None:
        return f"an array {shape_text(value)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
