"""Training: one step, `train_step`, and a loop of them, `train`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from luxport import tree
from luxport.backend import backend_of, find_owner, namespace
from luxport.call_arguments import says_what_it_takes
from luxport.optimizers._updates import update
from luxport.transforms import value_and_grad

__all__ = ["train", "train_step"]


@says_what_it_takes
def train_step(
    loss: Callable[..., Any], state: tree.Tree, ps: tree.Tree, *data: Any, has_aux: bool = False
) -> tuple[Any, tree.Tree, tree.Tree]:
    """Take one step against the gradient of ``loss(ps, *data)``: its value before the step, and the new state and ps.

    With `has_aux` the loss returns a pair of a scalar and anything else, such as the states of layers, and so does
    this. If the scalar or a gradient is not finite there is no step: state and ps come back as they were. So do states
    in what the loss returned besides: a dict there (or in a tuple, list or dict of its) which is like a dict among the
    data, with the same keys, shapes and dtypes, is what that one has become, and the one handed in comes back. Two that
    are alike are told apart by their order.

    It may be compiled: ``luxport.jit(luxport.training.train_step)``. The step is no part of a gradient of PyTorch's
    own around it, even where parameters require one.

    Raises: TypeError as `value_and_grad` does, ValueError as `optimizers.update` does
    Source: Flux.jl ``trainstep!``

    >>> import luxport
    >>> ps = {"a": luxport.asarray([3.0], backend="torch")}
    >>> state = luxport.optimizers.setup(luxport.optimizers.Descent(0.1), ps)
    >>> train_step(lambda ps, x: ((ps["a"] * x) ** 2).sum(), state, ps, 2.0)[2]
    {'a': tensor([0.6000])}
    """
    with _untracked(ps):
        value, grads = value_and_grad(loss, has_aux=has_aux)(ps, *data)
        scalar = value[0] if has_aux else value
        xp = namespace(scalar)
        finite = xp.isfinite(scalar)
        for gradient in tree.leaves(grads):
            finite = xp.logical_and(finite, xp.all(xp.isfinite(gradient)))

        def kept(new: Any, old: Any) -> Any:
            return old if new is old or find_owner(type(old)) is None else xp.where(finite, new, old)

        new_state, new_ps = update(state, ps, grads)
        if has_aux:
            value = (scalar, _with_states(value[1], [entry for entry in data if isinstance(entry, Mapping)], kept))
        return value, tree.map(kept, new_state, state), tree.map(kept, new_ps, ps)


def _untracked(ps: tree.Tree) -> AbstractContextManager[Any]:
    """Return the context in which a framework records only what gradients taken inside need."""
    array = next((leaf for leaf in tree.leaves(ps) if find_owner(type(leaf)) is not None), None)
    context = None if array is None else getattr(backend_of(array), "untracked", None)
    return nullcontext() if context is None else context()


def _with_states(aux: Any, given: list[Any], kept: Callable[[Any, Any], Any]) -> Any:
    """Return what a loss returned, its states kept; `given` are the dicts handed in, and loses those found again."""
    if not given:
        return aux
    if isinstance(aux, Mapping):
        for i, old in enumerate(given):
            if _is_like(aux, old):
                del given[i]
                return tree.map(kept, aux, old)
        return {key: _with_states(value, given, kept) for key, value in aux.items()}
    if isinstance(aux, (tuple, list)):
        return tree.like_sequence(aux, [_with_states(value, given, kept) for value in aux])
    return aux


def _is_like(new: Any, old: Any) -> bool:
    """Tell whether two trees have the same keys, shapes and dtypes."""
    if isinstance(new, Mapping):
        return isinstance(old, Mapping) and new.keys() == old.keys() and all([_is_like(new[k], old[k]) for k in new])
    if isinstance(new, (tuple, list)):
        alike = isinstance(old, (tuple, list)) and len(new) == len(old)
        return alike and all([_is_like(*pair) for pair in zip(new, old, strict=True)])
    dtype = getattr(new, "dtype", None)
    if dtype is None:
        return type(old) is type(new)
    return getattr(old, "dtype", None) == dtype and tuple(new.shape) == tuple(old.shape)


@says_what_it_takes
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
    `step` is another way to take a step, such as ``luxport.jit(luxport.training.train_step)``. The loss returns
    a number alone: a model with states takes `train_step` with `has_aux` in a loop of its own.

    Raises: FloatingPointError at the first loss that is not finite; the last parameters are those before it
    Source: Flux.jl ``train!``

    >>> import luxport
    >>> ps = {"a": luxport.asarray([3.0], backend="torch")}
    >>> state = luxport.optimizers.setup(luxport.optimizers.Descent(0.1), ps)
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
