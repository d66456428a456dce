"""The programs behind `train_step`: one is built for each objective and set of options, and cached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from functools import partial, reduce
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from luxport import tree
from luxport.backend import Array, backend_of, can, namespace
from luxport.backend.option_rules import convert_scalars, is_int
from luxport.ops.readable_values import may_look
from luxport.optimizers._updates import update, update_in_place
from luxport.training._loop import run_steps
from luxport.training._loss_scaling import all_finite, select
from luxport.training._objective_gradients import (
    MOST_PLANS,
    differentiate_objective,
    expect_objective,
    make_gradient_function,
)
from luxport.training._packed_programs import keep_packed, run_packed
from luxport.training._packing import Layout
from luxport.training._state import TrainState
from luxport.transforms._compiling import compile_on
from luxport.transforms._compiling import jit as compile_program
from luxport.tree.static import Static, drop_oldest

__all__ = ["apply_optimizer", "find_program"]


StepProgram = Callable[[Any, TrainState], tuple[Array, Any, TrainState, Any]]
"""A function of data and a state that returns loss, statistics, the next state, and whether all numbers were finite."""


class _Plan(NamedTuple):
    """The objective and the options for which a program is built."""

    objective: Any
    jit: bool
    donate: bool
    accumulate: int
    steps: int
    nonfinite: str


_PROGRAMS: dict[Static[tuple[Any, ...]], StepProgram] = {}


_RECENT: dict[int, tuple[tuple[Any, ...], StepProgram]] = {}
"""The last program of each objective by the objective's id, a faster look-up than by the whole key."""


def find_program(wanted: tuple[Any, ...]) -> StepProgram:
    """Return the program for an objective and options, the fields of `_Plan`; build it if there is none."""
    known = _RECENT.get(id(wanted[0]))
    if known is not None and all(map(is_, known[0], wanted)):
        return known[1]
    key = Static(wanted)
    program = _PROGRAMS.get(key)
    if program is None:
        program = _make_program(key)
    if len(_RECENT) >= MOST_PLANS:
        _RECENT.clear()
    if _is_immutable(wanted[0]):
        _RECENT[id(wanted[0])] = wanted, program
    return program


def _is_immutable(objective: Any) -> bool:
    """Return whether an objective cannot come to differ from its former self: compared by identity, or frozen."""
    kind = type(objective)
    return kind.__hash__ is object.__hash__ or (is_dataclass(kind) and kind.__dataclass_params__.frozen)


def _make_program(key: Static[tuple[Any, ...]]) -> StepProgram:
    plan = _Plan(*[convert_scalars(option) for option in key.value])
    expect_objective(plan.objective)
    if plan.nonfinite not in ("ignore", "skip", "raise"):
        raise ValueError(f'train_step expects "ignore", "skip" or "raise" as nonfinite, got {plan.nonfinite!r}')
    for name, flag in (("jit", plan.jit), ("donate", plan.donate)):
        if not isinstance(flag, (bool, np.bool_)):
            raise TypeError(f"train_step expects {name} as True or False, got {flag!r}")
    for name, count in (("accumulate", plan.accumulate), ("steps_per_call", plan.steps)):
        if not is_int(count) or count < 1:
            raise ValueError(f"train_step expects a positive int as {name}, got {count!r}")
    if len(_PROGRAMS) >= MOST_PLANS:
        drop_oldest(_PROGRAMS)
    program = _PROGRAMS[key] = _build_program(plan)
    return program


