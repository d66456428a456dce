"""Eager steps of `Adam` that skip the checks of the state which the first step has made.

The first step checks whether the state's trees hold plain tensors that may be written over. If so, it makes a plan:
the parameters and moments in flat lists, and the hyperparameters as Python floats. As long as nobody reads the
parameters or the optimizer's state between two steps, the plan stays valid, and a step computes the objective and its
gradients and calls the fused kernel once. After a read, which returns the same tensors in the same trees, the next step
checks the state again, because the reader may have changed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from luxport.optimizers._adam import Adam
from luxport.optimizers._state import OptimizerState
from luxport.optimizers._usual_step import gather_usual
from luxport.training._state import TrainState, make_lazy_state
from luxport_torch.fused_adam import step_adam
from luxport_torch.plain_dicts import build_like

__all__ = ["Ongoing", "begin_plan"]

_FLOATS = {torch.float32: np.float32, torch.float64: np.float64}


class _Plan:
    """The parameters and moments of a state in flat lists, which share memory with the state's trees."""

    def __init__(self, state: TrainState, leaves: Sequence[torch.Tensor], moments: Sequence[Any]) -> None:
        self.ps, self.opt_state = state.ps, state.opt_state
        # Tensors that share the parameters' memory but require gradients; the ones that users see never do.
        self.leaves = [leaf.detach().requires_grad_() for leaf in leaves]
        self.followed_ps = build_like(state.ps, iter(self.leaves))
        self._ms, self._vs = [m for m, _ in moments], [v for _, v in moments]
        values = self.opt_state.groups[0].values
        self._eta, self._epsilon = values["eta"].item(), values["epsilon"].item()
        self._beta1, self._beta2 = [beta.item() for beta in values["beta"]]
        self._round: Any = _FLOATS[leaves[0].dtype]

    def round_powers(self, clock: Sequence[torch.Tensor]) -> tuple[Any, Any]:
        """Return the powers of both betas as NumPy scalars, in the precision of the parameters."""
        one, two = clock
        return self._round(one.item()), self._round(two.item())

    def step(self, grads: Sequence[torch.Tensor], powers: tuple[Any, Any]) -> tuple[Any, Any]:
        """Update parameters and moments in place, and return the powers of both betas for the next step."""
        one, two = powers
        beta = self._beta1, self._beta2
        step_adam(self.leaves, grads, self._ms, self._vs, (float(one), float(two)), self._eta, beta, self._epsilon)
        return one * self._round(self._beta1), two * self._round(self._beta2)


class Ongoing:
    """A state after some steps of a plan; its entries are computed when they are read (see `make_lazy_state`)."""

    __slots__ = ("_plan", "_powers", "_read", "_skipped", "_step", "backend", "is_seen", "st")

    def __init__(
        self, backend: Any, plan: _Plan, st: Any, step: int, skipped: torch.Tensor, powers: tuple[Any, Any]
    ) -> None:
        self.backend, self._plan, self.st, self._powers = backend, plan, st, powers
        self._step, self._skipped = step, skipped
        self.is_seen = False
        """Whether the parameters or the optimizer's state have been read, and may have been changed."""
        self._read: dict[str, Any] = {}

    @property
    def ps(self) -> Any:
        """The parameters, as tensors that require gradients."""
        return self._plan.followed_ps

    @property
    def leaves(self) -> list[torch.Tensor]:
        """The parameters, as a flat list of the same tensors."""
        return self._plan.leaves

    def entry(self, name: str) -> Any:
        """Return an entry of the state, computed at the first call."""
        if name == "ps" or name == "opt_state":
            self.is_seen = True
        if name not in self._read:
            self._read[name] = self._make(name)
        return self._read[name]

    def take_step(self, program: Any, grads: Sequence[torch.Tensor], st: Any) -> TrainState:
        """Update parameters and moments in place, and return the state after the step."""
        powers = self._plan.step(grads, self._powers)
        return make_lazy_state(program, Ongoing(self.backend, self._plan, st, self._step + 1, self._skipped, powers))

    def skip_step(self, program: Any) -> TrainState:
        """Return the state after a step that left the parameters unchanged, with one more skipped step counted."""
        powers = self._powers
        return make_lazy_state(
            program, Ongoing(self.backend, self._plan, self.st, self._step, self._skipped + 1, powers)
        )

    def _make(self, name: str) -> Any:
        if name == "st":
            return self.st
        if name == "step":
            return torch.tensor(self._step, dtype=torch.int32, device="cpu")
        if name == "skipped":
            return self._skipped
        if name != "opt_state":
            return self._plan.ps if name == "ps" else None
        (group,), leaves = self._plan.opt_state
        clock = tuple([torch.tensor(power, device="cpu") for power in self._powers])
        return OptimizerState((group._replace(clock=clock),), leaves)


def begin_plan(backend: Any, state: TrainState) -> Ongoing | None:
    """Make a plan for a state; return None if the state has anything but plain tensors updated by one `Adam`."""
    opt_state = state.opt_state
    if type(opt_state) is not OptimizerState or len(opt_state.groups) != 1 or state.scale is not None:
        return None
    (group,), kept = opt_state
    moments: list[Any] = []
    leaves: list[torch.Tensor] = []
    if type(group.rule.value) is not Adam or not gather_usual(kept, state.ps, state.ps, moments, leaves, []):
        return None
    if len(leaves) != group.size.value or not _are_plain(leaves, moments) or not _are_known(group, state.step, leaves):
        return None
    plan = _Plan(state, leaves, moments)
    return Ongoing(backend, plan, state.st, int(state.step.item()), state.skipped, plan.round_powers(group.clock))


def _are_plain(leaves: list[torch.Tensor], moments: list[Any]) -> bool:
    """Return whether these are distinct tensors on the CPU, of one dtype, float32 or float64, in C order."""
    if not leaves or any([type(pair) is not tuple or len(pair) != 2 for pair in moments]):
        return False
    all_of_them = [*leaves, *[moment for pair in moments for moment in pair]]
    shapes = [leaf.shape for leaf in leaves]
    return (
        set(map(type, all_of_them)) == {torch.Tensor}
        and leaves[0].dtype in _FLOATS
        and {tensor.dtype for tensor in all_of_them} == {leaves[0].dtype}
        and len(set(map(id, all_of_them))) == len(all_of_them)
        and all([tensor.is_cpu and tensor.is_contiguous() and not tensor.is_inference() for tensor in all_of_them])
        and not any([tensor.requires_grad for tensor in all_of_them])
        and [m.shape for m, _ in moments] == shapes == [v.shape for _, v in moments]
    )


def _are_known(group: Any, step: Any, leaves: list[torch.Tensor]) -> bool:
    """Return whether hyperparameters are on the CPU, in the precision of the parameters, and need no gradient."""
    clock, values = group.clock, group.values
    if type(clock) is not tuple or len(clock) != 2:
        return False
    numbers = [*clock, values["eta"], values["epsilon"], *values["beta"]]
    return (
        type(step) is torch.Tensor
        and step.is_cpu
        and all(
            [
                type(number) is torch.Tensor
                and number.is_cpu
                and number.dtype is leaves[0].dtype
                and not number.requires_grad
                for number in numbers
            ]
        )
    )
