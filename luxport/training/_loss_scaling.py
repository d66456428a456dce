"""`DynamicLossScale`: multiply the loss so that gradients in float16 do not underflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from luxport import tree
from luxport.backend import Array, dtype_name, find_owner, is_inexact, namespace
from luxport.backend.dtypes import is_bool, widen_halves
from luxport.call_arguments import explain_call_errors, explain_construction
from luxport.core.option_types import expect_options_of
from luxport.errors import LayerTypeError, shape_text
from luxport.training._same_sizes import expect_same_size

__all__ = ["DynamicLossScale", "all_finite", "select"]


@explain_construction
@dataclass(frozen=True)
class DynamicLossScale:
    """A factor for the loss, adapted during training to be as large as float16 allows, as pure functions.

    The loss is multiplied before it is differentiated, and the gradients are divided afterward. If gradients overflow,
    the step is skipped and the factor reduced; after `interval` steps in a row without an overflow it grows. bfloat16
    has the range of float32 and needs no factor.

    Args:
        initial: the initial factor; powers of two, here and below, make the multiplication exact
        growth: what the factor is multiplied by after `interval` finite steps
        backoff: what it is multiplied by after an overflow
        interval: the number of finite steps in a row after which it grows
        least: the smallest factor

    Raises: ValueError if a number is out of range
    State: ``scale`` (), a float32, and ``finite_steps`` (), an int32
    Source: P. Micikevicius et al., "Mixed precision training" (2018), section 3.2; PyTorch ``GradScaler``

    >>> import luxport
    >>> scaling = DynamicLossScale(initial=2.0**10)
    >>> ps = {"a": luxport.asarray([3.0], backend="torch", dtype="float16")}
    >>> state = scaling.setup(ps)
    >>> grads = luxport.grad(lambda ps: scaling.scale(state, (ps["a"] ** 2).sum() * 1e-7))(ps)
    >>> grads, finite = scaling.unscale(state, grads)
    >>> bool(finite), round(float(grads["a"][0]) * 1e7, 1)
    (True, 6.0)
    >>> state = scaling.update(state, finite)
    """

    initial: float = 2.0**15
    growth: float = 2.0
    backoff: float = 0.5
    interval: int = 2000
    least: float = 1.0

    def __post_init__(self) -> None:
        expect_options_of(self)
        if self.least > self.initial:
            raise ValueError(f"DynamicLossScale expects least of at most initial, got {self}")

    def setup(self, ps: tree.Tree) -> dict[str, Array]:
        """Make the state, on the backend and the device of the parameters.

        Raises: ValueError if ps has no floating array
        """
        found = [leaf for leaf in tree.leaves(ps) if is_inexact(leaf)]
        if not found:
            raise ValueError("DynamicLossScale expects a tree with floating arrays, got none")
        xp = namespace(found[0])
        none = xp.sum(xp.zeros_like(found[0])) != 0
        return {
            "scale": xp.astype(none, xp.float32) + self.initial,
            "finite_steps": xp.astype(none, xp.int32),
        }

    def scale(self, state: dict[str, Array], loss: Array) -> Array:
        """Return the loss times the factor, in float32, to be differentiated."""
        xp = namespace(loss)
        return xp.astype(loss, state["scale"].dtype) * state["scale"]

    def unscale(self, state: dict[str, Array], grads: tree.Tree) -> tuple[tree.Tree, Array]:
        """Return the gradients divided by the factor, half types as float32, and whether all are finite."""

        def divide(dx: Any) -> Any:
            if not is_inexact(dx):
                return dx
            xp = namespace(dx, state["scale"])
            wide = widen_halves(xp, dx)
            return wide / xp.astype(state["scale"], wide.dtype)

        divided = tree.map(divide, grads)
        return divided, all_finite(divided)

    def update(self, state: dict[str, Array], finite: Array) -> dict[str, Array]:
        """Return the next state: a smaller factor after an overflow, a larger one after `interval` finite steps."""
        scale, steps = state["scale"], state["finite_steps"]
        xp = namespace(scale)
        steps = xp.where(finite, steps + 1, xp.zeros_like(steps))
        grown = scale * self.growth
        ready = xp.logical_and(steps >= self.interval, xp.isfinite(grown))
        smaller = xp.maximum(scale * self.backoff, xp.full_like(scale, self.least))
        return {
            "scale": xp.where(finite, xp.where(ready, grown, scale), smaller),
            "finite_steps": xp.where(steps >= self.interval, xp.zeros_like(steps), steps),
        }


@explain_call_errors
def all_finite(values: tree.Tree) -> Array:
    """Return whether all floating numbers in a tree are finite, as a boolean array without axes.

    Raises: ValueError if there is no floating array

    >>> import numpy as np
    >>> bool(all_finite({"a": np.ones(2), "b": np.array([np.nan])}))
    False
    """
    found = [leaf for leaf in tree.leaves(values) if is_inexact(leaf)]
    if not found:
        raise ValueError("all_finite expects a tree with floating arrays, got none")
    xp = namespace(*found)
    return xp.all(xp.stack([xp.all(xp.isfinite(leaf)) for leaf in found]))


@explain_call_errors
def select(condition: Array, new: tree.Tree, old: tree.Tree) -> tree.Tree:
    """Return one of two trees by a condition that may be known only when the program runs, such as to skip a step.

    Args:
        condition: a boolean array without axes
        new: the result where the condition is true
        old: the result otherwise, of the same structure, shapes and dtypes

    Raises: ValueError if structures or shapes of the trees differ, or the condition has axes; TypeError if it is not
            boolean, or of another backend

    >>> import numpy as np
    >>> select(np.array(False), {"a": np.ones(1)}, {"a": np.zeros(1)})
    {'a': array([0.])}
    """
    if len(condition.shape):
        raise ValueError(f"select expects a condition without axes, got {shape_text(condition)}")
    if not is_bool(condition):
        raise LayerTypeError(f"select expects a boolean as condition, got {dtype_name(condition)}")

    def choose(new: Any, old: Any) -> Any:
        if new is old or find_owner(type(new)) is None:
            return new
        xp = namespace(condition, new, old)
        expect_same_size("select", new, old)
        return xp.where(condition, new, old)

    return tree.map(choose, new, old)