def _build_program(plan: _Plan) -> StepProgram:
    by_backend: dict[Any, Callable[..., Any]] = {}
    gradients = make_gradient_function(Static((plan.objective, plan.accumulate)))

    def step(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        grads, loss, stats, st = gradients(state.program, state.ps, state.st, state.scale, data)
        new = state._replace(st=st)
        ask = not plan.jit and may_look(loss)
        return _finish_step(plan, state, new, grads, loss, stats, in_place=False, ask=ask)

    def build(backend: Any, state: TrainState) -> Callable[..., Any]:
        parallel = state.program.value.parallel
        if parallel is not None:
            shared_step = parallel.make_step(
                *(
                    backend,
                    plan.objective,
                    lambda objective: partial(differentiate_objective, objective, plan.accumulate),
                ),
                partial(_finish_step, plan),
                overlaps=plan.accumulate == 1 and state.program.value.scaling is None,
                jit=plan.jit,
                donate=plan.donate,
                options=f"train_step steps_per_call={plan.steps} nonfinite={plan.nonfinite}",
                accumulate=plan.accumulate,
            )
            return partial(_take_steps, plan, shared_step)
        if can(backend, "training program") and plan.steps == 1:
            return backend.train_program(
                *(gradients, partial(_finish_step, plan)),
                jit=plan.jit,
                donate=plan.donate,
                nonfinite=plan.nonfinite,
            )
        whole = partial(_take_steps, plan, step)
        if not plan.jit:
            return whole
        donated = 1 if plan.donate else ()
        plain = compile_program(whole, donate=donated)
        if not can(backend, "packed state"):
            return plain
        packed = partial(run_packed, partial(_take_packed_steps, plan, gradients))
        return keep_packed(backend, plain, compile_on(backend, packed, donated))

    def program(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        backend: Any = backend_of(state.step) if state.lazy is None else state.lazy.backend
        parallel = state.program.value.parallel
        # The backend's name, as a backend need not be hashable.
        key = backend.name if parallel is None else (backend.name, parallel, parallel.get_session())
        found = by_backend.get(key)
        if found is None:
            found = by_backend[key] = build(backend, state)
        return found(data, state)

    return program


def _take_packed_steps(plan: _Plan, gradients: Callable[..., Any], layout: Layout, data: Any, state: TrainState) -> Any:
    """Take the steps of one call between joined states, see `luxport.training._packing`."""

    def step(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        grads, loss, stats, st = layout.compute_gradients(gradients, data, state)
        return _finish_step(plan, state, state._replace(st=st), grads, loss, stats, in_place=False)

    return _take_steps(plan, step, data, state)


def _take_steps(
    plan: _Plan, step: Callable[..., Any], data: Any, state: TrainState
) -> tuple[Array, Any, TrainState, Any]:
    """Take the steps of one call, as many as the plan says."""
    if plan.steps == 1:
        return step(data, state)
    if not isinstance(data, list) or len(data) != plan.steps:
        got = f"{len(data)} of them" if isinstance(data, list) else type(data).__name__
        raise ValueError(f"train_step expects a list of {plan.steps} batches for steps_per_call, got {got}")

    def take_step(state: TrainState, batch: Any) -> tuple[TrainState, tuple[()], Any]:
        loss, stats, state, finite = step(batch, state)
        return state, (), (loss, stats, finite)

    state, _, outs = run_steps(take_step, state, data)
    losses, gathered, finite = zip(*outs, strict=True)
    all_of_them = None if finite[0] is None else reduce(namespace(finite[0]).logical_and, finite)
    return namespace(losses[0]).stack(list(losses)), list(gathered), state, all_of_them


def _finish_step(
    plan: _Plan,
    old: TrainState,
    new: TrainState,
    grads: tree.Tree,
    loss: Array,
    stats: Any,
    *,
    in_place: bool,
    ask: bool = False,
) -> tuple[Array, Any, TrainState, Any]:
    """Apply the gradients, or keep the old values if they are not finite and the plan or the loss scaling skips them.

    With `ask`, whether they are finite is read here, for programs that run eagerly; else the result is selected.
    """
    scaling = old.program.value.scaling
    if plan.nonfinite == "ignore" and scaling is None:
        return loss, stats, apply_optimizer(new, grads, in_place=in_place), None
    finite = all_finite((loss, grads))
    if scaling is not None:
        new = new._replace(scale=scaling.update(old.scale, finite))
    if ask:
        if bool(finite):
            return loss, stats, apply_optimizer(new, grads, in_place=in_place), finite
        return loss, stats, new._replace(st=old.st, skipped=old.skipped + 1), finite
    after = apply_optimizer(new, grads, in_place=False)
    xp = namespace(finite)
    ps, opt_state, count = select(finite, (after.ps, after.opt_state, after.step), (old.ps, old.opt_state, old.step))
    st = select(finite, new.st, old.st) if tree.structure(new.st) == tree.structure(old.st) else new.st
    skipped = old.skipped + xp.astype(xp.logical_not(finite), old.skipped.dtype)
    return loss, stats, after._replace(ps=ps, opt_state=opt_state, step=count, st=st, skipped=skipped), finite


def apply_optimizer(state: TrainState, grads: tree.Tree, *, in_place: bool) -> TrainState:
    """Return the state after the optimizer's step with these gradients."""
    change = update_in_place if in_place else update
    opt_state, ps = change(state.opt_state, state.ps, grads)
    return state._replace(opt_state=opt_state, ps=ps, step=state.step + 1)
