"""Functions with options that compare by what they do: `WithOptions`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["WithOptions"]


@dataclass(frozen=True)
class WithOptions:
    """A function with options, which compares by what it does, as the layer around it has to."""

    function: Callable[..., Any]
    options: tuple[tuple[str, Any], ...]

    @classmethod
    def of(cls, function: Callable[..., Any], **options: Any) -> WithOptions:
        """Take the options as keywords."""
        return cls(function, tuple(options.items()))

    def __call__(self, x: Any) -> Any:
        """Call the function with its options."""
        return self.function(x, **dict(self.options))

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options)
        return f"{self.function.__name__.lstrip('_')}(x{options})"
