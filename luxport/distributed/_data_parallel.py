"""`data_parallel`: make the steps of a `TrainState` joint steps of all processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from luxport import tree
from luxport.backend import can, find_owner
from luxport.call_arguments import explain_call_errors
from luxport.core.layer import Layer
from luxport.core.surgery import replace_layers
from luxport.distributed._agreement import attempt, begin_agreement, exchange, expect_agreement, expect_own
from luxport.distributed._batch_norm import leave_layer_alone, synchronize_layer
from luxport.distributed._collectives import synchronize
from luxport.distributed._constants import list_constants, write_without_addresses
from luxport.distributed._engine_step import PendingAgreement, split_step, use_engine
from luxport.distributed._optimizer import DistributedOptimizer
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
"""A function that returns the means of arrays over all workers."""


@explain_call_errors
def data_parallel(state: TrainState, *, sync_batch_norm: bool = False) -> TrainState:
    """Return rank 0's state in every process; each `train_step` of it is one joint step of all processes.

    Each process passes its own batch to `train_step`, and gets what one process would get for all batches together: the
    mean loss, and the state after a step with the mean gradient. Floating statistics of the objective are averaged,
    integers summed. If batches differ in size, means are over all samples, provided that losses are means. The state is
    the same in every process after each step:

    - dropout of rank r draws from its own stream, ``random.fold_in(key, r)`` of the key in the state
    - BatchNorm uses the mean and variance of its process's batch, or with `sync_batch_norm` of all batches; entries of
      a layer's state whose names begin with ``running_`` are averaged over the processes
    - other entries, such as the carry of a recurrent layer, are each process's own
    - whether a step is skipped because a number is not finite is decided by the means, and so alike in all

    `save_checkpoint` writes only in rank 0, and `restore` reads in every process. With the engine "jax" in one process,
    the workers are its devices, and a batch is split into equal parts for them. Without compilation, PyTorch sums
    gradients while others are still computed; the engines of JAX and TensorFlow do so inside the compiled step, all
    others between two programs.

    Args:
        state: a state from `TrainState.create` with a plain rule
        sync_batch_norm: whether BatchNorm normalizes by the statistics of all processes' batches

    Raises: DistributedError before `initialize`, and as `allreduce` does: also if rules or parameters, and in
            `train_step` batches or options, differ between processes; ValueError for a `DistributedOptimizer`, which
            would average a second time; ValueError from a compiled step with `sync_batch_norm` if arrays are moved
            between programs, as by PyTorch's engine and MPI

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
    state.expect_available()
    rules = [_name_rule(group.rule.value) for group in state.opt_state.groups]
    if any([DistributedOptimizer.__name__ in text for text in rules]):
        raise ValueError(
            f"data_parallel averages gradients itself, and expects a plain rule, got {', '.join(rules)}: "
            "TrainState.create(model, rule) without DistributedOptimizer"
        )
    program = state.program.value
    if session.world.size > 1:
        lines = [f"data_parallel sync_batch_norm={sync_batch_norm}", *[f"the rule {text}" for text in rules]]
        lines += [f"precision={program.precision} scaling={program.scaling}"]
        lines += [f"the model {line}" for line in write_without_addresses(program.model)]
        lines += [*list_constants("st", state.st), *list_constants("opt_state", state.opt_state)]
        expect_agreement("data_parallel", session, _describe("data_parallel", session, lines, (), state))
    model = program.model
    if sync_batch_norm and not isinstance(model, Layer):
        raise TypeError(
            f"data_parallel with sync_batch_norm expects a layer as model, got {show(model)}: the layers that it calls "
            "cannot be found"
        )
    if isinstance(model, Layer):
        model = replace_layers(synchronize_layer if sync_batch_norm else leave_layer_alone, model)
    state = synchronize(state)
    parallel = DataParallel(sync_batch_norm)
    return state.replace(program=Static(type(program)(model, program.precision, program.scaling, parallel)))


