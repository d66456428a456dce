"""A layer that computes in another precision than the rest of a model: `AlternatePrecision`."""

from __future__ import annotations

from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of, dtype_name, find_owner
from luxport.backend._precision import choose_dtype_at
from luxport.core.containers import WrapperLayer
from luxport.core.layer import Layer
from luxport.core.layer_base import Parameters, States
from luxport.core.state_precision import restore_precision
from luxport.errors import LayerError
from luxport.text import show

__all__ = ["AlternatePrecision"]


class AlternatePrecision(WrapperLayer):
    """A layer that computes in another floating dtype than the model around it.

    ``y = float32(layer(dtype(x), dtype(ps)))`` for a float32 x. At each call the floating arrays of the input, the
    parameters and the state are converted to `dtype`, and those of the output and the new state back to the dtypes of
    the input and the state. Parameters are stored and trained in their own precision. If the input has no floating
    array, the output stays in `dtype`.

    Args:
        layer: a layer
        dtype: "float16", "bfloat16", "float32" or "float64"

    Shapes: the layer's
    Params: the layer's
    State:  the layer's
    Raises: ValueError when built with a dtype that is not floating; LayerError on a backend without this dtype
    Source: Lux.jl ``AlternatePrecision``, which converts only the input and relies on promotion; here layers take
            no mixed dtypes

    >>> import numpy as np, luxport
    >>> model = AlternatePrecision(luxport.Dense(2, 1), "float64")
    >>> ps, st = luxport.setup(0, model)
    >>> model(np.ones((1, 2), np.float32), ps, st)[0].dtype.name
    'float32'
    """

    layer: Layer
    dtype: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.dtype not in ("float16", "bfloat16", "float32", "float64"):
            raise ValueError(f"AlternatePrecision expects the name of a real floating dtype, got {show(self.dtype)}")

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Convert, call, convert back."""
        outer = next((name for leaf in tree.leaves(x) if "float" in (name := _name_dtype(leaf))), self.dtype)
        try:
            x, cast_ps, cast_st = _cast(x, self.dtype), _cast(ps, self.dtype), _cast(st, self.dtype)
        except ValueError as error:
            raise LayerError(f"computes in {self.dtype}: {error}") from None
        y, new_st = self.layer(x, cast_ps, cast_st)
        return _cast(y, outer), _restore(new_st, cast_st, st, outer)


def _name_dtype(leaf: Any) -> str:
    """Name the dtype of an array; "" for anything else, which the layer will refuse."""
    return dtype_name(leaf) if find_owner(type(leaf)) is not None else ""


def _cast(values: Any, dtype: str) -> Any:
    def cast(path: tuple[str, ...], leaf: Array) -> Array:
        kind, wanted = _name_dtype(leaf), choose_dtype_at(path, dtype)
        return backend_of(leaf).asarray(leaf, dtype=wanted) if "float" in kind and kind != wanted else leaf

    return tree.map_with_path(cast, values)


def _restore(new: Any, given: Any, old: Any, outer: str) -> Any:
    restored = restore_precision(new, given, old)
    return restored if tree.structure(new) == tree.structure(old) else _cast(restored, outer)
