"""Mixed precision: a model that computes in a half type while parameters, states and outputs have a wider dtype."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.backend import dtype_name, find_owner, namespace
from luxport.backend.dtypes import widen_halves
from luxport.core.state_precision import convert_frozen, restore_precision

__all__ = ["wrap_in_precision"]


def wrap_in_precision(model: Any, precision: str | None) -> Any:
    """Return a model that computes in this precision; the model itself if it is None."""
    return model if precision is None else _InPrecision(model, precision)


@dataclass(frozen=True)
class _InPrecision:
    """A model that is called in half precision.

    Inputs and parameters are converted, frozen parameters too. Other states keep their dtype: in half precision the
    updates of running statistics would be rounded away.
    """

    model: Any
    precision: str

    def __call__(self, x: Any, ps: Any, st: Any) -> tuple[Any, Any]:
        given = convert_frozen(st, self._convert)
        y, new = self.model(self._convert(x), self._convert(ps), given)
        return tree.map(_widen, y), restore_precision(new, given, st)

    def _convert(self, values: Any) -> Any:
        def convert(leaf: Any) -> Any:
            if find_owner(type(leaf)) is None or dtype_name(leaf) not in ("float32", "float64"):
                return leaf
            xp = namespace(leaf)
            return xp.astype(leaf, getattr(xp, self.precision))

        return tree.map(convert, values)


def _widen(leaf: Any) -> Any:
    return leaf if find_owner(type(leaf)) is None else widen_halves(namespace(leaf), leaf)
