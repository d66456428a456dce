"""Training: one step, `train_step`, and a loop of them, `train`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from luxport import tree
from luxport.backend import find_owner, namespace
from luxport.optimisers.updates import update
from luxport.transforms import value_and_grad

__all__ = ["train", "train_step"]


def train_step(
    loss: Callable[..., Any], state: tree.Tree, ps: tree.Tree, *data: Any, has_aux: bool = False
) -> tuple[Any, tree.Tree, tree.Tree]:
    """Take one step against the gradient of ``loss(ps, *data)``: its value before the step, and the new state and ps.

    With `has_aux` the loss returns a pair of a scalar and anything else, such as the states of layers, and so does
    this. If the scalar is not finite there is no step: state and ps come back as they were.

    It may be compiled: ``luxport.jit(luxport.train_step)``.

    Raises: TypeError as `value_and_grad` does, ValueError as `optimisers.update` does
    Source: Flux.jl ``trainstep!``

    >>> import luxport
    >>> ps = {"a": luxport.asarray([3.0], backend="torch")}
    >>> state = luxport.optimisers.setup(luxport.optimisers.Descent(0.1), ps)
    >>> train_step(lambda ps, x: ((ps["a"] * x) ** 2).sum(), state, ps, 2.0)[2]
    {'a': tensor([0.6000])}
    """
    value, grads = value_and_grad(loss, has_aux=has_aux)(ps, *data)
    scalar = value[0] if has_aux else value
    xp = namespace(scalar)
    finite = xp.isfinite(scalar)

    def kept(new: Any, old: Any) -> Any:
        return old if new is old or find_owner(type(old)) is None else xp.where(finite, new, old)

    new_state, new_ps = update(state, ps, grads)
    return value, tree.map(kept, new_state, state), tree.map(kept, new_ps, ps)


def train(
    loss: Callable[..., Any],
    state: tree.Tree,
    ps: tree.Tree,
    data: Iterable[Any],
    *,
    step: Callable[..., Any] = train_step,
) -> Iterator[tuple[Any, tree.Tree, tree.Tree]]:
    """Yield what `train_step` returns for each batch of the data; a tuple is several arguments of the loss.

    Whatever else there is to do in training (a schedule, a line in a log, stopping early) is done in the loop over it.
    `step` is another way to take a step, such as ``luxport.jit(luxport.train_step)``. The loss returns a number alone:
    a model with states takes `train_step` with `has_aux` in a loop of its own.

    Raises: FloatingPointError at the first loss that is not finite; the last parameters are those before it
    Source: Flux.jl ``train!``

    >>> import luxport
    >>> ps = {"a": luxport.asarray([3.0], backend="torch")}
    >>> state = luxport.optimisers.setup(luxport.optimisers.Descent(0.1), ps)
    >>> for value, *trained in train(lambda ps, x: ((ps["a"] * x) ** 2).sum(), state, ps, [2.0, 1.0]):
    ...     print(round(float(value), 3))
    36.0
    0.36
    >>> state, ps = trained
    """
    for count, batch in enumerate(data, start=1):
        value, state, ps = step(loss, state, ps, *(batch if isinstance(batch, tuple) else (batch,)))
        if not math.isfinite(float(value)):
            raise FloatingPointError(
                f"train expects a finite loss, got {float(value)} at batch {count}: no step was taken with it"
            )
        yield value, state, ps
