"""Optional capabilities of backends: test for one with `can`, demand one with `require`."""

from __future__ import annotations

from collections.abc import Mapping

from luxport.backend._protocol import Backend

__all__ = ["CAPABILITIES", "can", "require"]

CAPABILITIES: Mapping[str, tuple[str, ...]] = {
    "gradients": ("value_and_grad", "vjp", "jvp", "jacobian", "stop_gradient"),
    "custom gradients": ("custom_vjp",),
    "constants": ("are_constants",),
    "compiler": ("jit",),
    "scan": ("scan",),
    "loops": ("scan_layers", "loop_steps"),
    "checkpoint": ("checkpoint",),
    "autocast": ("casts",),
    "own keys": ("key_words", "draw_later"),
    "sorted keys": (),
    "recording": (),
    "donation": (),
    "training program": ("train_program",),
    "packed state": ("most_joined", "join_rows", "cut_rows"),
    "collectives": ("start_collectives",),
    "parallel program": ("parallel_program", "start_devices"),
}
"""The names that a backend may list in its `capabilities`, each with the functions that it must then have.

- gradients: without them gradients are refused, and all arrays are constants
- custom gradients: `luxport.custom_vjp`
- constants: `are_constants(arrays)` returns whether no gradient with respect to them can be asked for, so that nothing
  needs to be prepared for one
- compiler: without one `luxport.jit` returns the function unchanged
- scan: a loop of the framework's own; without it, scans are loops in Python
- loops: `scan_layers(step, x, stacks, length)` calls equal layers in one compiled loop, `loop_steps(f, carry, parts)`
  does so with steps of training, or returns None where it cannot; without them, calls and steps are unrolled
- checkpoint: recomputes values in the backward pass; without it, gradients keep them in memory
- autocast: `casts(x, other)` returns whether the framework itself converts two different dtypes to one
- own keys: `luxport.setup` takes the framework's own random keys as seeds
- donation: `jit` takes `donate_argnums`, arguments whose memory a program may reuse for its results
- collectives: `luxport.distributed` moves arrays between processes by an engine that it starts
- parallel program: a compiled step of several workers, processes or devices, that moves arrays itself
- training program: a whole step of training of the framework's own, such as one that updates in place
- recording: calls build a graph that runs later, so that the values of inputs cannot be looked at
- packed state: `train_step` keeps a state in few buffers; `most_joined(arrays)` returns how many arrays may share one,
  `join_rows` joins arrays of equal shapes and `cut_rows` separates them again
- sorted keys: the framework sorts the keys of dicts, so that keys of trees must store their positions
"""

_REMEDIES = {
    "gradients": "differentiates nothing: use arrays of jax, torch or tf, for instance "
    "luxport.setup(..., backend='torch')",
    "collectives": "has no engine that moves arrays between processes: initialize('mpi') takes those of every backend",
}


def can(backend: Backend, capability: str) -> bool:
    """Return whether a backend has a capability."""
    return capability in backend.capabilities


def require(backend: Backend, capability: str) -> Backend:
    """Return the backend if it has a capability.

    Raises: TypeError if it has not, with what to do instead
    """
    if capability not in backend.capabilities:
        raise TypeError(f"{backend.name} {_REMEDIES.get(capability, f'has no {capability}')}")
    return backend
