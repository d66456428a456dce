"""`MovingAverage`: parameters averaged over training steps, which often generalize better than the last ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.backend import Array, dtype_name, is_inexact, namespace
from luxport.backend.dtypes import choose_wider_dtype
from luxport.call_arguments import explain_construction
from luxport.core.option_types import expect_options_of
from luxport.training._same_sizes import expect_same_size

__all__ = ["MovingAverage"]


@explain_construction
@dataclass(frozen=True)
class MovingAverage:
    """An exponential moving average of a tree: ``average = d average + (1 - d) ps`` at each update, by pure functions.

    With `warm_up` the decay d of update t, from 1, is at most ``(1 + t) / (10 + t)``, so that the first averages do
    not stay near the initial parameters. Averages of half types are stored in float32. Leaves that are not floating
    arrays are those of the last update. An update may be compiled; all t share one program.

    Args:
        decay: the weight d of the previous average, from 0 to below 1
        warm_up: whether to begin with a smaller decay

    Raises: ValueError if decay is out of range
    State: ``average``, a tree like ps, and ``updates`` (), an int32
    Source: TensorFlow ``ExponentialMovingAverage``; B. Polyak and A. Juditsky, "Acceleration of stochastic
            approximation by averaging" (1992)

    >>> import luxport
    >>> ema = MovingAverage(0.9, warm_up=False)
    >>> ps = {"a": luxport.asarray([1.0], backend="numpy")}
    >>> state = ema.setup(ps)
    >>> state = ema.update(state, {"a": ps["a"] * 2.0})
    >>> ema.parameters(state, ps)
    {'a': array([1.1], dtype=float32)}
    """

    decay: float = 0.999
    warm_up: bool = True

    def __post_init__(self) -> None:
        expect_options_of(self)

    def setup(self, ps: tree.Tree) -> dict[str, Any]:
        """Return the initial state, whose average is these parameters.

        Raises: ValueError if no leaf is a floating array
        """
        found = [leaf for leaf in tree.leaves(ps) if is_inexact(leaf)]
        if not found:
            raise ValueError("MovingAverage expects a tree with floating arrays, got none")
        xp = namespace(found[0])
        none = xp.astype(xp.sum(xp.zeros_like(found[0])) != 0, xp.int32)  # on the device of the parameters
        return {"average": tree.map(lambda x: _copy(x) if is_inexact(x) else x, ps), "updates": none}

    def update(self, state: dict[str, Any], ps: tree.Tree) -> dict[str, Any]:
        """Return the state after one more step of training.

        Raises: ValueError if ps differs in structure or shapes from the tree of `setup`
        """
        updates = state["updates"] + 1
        shares: dict[Any, Array] = {}

        def average(old: Any, new: Any) -> Any:
            if not is_inexact(new):
                return new
            xp, kind = namespace(old, new), old.dtype
            expect_same_size("MovingAverage", new, old)
            if kind not in shares:
                shares[kind] = xp.astype(self._share(xp, updates, choose_wider_dtype(xp, old)), kind)
            # Computed from the difference, so that an average equal to the parameters remains so to the last bit.
            return old + shares[kind] * (xp.astype(new, kind) - old)

        return {"average": tree.map(average, state["average"], ps), "updates": updates}

    def _share(self, xp: Any, updates: Array, dtype: Any) -> Array:
        """Return the weight of the new parameters, 1 - d: a Python float, rounded once, so that d may be close to 1."""
        updates = xp.astype(updates, dtype)
        share = xp.full_like(updates, 1.0 - self.decay)
        if not self.warm_up:
            return share
        first = 9.0 / (updates + 10.0)
        return xp.where(first > share, first, share)

    def parameters(self, state: dict[str, Any], ps: tree.Tree) -> tree.Tree:
        """Return the average in the dtypes of ps, for a model in test mode.

        Raises: ValueError if ps differs in structure or shapes from the tree of `setup`
        """

        def convert(average: Any, x: Any) -> Any:
            if not is_inexact(x):
                return average
            xp = namespace(average, x)
            expect_same_size("MovingAverage", x, average)
            return xp.astype(average, x.dtype, copy=False)

        return tree.map(convert, state["average"], ps)


def _copy(x: Array) -> Array:
    """Return a copy in at least single precision."""
    xp = namespace(x)
    return xp.astype(x, xp.float32 if dtype_name(x) in ("float16", "bfloat16") else x.dtype, copy=True)
