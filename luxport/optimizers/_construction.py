"""Checks of a rule's arguments: an error of one line says which is wrong, as for layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import wraps
from typing import Any, TypeVar

from luxport.backend import is_compiling
from luxport.backend.option_rules import convert_arguments, is_of_luxport
from luxport.core.construction import explain_failures
from luxport.core.option_types import expect_options_of, explain_wrong_option, is_scalar
from luxport.schedules._schedule import Schedule
from luxport.text import name_kind, show

__all__ = ["check_rule", "explains_itself"]

_Class = TypeVar("_Class", bound=type)


def explains_itself(kind: _Class) -> _Class:
    """Decorate a rule's dataclass so that errors say in one line which argument is wrong."""
    if "__init__" in vars(kind):
        kind.__init__ = _refuse_schedules(kind.__name__, kind.__init__)
    type.__setattr__(kind, "__getattr__", _say_what_is_missing)
    return kind


def _say_what_is_missing(rule: Any, name: str) -> Any:
    from luxport.hints import make_attribute_error  # imported only when a call fails

    raise make_attribute_error(rule, name)


def check_rule(given: Any) -> None:
    """Expect a rule whose hyper-parameters have the annotated types; only `adjust` may replace numbers by arrays.

    Raises: TypeError
    """
    from luxport.optimizers._rule import Compound

    if is_compiling():  # a compiler cannot trace this check, and raises its own errors
        return
    _expect_rule("optimizers.setup", given)
    if isinstance(given, Compound):
        for inner in given.inner_rules:
            check_rule(inner)
    elif is_dataclass(given) and is_of_luxport(given):
        wrong = explain_wrong_option(type(given), vars(given))
        if wrong is not None:
            raise TypeError(wrong)
        if any(isinstance(value, list) for value in vars(given).values()):
            raise TypeError(f"{type(given).__name__} expects tuples, got a list in {given}")


def _expect_rule(caller: str, given: Any) -> None:
    for name in ("init", "apply"):
        if isinstance(given, type) or not callable(getattr(given, name, None)):
            cure = ": call it" if isinstance(given, type) else ""
            raise TypeError(
                f"{caller} expects a rule, such as luxport.optimizers.Adam(0.001), got {name_kind(given)}{cure}"
            )


def _refuse_schedules(name: str, init: Callable[..., None]) -> Callable[..., None]:
    explaining = explain_failures(init)

    @wraps(init)
    def wrapper(self: Any, *args: Any, **options: Any) -> None:
        if is_compiling():  # a compiler cannot trace these checks
            init(self, *args, **options)
            return
        if name != "Scheduler":
            for value in (*args, *options.values()):
                _refuse_schedule(name, value)
        args, options = convert_arguments(self, args, options)
        explaining(self, *args, **options)
        if is_of_luxport(self):  # custom rules may annotate their fields freely
            expect_options_of(self, arrays=is_scalar)
        _expect_inner_rules(self)

    return wrapper


def _expect_inner_rules(rule: Any) -> None:
    """Expect rules inside a compound rule, already when it is built, where the traceback shows which is wrong."""
    from luxport.optimizers._rule import Compound

    if isinstance(rule, Compound):
        for inner in rule.inner_rules:
            _expect_rule(type(rule).__name__, inner)


def _refuse_schedule(name: str, value: Any) -> None:
    if isinstance(value, Schedule):
        raise TypeError(
            f"{name} expects numbers, got the schedule {show(value)}: "
            f"luxport.optimizers.Scheduler({name}(), eta={show(value)}) follows one"
        )
