"""`train_step`, and its two halves, `compute_gradients` and `apply_gradients`."""

from __future__ import annotations

from functools import partial
from typing import Any

from luxport import tree
from luxport.backend import Array, backend_of
from luxport.call_arguments import explain_call_errors
from luxport.training._objective_gradients import Objective, differentiate_objective, expect_objective
from luxport.training._state import TrainState, expect_state
from luxport.training._step_programs import apply_optimizer, find_program

__all__ = ["NonFiniteError", "apply_gradients", "compute_gradients", "train_step"]


class NonFiniteError(FloatingPointError):
    """A loss or a gradient is infinite or NaN; `state` is the state before the step, to continue from."""

    def __init__(self, message: str, state: TrainState) -> None:
        super().__init__(message)
        self.state = state


@explain_call_errors
def compute_gradients(
    objective: Objective, data: Any, state: TrainState, *, accumulate: int = 1
) -> tuple[tree.Tree, Array, Any, TrainState]:
    """Return gradients, loss, statistics, and the training state with the layers' new states.

    The gradients are a tree like ``state.ps``. It is a pure function, which may be compiled, alone or as a part of
    another: ``luxport.jit(compute_gradients)``.

    Args:
        objective: ``objective(model, ps, st, data) -> (loss, st, stats)``, such as ``luxport.losses.MSELoss()``
        data: the objective's data, such as a pair of arrays
        state: the parameters, states and model
        accumulate: the number of parts into which the data are split along their first axes, some with one sample
            fewer; gradient and loss are averaged over all samples, if the loss of a part is a mean, and intermediate
            results need the memory of one part only

    Raises: ValueError if the data cannot be split; TypeError for a loss that is not a real scalar

    >>> import luxport
    >>> rule = luxport.optimizers.Descent(0.1)
    >>> state = luxport.training.TrainState.create(luxport.Dense(1, 1), rule, backend="torch")
    >>> x = luxport.asarray([[1.0], [2.0]], backend="torch", dtype="float32")
    >>> grads, loss, stats, state = compute_gradients(luxport.losses.MSELoss(), (x, 0 * x), state)
    >>> sorted(grads), stats
    (['bias', 'weight'], {})
    """
    state.expect_available()
    expect_objective(objective)
    gradients = partial(differentiate_objective, objective, accumulate)
    grads, loss, stats, st = gradients(state.program, state.ps, state.st, state.scale, data)
    return grads, loss, stats, state._replace(st=st)


@explain_call_errors
def apply_gradients(state: TrainState, grads: tree.Tree) -> TrainState:
    """Return the state after the optimizer's step with these gradients.

    Args:
        state: the state before, which remains usable
        grads: a tree like ``state.ps``, with None where there is no gradient

    Raises: ValueError as `optimizers.update` does

    >>> import luxport
    >>> rule = luxport.optimizers.Descent(1.0)
    >>> state = luxport.training.TrainState.create(luxport.Dense(1, 1), rule, backend="numpy")
    >>> after = apply_gradients(state, state.ps)
    >>> after.ps["weight"], int(after.step)
    (array([[0.]], dtype=float32), 1)
    """
    state.expect_available()
    return apply_optimizer(state, grads, in_place=False)


@explain_call_errors
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
    """Take one step of training; return the loss before it, the objective's statistics, and the next state.

    The whole step is compiled once for each objective and set of shapes (PyTorch compiles loss and gradient, and uses
    its fused optimizer kernels); learning rates and other numbers that change are arrays in the state, see
    `TrainState.adjust`. Pass the same function at every step: a lambda created anew is compiled anew.

    Args:
        objective: ``objective(model, ps, st, data) -> (loss, st, stats)``, such as ``luxport.losses.MSELoss()``
        data: the objective's data, such as a pair of arrays
        state: the state, which is taken over: its memory is reused, and it cannot be used afterward
        jit: whether to compile; False runs the framework's operations one by one
        donate: whether the state is taken over; if False it remains usable
        accumulate: the number of parts into which the data are split, see `compute_gradients`
        steps_per_call: the number of steps in one call; data are then a list of as many batches of one shape, the loss
            is an array of as many losses, and the statistics are a list
        nonfinite: what happens for an infinite or NaN loss or gradient: "ignore" it, "skip" the step (parameters,
            states and optimizer keep their values, and ``state.skipped`` increases), or "raise" a `NonFiniteError`,
            which has the state before the step. The last two check every gradient; "raise" waits for the device

    Raises: StateTakenError for a state that an earlier step has taken over; ValueError for data that cannot be split or
            another word for `nonfinite`; NonFiniteError as said; TypeError for a loss that is not a real scalar
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
    state.expect_available()
    program = find_program((objective, jit, donate, accumulate, steps_per_call, nonfinite))
    loss, stats, new, finite = program(data, state)
    if donate:
        state.take()
    if nonfinite == "raise" and not bool(finite):
        raise NonFiniteError(
            f"train_step expects a finite loss and gradient, got the loss {_read_loss(loss)} after {int(new.step)} "
            "steps: no step was taken, and the error has the state to continue from",
            new,
        )
    return loss, stats, new


def _read_loss(loss: Array) -> Any:
    host = backend_of(loss).to_numpy(loss)
    return float(host) if host.ndim == 0 else host.tolist()
