"""`WithOptions`: a function with fixed options, which compares by function and options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["WithOptions"]


@dataclass(frozen=True)
class WithOptions:
    """A function with fixed options; equal functions with equal options are equal, so that layers can be compared."""

    function: Callable[..., Any]
    options: tuple[tuple[str, Any], ...]

    @classmethod
    def with_keywords(cls, function: Callable[..., Any], **options: Any) -> WithOptions:
        """Return a function with the options that are given as keywords."""
        return cls(function, tuple(options.items()))

    def __call__(self, x: Any) -> Any:
        """Call the function with its options."""
        return self.function(x, **dict(self.options))

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options)
        return f"{self.function.__name__.lstrip('_')}(x{options})"
