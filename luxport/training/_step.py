"""One step of training: `compute_gradients`, `apply_gradients` and `train_step`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from functools import lru_cache, partial, reduce
from inspect import CO_VARARGS, isfunction
from operator import is_
from typing import Any, NamedTuple

from luxport import tree
from luxport.backend import Array, backend_of, can, find_owner, is_inexact, namespace
from luxport.call_arguments import says_what_it_takes
from luxport.ops.looking import may_look
from luxport.optimizers._updates import update, update_in_place
from luxport.text import kind_of
from luxport.training._batching import first_size
from luxport.training._loop import run_steps
from luxport.training._loss_scaling import all_finite, select
from luxport.training._packing import Kept, layout_of
from luxport.training._state import Program, TrainState, expect_state, in_precision, kept_state
from luxport.transforms import value_and_grad
from luxport.transforms._transforms import jit as compile_program
from luxport.tree.static import Static, drop_oldest

__all__ = ["NonFiniteError", "Objective", "apply_gradients", "compute_gradients", "train_step"]

Objective = Callable[[Any, tree.Tree, tree.Tree, Any], tuple[Array, tree.Tree, Any]]
"""``objective(model, ps, st, data) -> (loss, st, stats)``; luxport's loss objects are such functions."""


StepProgram = Callable[[Any, TrainState], tuple[Array, Any, TrainState, Any]]
"""What takes data and a state to the loss, statistics, the next state, and whether all was finite."""


class NonFiniteError(FloatingPointError):
    """A loss or a gradient is infinite or NaN; `state` is the state of before, and goes on."""

    def __init__(self, message: str, state: TrainState) -> None:
        super().__init__(message)
        self.state = state


@says_what_it_takes
def compute_gradients(
    objective: Objective, data: Any, state: TrainState, *, accumulate: int = 1
) -> tuple[tree.Tree, Array, Any, TrainState]:
    """Return gradients, loss, statistics, and the state with what the layers' states have become.

    The gradients are a tree like ``state.ps``. It is a pure function that may be compiled, part of it as well:
    ``luxport.jit(compute_gradients)``.

    Args:
        objective: ``objective(model, ps, st, data) -> (loss, st, stats)``, such as ``luxport.losses.MSELoss()``
        data: what the objective takes, such as a pair of arrays
        state: the parameters, states and model
        accumulate: into how many parts the data are cut along their first axes, some of which may have a sample
            less; gradient and loss are the means over all samples of what are means themselves, and what is computed on
            the way takes the memory of one part

    Raises: ValueError if the data cannot be cut; TypeError for a loss that is no real scalar

    >>> import luxport
    >>> rule = luxport.optimizers.Descent(0.1)
    >>> state = luxport.training.TrainState.create(luxport.Dense(1, 1), rule, backend="torch")
    >>> x = luxport.asarray([[1.0], [2.0]], backend="torch", dtype="float32")
    >>> grads, loss, stats, state = compute_gradients(luxport.losses.MSELoss(), (x, 0 * x), state)
    >>> sorted(grads), stats
    (['bias', 'weight'], {})
    """
    state.expect_kept()
    _expect_objective(objective)
    gradients = partial(_gradients, objective, accumulate)
    grads, loss, stats, st = gradients(state.program, state.ps, state.st, state.scale, data)
    return grads, loss, stats, state._replace(st=st)


@says_what_it_takes
def apply_gradients(state: TrainState, grads: tree.Tree) -> TrainState:
    """Return the state after the optimizer's step by these gradients.

    Raises: ValueError as `optimizers.update` does

    >>> import luxport
    >>> rule = luxport.optimizers.Descent(1.0)
    >>> state = luxport.training.TrainState.create(luxport.Dense(1, 1), rule, backend="numpy")
    >>> after = apply_gradients(state, state.ps)
    >>> after.ps["weight"], int(after.step)
    (array([[0.]], dtype=float32), 1)
    """
    state.expect_kept()
    return _apply(state, grads, in_place=False)


