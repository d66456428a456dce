"""Steps in two programs, gradients and update, between which an engine averages the gradients."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from luxport import tree
from luxport.backend import can
from luxport.distributed._agreement import attempt
from luxport.distributed._session import Session
from luxport.distributed._sums import compute_weighted_means
from luxport.distributed._workers import average_together, compute_own_gradients
from luxport.training._state import TrainState
from luxport.transforms._compiling import jit as compile_program

__all__ = ["PendingAgreement", "split_step", "use_engine"]


class PendingAgreement:
    """The check that all processes make the same call: sent before gradients are computed, waited for afterward.

    With `waits` it is waited for at once, as is needed if arrays are moved before the gradients are known.
    """

    def __init__(self) -> None:
        self.waits = True
        self._settle: Callable[[], None] | None = None

    def begin(self, settle: Callable[[], None]) -> None:
        """Record that the check was sent; `settle` waits for its result."""
        self._settle = settle
        if self.waits:
            self.settle()

    def settle(self) -> None:
        """Wait for the result, if that has not been done yet."""
        settle, self._settle = self._settle, None
        if settle is not None:
            settle()


def use_engine(
    session: Session,
    agreement: PendingAgreement,
    backend: Any,
    objective: Any,
    gradients_of: Callable[[Any], Callable[..., Any]],
    finish: Callable[..., Any],
    *,
    overlaps: bool,
    jit: bool,
    donate: bool,
) -> Callable[..., Any]:
    """Return a step whose gradients the engine averages: after the backward pass, or during it if not compiled."""
    world, engine = session.world, session.engine
    overlap = engine.find_overlap() if overlaps and not jit and engine.backend == backend.name else None
    if overlap is not None:
        objective = partial(_watch, session, overlap, agreement, objective)
    gradients = partial(compute_own_gradients, gradients_of(objective), world.rank)

    def mean(arrays: list[Any], weight: float | None = None) -> list[Any]:
        if not arrays:
            return []
        weight = session.step.weight if weight is None else weight
        return attempt(
            "train_step", session, lambda: compute_weighted_means(engine.all_reduce, arrays, world.size, weight)
        )

    def exchange(grads: Any, loss: Any, stats: Any, st: Any) -> Any:
        agreement.settle()
        if overlap is None:
            return average_together(mean, world.size, grads, loss, stats, st, partial(mean, weight=1.0))
        means = attempt("train_step", session, partial(overlap.finish_means, tree.leaves(grads)))
        grads = tree.unflatten(tree.structure(grads), iter(means))
        return grads, *average_together(mean, world.size, None, loss, stats, st, partial(mean, weight=1.0))[1:]

    return split_step(backend, gradients, finish, exchange, jit=jit, donate=donate)


def _watch(
    session: Session, overlap: Any, agreement: PendingAgreement, objective: Any, model: Any, ps: Any, st: Any, data: Any
) -> Any:
    def settle() -> float:
        agreement.settle()
        return session.step.weight

    result = objective(model, ps, st, data)
    overlap.watch(tree.leaves(ps), settle)  # not earlier, as the objective may compute gradients of its own
    return result


def split_step(
    backend: Any,
    gradients: Callable[..., Any],
    finish: Callable[..., Any],
    exchange: Callable[..., Any] | None,
    *,
    jit: bool,
    donate: bool,
) -> Callable[..., Any]:
    """Return a step of two programs: `gradients`, and after `exchange`, which averages these, `finish`."""
    if can(backend, "training program"):
        return backend.train_program(gradients, finish, jit=jit, donate=donate, exchange=exchange)

    def update(state: TrainState, st: Any, grads: Any, loss: Any) -> Any:
        return finish(state, state._replace(st=st), grads, loss, (), in_place=False)

    compute: Callable[..., Any] = compile_program(gradients) if jit else gradients
    apply: Callable[..., Any] = compile_program(update, donate=0 if donate else ()) if jit else update

    def program(data: Any, state: TrainState) -> Any:
        grads, loss, stats, st = compute(state.program, state.ps, state.st, state.scale, data)
        if exchange is not None:
            grads, loss, stats, st = exchange(grads, loss, stats, st)
        loss, _, new, finite = apply(state, st, grads, loss)
        return loss, stats, new, finite  # statistics bypass the second program, as they may be strings

    return program