@dataclass(frozen=True)
class DataParallel:
    """The part of a `TrainState`'s program that makes its steps joint steps of all processes."""

    sync_batch_norm: bool = False

    def get_session(self) -> Session:
        """Return the session for which a program is built."""
        return require_session("train_step")

    def request_end(self, wants: bool) -> None:
        """Set whether this process wants to end the training, which the others are told with the next step."""
        require_session("fit").step.wants_to_end = wants

    def is_ending(self) -> bool:
        """Return whether any process wants to end the training, as all were told with the last step."""
        session = require_session("fit")
        return session.step.is_ending if session.world.size > 1 else session.step.wants_to_end

    def count_samples(self, own: int) -> int:
        """Return how many samples all processes had in the last step; this one had `own`."""
        return require_session("fit").step.count_samples(own)

    def exchange(self, what: str, text: str) -> list[str]:
        """Return the texts of all processes, by rank; `what` describes them, and must be the same in all."""
        return exchange("fit", require_session("fit"), what, text)

    def agree_on_parts(self, own: int) -> int:
        """Return into how many parts to split a batch: `own`, or with `sync_batch_norm` the most of any process."""
        if not self.sync_batch_norm or require_session("fit").world.size == 1:
            return own
        return max([int(text) for text in self.exchange("parts of a batch", str(own))])

    def describe_changes(self, entries: Mapping[str, Any]) -> tuple[str, ...]:
        """Return lines about new entries of a state that must be the same in every process, arrays left out."""
        lines = [[f"a state with another {name}", *list_constants(name, values)] for name, values in entries.items()]
        return tuple([line for listed in lines for line in listed])

    def is_writer(self, caller: str) -> bool:
        """Return whether this process writes files and output for all: checkpoints, logs, lines about an epoch."""
        return require_session(caller).world.rank == 0

    def expect_one_step(self, step: int) -> None:
        """Expect every process to have read the same checkpoint."""
        session = require_session("restore")
        if session.world.size > 1:
            expect_agreement("restore", session, [f"the checkpoint of step {step}"])

    def make_step(
        self,
        backend: Any,
        objective: Any,
        gradients_of: Callable[[Any], Callable[..., Any]],
        finish: Callable[..., Any],
        *,
        overlaps: bool,
        jit: bool,
        donate: bool,
        options: str,
        accumulate: int,
    ) -> Callable[[Any, TrainState], Any]:
        """Return a joint step of all processes, as a function of data and state.

        Args:
            backend: the backend of the state's arrays
            objective: the objective of the training
            gradients_of: returns for an objective the function that computes gradients, loss, statistics and states
            finish: the function that applies gradients
            overlaps: whether gradients may be sent during the backward pass: there is only one, and no loss scaling
            jit: whether to compile
            donate: whether the memory of the state may be reused
            options: a line with the options of `train_step` that must be the same in every process
            accumulate: the number of parts into which this process splits its batch
        """
        session = self.get_session()
        agreement = PendingAgreement()
        between = partial(use_engine, session, agreement, backend, objective, gradients_of, finish, overlaps=overlaps)
        # The step for batches of different sizes, if `program` cannot take these.
        uneven: Callable[[Any, TrainState], Any] | None = None

        def make_step_with_all(*, jit: bool) -> Callable[[Any, TrainState], Any]:
            alone = partial(compute_own_gradients, gradients_of(objective), 0)
            return call_with_all(session, split_step(backend, alone, finish, None, jit=jit, donate=donate))

        own_engine = session.engine.backend == backend.name
        if own_engine and jit and can(backend, "parallel program"):
            gradients = gradients_of(objective)

            def take_step(data: Any, state: TrainState, rank: Any, size: int, mean: Mean) -> Any:
                found = compute_own_gradients(gradients, rank, state.program, state.ps, state.st, state.scale, data)
                return _finish_together(finish, state, found, size, mean)

            def take_packed_step(data: Any, packed: Any, rank: Any, size: int, mean: Mean) -> Any:
                def step(layout: Layout, data: Any, state: TrainState) -> Any:
                    found = layout.compute_gradients(partial(compute_own_gradients, gradients, rank), data, state)
                    return _finish_together(finish, state, found, size, mean)

                return run_packed(step, data, packed)

            program = backend.parallel_program(take_step, session.world, donate=donate)
            if can(backend, "packed state"):
                packed_program = backend.parallel_program(take_packed_step, session.world, donate=donate)
                program = keep_packed(backend, program, packed_program)
            # One program for all processes requires the same shapes in all of them.
            uneven = between(jit=True, donate=donate)
            if self.sync_batch_norm:
                uneven = make_step_with_all(jit=True)
        elif self.sync_batch_norm and jit and session.world.size > 1:
            raise ValueError(
                f"sync_batch_norm moves arrays inside the step, which the engine {session.name} cannot do in a "
                "compiled one: train_step(..., jit=False)"
            )
        elif session.world.size == 1:
            program = split_step(backend, gradients_of(objective), finish, None, jit=jit, donate=donate)
        else:
            program = between(jit=jit, donate=donate)
            # Synchronized layers already communicate in the forward pass, before which all must agree.
            agreement.waits = self.sync_batch_norm
            if self.sync_batch_norm and accumulate > 1:
                # Parts of batches of different sizes would differ in size and perhaps in number, so that the layers'
                # communication would not match.
                uneven = make_step_with_all(jit=False)
        if session.world.size == 1:
            return program

        def step(data: Any, state: TrainState) -> Any:
            samples = _count_samples(data)
            described = _describe("train_step", session, [options], data, state, samples)
            own = session.step.make_text(samples, accumulate)
            settle = begin_agreement("train_step", session, described, own)
            agreement.begin(lambda: session.step.read_texts(settle(), same_parts=self.sync_batch_norm))
            chosen = uneven if uneven is not None and session.step.counts else program
            try:
                return attempt("train_step", session, lambda: chosen(data, state), session.engine.late_failures)
            finally:
                agreement.settle()  # this process may have failed because it makes another call than the others
                session.step.end()

        return step