@says_what_it_takes
def train_step(
    objective: Objective,
    data: Any,
    state: TrainState,
    *,
    jit: bool = True,
    donate: bool = True,
    accumulate: int = 1,
    steps_per_call: int = 1,
    nonfinite: str = "ignore",
) -> tuple[Array, Any, TrainState]:
    """Take one step against the gradient: the loss before it, the objective's statistics, and the next state.

    The whole step is compiled once for an objective and shapes (PyTorch compiles loss and gradient, and steps by its
    fused kernels); learning rates and everything else that changes are arrays in the state, see `TrainState.adjust`.
    Give the same function at every step: a lambda made anew is another program.

    Args:
        objective: ``objective(model, ps, st, data) -> (loss, st, stats)``, such as ``luxport.losses.MSELoss()``
        data: what the objective takes, such as a pair of arrays
        state: the state, which is taken over: its memory is used again, and it is of no use afterward
        jit: compile; False runs the framework's operations one by one
        donate: whether the state is taken over; False keeps it
        accumulate: into how many parts the data are cut, see `compute_gradients`
        steps_per_call: how many steps one call takes; data are then a list of as many batches of one shape, the loss is
            an array of as many losses, and the statistics are a list
        nonfinite: what an infinite or NaN loss or gradient does: "ignore" it, "skip" the step (parameters, states and
            optimizer stay, and ``state.skipped`` counts), or "raise" a `NonFiniteError`, which has the state of before.
            Both ask for every gradient; raise waits for the device

    Raises: StateTakenError for a state that an earlier step has taken over; ValueError for data that cannot be cut,
            another word for `nonfinite`; NonFiniteError as said; TypeError for a loss that is no real scalar
    Source: Lux.jl ``Training.single_train_step!``

    >>> import luxport
    >>> rule = luxport.optimizers.Descent(0.1)
    >>> state = luxport.training.TrainState.create(luxport.Dense(1, 1), rule, backend="torch")
    >>> x = luxport.asarray([[1.0], [2.0]], backend="torch", dtype="float32")
    >>> losses = []
    >>> for _ in range(3):
    ...     loss, stats, state = train_step(luxport.losses.MSELoss(), (x, 3 * x), state, jit=False)
    ...     losses.append(float(loss))
    >>> losses[0] > losses[1] > losses[2], int(state.step)
    (True, 3)
    """
    expect_state("train_step(objective, data, state)", state)
    state.expect_kept()
    program = _find_program((objective, jit, donate, accumulate, steps_per_call, nonfinite))
    loss, stats, new, finite = program(data, state)
    if donate:
        state.take()
    if nonfinite == "raise" and not bool(finite):
        raise NonFiniteError(
            f"train_step expects a finite loss and gradient, got the loss {_tell(loss)} after {int(new.step)} steps: "
            "no step was taken, and the error's state goes on",
            new,
        )
    return loss, stats, new


class _Plan(NamedTuple):
    """What a program is made for."""

    objective: Any
    jit: bool
    donate: bool
    accumulate: int
    steps: int
    nonfinite: str


MOST_PLANS = 64
_PROGRAMS: dict[Static[tuple[Any, ...]], StepProgram] = {}
_RECENT: dict[int, tuple[tuple[Any, ...], StepProgram]] = {}
"""The last program of each objective, by its identity: to compare all of a key takes time in every step."""


def _find_program(wanted: tuple[Any, ...]) -> StepProgram:
    known = _RECENT.get(id(wanted[0]))
    if known is not None and all(map(is_, known[0], wanted)):
        return known[1]
    key = Static(wanted)
    program = _PROGRAMS.get(key)
    if program is None:
        program = _make_program(key)
    if len(_RECENT) >= MOST_PLANS:
        _RECENT.clear()
    if _stays(wanted[0]):
        _RECENT[id(wanted[0])] = wanted, program
    return program


