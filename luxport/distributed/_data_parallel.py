"""`data_parallel`: a `TrainState` whose steps are those of all processes together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from luxport import tree
from luxport.backend import can, find_owner
from luxport.call_arguments import says_what_it_takes
from luxport.core.layer import Layer
from luxport.core.surgery import replace_layers
from luxport.distributed._agreement import attempt, begin_agreement, exchange, expect_agreement, expect_own
from luxport.distributed._batch_norm import leave_layer_alone, synchronize_layer
from luxport.distributed._collectives import synchronize
from luxport.distributed._engine_step import Question, split_step, use_engine
from luxport.distributed._optimizer import DistributedOptimizer
from luxport.distributed._outline import outline, tell_without_places
from luxport.distributed._session import Session, require_session
from luxport.distributed._whole_batch import call_with_all
from luxport.distributed._workers import average_together, compute_own_gradients
from luxport.optimizers._rule import Compound, Rule
from luxport.text import show
from luxport.training._packed_programs import keep_packed, run_packed
from luxport.training._packing import Layout, list_kinds
from luxport.training._state import TrainState
from luxport.tree.static import Static

__all__ = ["data_parallel"]

Mean = Callable[[list[Any]], list[Any]]
"""What takes the means of arrays over all workers."""


@says_what_it_takes
def data_parallel(state: TrainState, *, sync_batch_norm: bool = False) -> TrainState:
    """Return rank 0's state in every process; `train_step` from there is one step of all processes together.

    Each process gives `train_step` a batch of its own, and gets what one process would get for all of them: the mean
    loss, the state after a step by the mean gradient. Statistics of the objective are means of floating arrays, sums of
    integers. Where batches are of different sizes, means are those over all samples, of losses that are means
    themselves. The state is the same in every process after each step:

    - dropout of rank r draws from a stream of its own, ``random.fold_in(key, r)`` of the key in the state
    - BatchNorm takes the mean and variance of its process's batch, or with `sync_batch_norm` of all; entries of a
      layer's state whose names begin with ``running_`` become means over the processes
    - other entries, such as what a recurrent layer carries, are each process's own
    - whether a step is skipped because a number is not finite is decided by the means, so everywhere alike

    `save_checkpoint` writes in rank 0 alone, and `restore` reads in each. With the engine "jax" in one process the
    workers are its devices, and a batch is cut into equal parts for as many of them as it has. PyTorch adds gradients
    up while the others are computed, if not compiled; JAX's and TensorFlow's own engines within the compiled step; the
    others between two programs.

    Args:
        state: what `TrainState.create` made, with a plain rule
        sync_batch_norm: whether BatchNorm normalizes by the statistics of all processes' batches

    Raises: DistributedError before `initialize`, and as `allreduce` does: also where rules or parameters, and in
            `train_step` batches or options, are not the same in every process; ValueError for a `DistributedOptimizer`,
            which would average once more; ValueError from a compiled step with `sync_batch_norm` where
            arrays are moved between programs, that is on PyTorch's engine and MPI

    >>> import luxport
    >>> from luxport import distributed, optimizers, training
    >>> distributed.initialize("local")
    >>> state = training.TrainState.create(luxport.Dense(1, 1), optimizers.Descent(0.1), backend="torch")
    >>> state = data_parallel(state)
    >>> x = luxport.asarray([[1.0], [2.0]], backend="torch", dtype="float32")
    >>> loss, _, state = training.train_step(luxport.losses.MSELoss(), (x, x), state, jit=False)
    >>> distributed.shutdown()
    """
    session = require_session("data_parallel")
    if not isinstance(state, TrainState):
        raise TypeError(f"data_parallel expects a TrainState, got {type(state).__name__}")
    if not isinstance(sync_batch_norm, bool):
        raise TypeError(f"data_parallel expects sync_batch_norm as True or False, got {show(sync_batch_norm)}")
    state.expect_kept()
    rules = [_name_rule(group.rule.value) for group in state.opt_state.groups]
    if any([DistributedOptimizer.__name__ in text for text in rules]):
        raise ValueError(
            f"data_parallel averages gradients itself, and expects a plain rule, got {', '.join(rules)}: "
            "TrainState.create(model, rule) without DistributedOptimizer"
        )
    program = state.program.value
    if session.world.size > 1:
        told = [f"data_parallel sync_batch_norm={sync_batch_norm}", *[f"the rule {text}" for text in rules]]
        told += [f"precision={program.precision} scaling={program.scaling}"]
        told += [f"the model {line}" for line in tell_without_places(program.model)]
        told += [*outline("st", state.st), *outline("opt_state", state.opt_state)]
        expect_agreement("data_parallel", session, _describe("data_parallel", session, told, (), state))
    model = program.model
    if sync_batch_norm and not isinstance(model, Layer):
        raise TypeError(
            f"data_parallel with sync_batch_norm expects a layer as model, got {show(model)}: what it calls "
            "cannot be seen"
        )
    if isinstance(model, Layer):
        model = replace_layers(synchronize_layer if sync_batch_norm else leave_layer_alone, model)
    state = synchronize(state)
    parallel = DataParallel(sync_batch_norm)
    return state.replace(program=Static(type(program)(model, program.precision, program.scaling, parallel)))


@dataclass(frozen=True)
class DataParallel:
    """What a `TrainState` has in its program: how its steps become those of all processes."""

    sync_batch_norm: bool = False

    def place(self) -> Session:
        """Return what a program is made for."""
        return require_session("train_step")

    def want_to_end(self, wants: bool) -> None:
        """Note whether this process wants to end the training, for the others to hear with the next step."""
        require_session("fit").step.wants_to_end = wants

    def ends(self) -> bool:
        """Tell whether any process wants to end the training, which all have learned with the last step."""
        session = require_session("fit")
        return session.step.ends if session.world.size > 1 else session.step.wants_to_end

    def samples(self, own: int) -> int:
        """Return how many samples all processes had in the last step; this one had `own`."""
        return require_session("fit").step.samples(own)

    def exchange(self, what: str, text: str) -> list[str]:
        """Return the texts of all processes, by rank; `what` they tell is the same in all of them."""
        return exchange("fit", require_session("fit"), what, text)

    def parts(self, own: int) -> int:
        """Return into how many parts a batch is cut, where this process would have so many: synchronized, all alike."""
        if not self.sync_batch_norm or require_session("fit").world.size == 1:
            return own
        return max([int(text) for text in self.exchange("parts of a batch", str(own))])

    def tell_changed(self, entries: Mapping[str, Any]) -> tuple[str, ...]:
        """Write down what of new entries of a state is to be the same in every process, beside arrays."""
        lines = [[f"a state with another {name}", *outline(name, values)] for name, values in entries.items()]
        return tuple([line for listed in lines for line in listed])

    def writes(self, caller: str) -> bool:
        """Tell whether this process writes what all of them have: checkpoints, logs, lines about an epoch."""
        return require_session(caller).world.rank == 0

    def expect_one_step(self, step: int) -> None:
        """Expect that every process has read the same checkpoint."""
        session = require_session("restore")
        if session.world.size > 1:
            expect_agreement("restore", session, [f"the checkpoint of step {step}"])

    def step_program(
        self,
        backend: Any,
        objective: Any,
        gradients_of: Callable[[Any], Callable[..., Any]],
        finish: Callable[..., Any],
        *,
        overlaps: bool,
        jit: bool,
        donate: bool,
        told: str,
        accumulate: int,
    ) -> Callable[[Any, TrainState], Any]:
        """Return a step of all processes as a function of data and state.

        Args:
            backend: whose arrays they are
            objective: what is to become smaller
            gradients_of: from an objective to a function that returns gradients, loss, statistics and states
            finish: steps by gradients
            overlaps: whether there is one backward pass, whose gradients are taken as they are
            jit: compile
            donate: whether the state may be written over
            told: the options, which are to be the same in every process
            accumulate: into how many parts this process cuts its batch
        """
        session = self.place()
        question = Question()
        between = partial(use_engine, session, question, backend, objective, gradients_of, finish, overlaps=overlaps)
        uneven: Callable[[Any, TrainState], Any] | None = None

        def with_all_samples(*, jit: bool) -> Callable[[Any, TrainState], Any]:
            alone = partial(compute_own_gradients, gradients_of(objective), 0)
            return call_with_all(session, split_step(backend, alone, finish, None, jit=jit, donate=donate))

        own_engine = session.engine.backend == backend.name
        if own_engine and jit and can(backend, "parallel program"):
            gradients = gradients_of(objective)

            def inside(data: Any, state: TrainState, rank: Any, size: int, mean: Mean) -> Any:
                found = compute_own_gradients(gradients, rank, state.program, state.ps, state.st, state.scale, data)
                return _finish_together(finish, state, found, size, mean)

            def inside_packed(data: Any, packed: Any, rank: Any, size: int, mean: Mean) -> Any:
                def step(layout: Layout, data: Any, state: TrainState) -> Any:
                    found = layout.gradients(partial(compute_own_gradients, gradients, rank), data, state)
                    return _finish_together(finish, state, found, size, mean)

                return run_packed(step, data, packed)

            program = backend.parallel_program(inside, session.world, donate=donate)
            if can(backend, "packed state"):
                packed_program = backend.parallel_program(inside_packed, session.world, donate=donate)
                program = keep_packed(backend, program, packed_program)
            # One program of all processes has arrays of one shape in all of them.
            uneven = between(jit=True, donate=donate)
            if self.sync_batch_norm:
                uneven = with_all_samples(jit=True)
        elif self.sync_batch_norm and jit and session.world.size > 1:
            raise ValueError(
                f"sync_batch_norm moves arrays inside the step, which the engine {session.name} cannot do in a "
                "compiled one: train_step(..., jit=False)"
            )
        elif session.world.size == 1:
            program = split_step(backend, gradients_of(objective), finish, None, jit=jit, donate=donate)
        else:
            program = between(jit=jit, donate=donate)
            # Synchronized layers move arrays before gradients are there.
            question.waits = self.sync_batch_norm
            if self.sync_batch_norm and accumulate > 1:
                # Parts of batches of different sizes are of other sizes than these, and fewer where samples are.
                uneven = with_all_samples(jit=False)
        if session.world.size == 1:
            return program

        def step(data: Any, state: TrainState) -> Any:
            samples = _count_samples(data)
            described = _describe("train_step", session, [told], data, state, samples)
            own = session.step.text(samples, accumulate)
            settle = begin_agreement("train_step", session, described, own)
            question.begin(lambda: session.step.hear(settle(), alike=self.sync_batch_norm))
            chosen = uneven if uneven is not None and session.step.counts else program
            try:
                return attempt("train_step", session, lambda: chosen(data, state), session.engine.late_failures)
            finally:
                question.settle()  # if this process alone fails, the reason may be that it does something else
                session.step.end()

        return step


def _finish_together(finish: Callable[..., Any], state: TrainState, found: Any, size: int, mean: Mean) -> Any:
    grads, loss, stats, st = average_together(mean, size, *found)
    return finish(state, state._replace(st=st), grads, loss, stats, in_place=False)


def _name_rule(rule: Rule) -> str:
    """Name a rule and those within."""
    inner = [_name_rule(one) for one in rule.inner_rules] if isinstance(rule, Compound) else []
    return type(rule).__name__ + (f"({', '.join(inner)})" if inner else "")


def _describe(
    caller: str, session: Session, told: list[str], data: Any, state: TrainState, samples: int | None = None
) -> list[str]:
    """Write down what must be the same in every process; the number of `samples`, if given, is left out."""
    described = [*told, *(state.changed or ["the state of the step before"])]
    of_ps = list_kinds(state.ps) if state.kept is None else state.kept.packed[0].value.ps_kinds
    for name, kinds in (("data", list_kinds(data)), ("parameter", of_ps)):
        for path, owner, dtype, shape in kinds:
            expect_own(caller, session, owner, path)
            if name == "data" and samples is not None and shape != "()":
                shape = "(n" + shape[1 + len(str(samples)) :]
            described.append(f"{name} {'.'.join(path)} {dtype} {shape}")
    return described


def _count_samples(data: Any) -> int | None:
    """Return the first size of all arrays that have one, if it is the same."""
    sizes = {leaf.shape[0] for leaf in tree.leaves(data) if find_owner(type(leaf)) is not None and len(leaf.shape)}
    return int(sizes.pop()) if len(sizes) == 1 else None