def _finish_together(finish: Callable[..., Any], state: TrainState, found: Any, size: int, mean: Mean) -> Any:
    grads, loss, stats, st = average_together(mean, size, *found)
    return finish(state, state._replace(st=st), grads, loss, stats, in_place=False)


def _name_rule(rule: Rule) -> str:
    """Return the name of a rule, with the names of the rules inside it."""
    inner = [_name_rule(inner) for inner in rule.inner_rules] if isinstance(rule, Compound) else []
    return type(rule).__name__ + (f"({', '.join(inner)})" if inner else "")


def _describe(
    caller: str, session: Session, lines: list[str], data: Any, state: TrainState, samples: int | None = None
) -> list[str]:
    """Return lines that must be the same in every process; shapes of data are written without the number `samples`."""
    described = [*lines, *(state.changed or ["the state of the step before"])]
    ps_kinds = list_kinds(state.ps) if state.lazy is None else state.lazy.packed[0].value.ps_kinds
    for name, kinds in (("data", list_kinds(data)), ("parameter", ps_kinds)):
        for path, owner, dtype, shape in kinds:
            expect_own(caller, session, owner, path)
            if name == "data" and samples is not None and shape != "()":
                shape = "(n" + shape[1 + len(str(samples)) :]
            described.append(f"{name} {'.'.join(path)} {dtype} {shape}")
    return described


def _count_samples(data: Any) -> int | None:
    """Return the common first size of all arrays with axes, or None."""
    sizes = {leaf.shape[0] for leaf in tree.leaves(data) if find_owner(type(leaf)) is not None and len(leaf.shape)}
    return int(sizes.pop()) if len(sizes) == 1 else None