def _stays(objective: Any) -> bool:
    """Tell whether an objective is equal to what it was for as long as it is the same one."""
    kind = type(objective)
    return kind.__hash__ is object.__hash__ or (is_dataclass(kind) and kind.__dataclass_params__.frozen)


def _make_program(key: Static[tuple[Any, ...]]) -> StepProgram:
    plan = _Plan(*key.value)
    _expect_objective(plan.objective)
    if plan.nonfinite not in ("ignore", "skip", "raise"):
        raise ValueError(f'train_step expects "ignore", "skip" or "raise" as nonfinite, got {plan.nonfinite!r}')
    for name, count in (("accumulate", plan.accumulate), ("steps_per_call", plan.steps)):
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise ValueError(f"train_step expects a positive int as {name}, got {count!r}")
    if len(_PROGRAMS) >= MOST_PLANS:
        drop_oldest(_PROGRAMS)
    program = _PROGRAMS[key] = _program(plan)
    return program


def _program(plan: _Plan) -> StepProgram:
    by_place: dict[Any, Callable[..., Any]] = {}
    gradients = _gradients_of(Static((plan.objective, plan.accumulate)))

    def step(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        grads, loss, stats, st = gradients(state.program, state.ps, state.st, state.scale, data)
        new = state._replace(st=st)
        ask = not plan.jit and may_look(loss)
        return _finish(plan, state, new, grads, loss, stats, in_place=False, ask=ask)

    def made(backend: Any, state: TrainState) -> Callable[..., Any]:
        parallel = state.program.value.parallel
        if parallel is not None:
            one = parallel.step_program(
                *(backend, plan.objective, lambda objective: partial(_gradients, objective, plan.accumulate)),
                partial(_finish, plan),
                overlaps=plan.accumulate == 1 and state.program.value.scaling is None,
                jit=plan.jit,
                donate=plan.donate,
                told=f"train_step steps_per_call={plan.steps} nonfinite={plan.nonfinite}",
                accumulate=plan.accumulate,
            )
            return partial(_steps, plan, one)
        if can(backend, "training program") and plan.steps == 1:
            return backend.train_program(gradients, partial(_finish, plan), jit=plan.jit, donate=plan.donate)
        whole = partial(_steps, plan, step)
        if not plan.jit:
            return whole
        donated = 1 if plan.donate else ()
        plain = compile_program(whole, donate=donated)
        if not can(backend, "packed state"):
            return plain
        return _packed_program(
            plan, backend, plain, compile_program(partial(_packed_steps, plan, gradients), donate=donated)
        )

    def program(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        place: Any = backend_of(state.step) if state.kept is None else state.kept.place
        parallel = state.program.value.parallel
        key = (
            place.name if parallel is None else (place.name, parallel, parallel.place())
        )  # a backend need not be hashable
        found = by_place.get(key)
        if found is None:
            found = by_place[key] = made(place, state)
        return found(data, state)

    return program


def _packed_program(
    plan: _Plan, backend: Any, plain: Callable[..., Any], program: Callable[..., Any]
) -> Callable[..., Any]:
    """Return the program that keeps states in few buffers, and is `plain` where that cannot be."""

    def run(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        if state.kept is not None:
            packed = state.kept.packed
        else:
            most = backend.most_joined(tree.leaves(state))
            if not most:
                return plain(data, state)
            packed = layout_of(state, most).packed(state)
        loss, stats, packed, finite = program(data, packed)
        return loss, stats, kept_state(state.program, Kept(packed, backend)), finite

    return run


def _packed_steps(plan: _Plan, gradients: Callable[..., Any], data: Any, packed: Any) -> Any:
    """Take the steps of one call, between a state in buffers and the next one."""
    layout, buffers = packed[0].value, packed[1]

    def step(data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
        grads, loss, stats, st = layout.gradients(gradients, data, state)
        return _finish(plan, state, state._replace(st=st), grads, loss, stats, in_place=False)

    loss, stats, new, finite = _steps(plan, step, data, layout.narrow(buffers))
    changed = layout.for_narrow(new)
    return loss, stats, (Static(changed), changed.pack_narrow(new)), finite


def _steps(plan: _Plan, step: Callable[..., Any], data: Any, state: TrainState) -> tuple[Array, Any, TrainState, Any]:
    """Take as many steps as one call is to take."""
    if plan.steps == 1:
        return step(data, state)
    if not isinstance(data, list) or len(data) != plan.steps:
        got = f"{len(data)} of them" if isinstance(data, list) else type(data).__name__
        raise ValueError(f"train_step expects a list of {plan.steps} batches for steps_per_call, got {got}")

    def of_batch(state: TrainState, batch: Any) -> tuple[TrainState, tuple[()], Any]:
        loss, stats, state, finite = step(batch, state)
        return state, (), (loss, stats, finite)

    state, _, outs = run_steps(of_batch, state, data)
    losses, gathered, finite = zip(*outs, strict=True)
    all_of_them = None if finite[0] is None else reduce(namespace(finite[0]).logical_and, finite)
    return namespace(losses[0]).stack(list(losses)), list(gathered), state, all_of_them


def _finish(
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
    """Step by gradients, unless they are to be skipped; `ask` whether they are, where that costs nothing."""
    scaling = old.program.value.scaling
    if plan.nonfinite == "ignore" and scaling is None:
        return loss, stats, _apply(new, grads, in_place=in_place), None
    finite = all_finite((loss, grads))
    if scaling is not None:
        new = new._replace(scale=scaling.update(old.scale, finite))
    if ask:
        if bool(finite):
            return loss, stats, _apply(new, grads, in_place=in_place), finite
        return loss, stats, new._replace(st=old.st, skipped=old.skipped + 1), finite
    after = _apply(new, grads, in_place=False)
    xp = namespace(finite)
    kept = select(finite, (after.ps, after.opt_state, after.step), (old.ps, old.opt_state, old.step))
    st = select(finite, new.st, old.st) if tree.structure(new.st) == tree.structure(old.st) else new.st
    skipped = old.skipped + xp.astype(xp.logical_not(finite), old.skipped.dtype)
    return loss, stats, after._replace(ps=kept[0], opt_state=kept[1], step=kept[2], st=st, skipped=skipped), finite


def _apply(state: TrainState, grads: tree.Tree, *, in_place: bool) -> TrainState:
    change = update_in_place if in_place else update
    opt_state, ps = change(state.opt_state, state.ps, grads)
    return state._replace(opt_state=opt_state, ps=ps, step=state.step + 1)


@lru_cache(maxsize=MOST_PLANS)
def _gradients_of(objective_and_accumulate: Static[tuple[Objective, int]]) -> Callable[..., Any]:
    """Return one function for all plans with these, so that a backend which compiles it alone does so once."""
    return partial(_gradients, *objective_and_accumulate.value)


def _differentiate(f: Callable[[tree.Tree], tuple[Array, Any]], ps: tree.Tree) -> tuple[tuple[Array, Any], tree.Tree]:
    return value_and_grad(f, has_aux=True)(ps)


def _gradients(
    objective: Objective,
    accumulate: int,
    program: Static[Program],
    ps: tree.Tree,
    st: tree.Tree,
    scale: tree.Tree,
    data: Any,
    differentiate: Callable[..., Any] = _differentiate,
) -> tuple[tree.Tree, Array, Any, tree.Tree]:
    """Return gradients, loss, statistics and the new states; a backend that owns `ps` may `differentiate` cheaper."""

    def of_batch(st: tree.Tree, data: Any) -> tuple[tree.Tree, Array, Any, tree.Tree]:
        return _of_batch(objective, program.value, ps, st, scale, data, differentiate)

    if accumulate == 1:
        return of_batch(st, data)

    def of_part(st: tree.Tree, data: Any) -> tuple[tree.Tree, Any, Any]:
        grads, loss, stats, st = of_batch(st, data)
        return st, (grads, loss), stats

    larger, smaller, share = _cut(data, accumulate)
    st, totals, gathered = run_steps(of_part, st, larger)
    means, stats = tree.map(lambda x: x / len(larger), totals), _mean_statistics(gathered)
    if smaller:
        st, totals, gathered = run_steps(of_part, st, smaller)
        means = tree.map(lambda mean, x: mean + (x / len(smaller) - mean) * share, means, totals)
        stats = _mean_statistics([stats, _mean_statistics(gathered)], share)
    grads, loss = means
    return grads, loss, stats, st


def _of_batch(
    objective: Objective,
    program: Program,
    ps: tree.Tree,
    st: tree.Tree,
    scale: tree.Tree,
    data: Any,
    differentiate: Callable[..., Any],
) -> tuple[tree.Tree, Array, Any, tree.Tree]:
    model = in_precision(program.model, program.precision)

    def scaled(ps: tree.Tree) -> tuple[Array, Any]:
        result = objective(model, ps, st, data)
        if not isinstance(result, tuple) or len(result) != 3:
            raise TypeError(f"an objective returns (loss, st, stats), got {kind_of(result)}")
        loss = result[0]
        return loss if program.scaling is None else program.scaling.scale(scale, loss), result

    (_, (loss, st, stats)), grads = differentiate(scaled, ps)
    if program.scaling is not None:
        grads, _ = program.scaling.unscale(scale, grads)
    return grads, loss, stats, st


def _cut(data: Any, count: int) -> tuple[list[Any], list[Any], float]:
    """Return parts of one size, those that have a sample less, and the share of all samples that is theirs."""
    size = first_size("train_step with accumulate", data)
    count = max(min(count, size), 1)
    length, more = divmod(size, count)
    ends = [0]
    for i in range(count):
        ends.append(ends[-1] + length + (i < more))
    parts = [tree.map(lambda leaf, i=i: leaf[ends[i] : ends[i + 1], ...], data) for i in range(count)]
    return (parts[:more], parts[more:], (count - more) * length / size) if more else (parts, [], 0.0)


def _mean_statistics(gathered: Sequence[Any], share: float | None = None) -> Any:
    """Return means of floating statistics, sums of integers, and the last of what is neither.

    Of two, the second may have another share in the means than half.
    """

    def joined(*leaves: Any) -> Any:
        total = leaves[0]
        if find_owner(type(total)) is None and not isinstance(total, (int, float)):
            return leaves[-1]
        floating = isinstance(total, float) or is_inexact(total)
        if floating and share is not None:
            return total + (leaves[1] - total) * share
        for leaf in leaves[1:]:
            total = total + leaf
        return total / len(leaves) if floating else total

    return tree.map(joined, *gathered)


def _expect_objective(objective: Any) -> None:
    wanted = "train_step expects an objective, a function of (model, ps, st, data)"
    if isinstance(objective, type):
        raise TypeError(f"{wanted}, got {kind_of(objective)}: call it, {objective.__name__}()")
    if not callable(objective) or isinstance(objective, Mapping):
        raise TypeError(f"{wanted}, got {kind_of(objective)}")
    if not isfunction(objective):
        return
    if objective.__module__.startswith("luxport.losses."):
        raise TypeError(
            f"{wanted}, got the loss "
            f"{objective.__name__} of (y_hat, y): luxport.losses has objects for it, such as MSELoss() and "
            "SparseCrossEntropyLoss(logits=True)"
        )
    code, given = objective.__code__, len(objective.__defaults__ or ())
    if not code.co_flags & CO_VARARGS and not code.co_argcount - given <= 4 <= code.co_argcount:
        taken = ", ".join(code.co_varnames[: code.co_argcount])
        raise TypeError(f"{wanted} that returns (loss, st, stats), got one of ({taken})")


def _tell(loss: Array) -> Any:
    host = backend_of(loss).to_numpy(loss)
    return float(host) if host.ndim == 0 else host.tolist()
