"""What a backend may leave out, and the error where it is asked for: `can` and `require`."""

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
"""By what a backend says in its `capabilities`: the functions that it then has beside those of every backend.

- gradients: without them gradients are refused, and all arrays are constants
- custom gradients: `luxport.custom_vjp`
- constants: `are_constants(arrays)` tells whether nobody can ask for a gradient with respect to them, so that there is
  no need to prepare one
- compiler: without one `luxport.jit` returns the function as it is
- scan: a loop of the framework's own; without one it is a loop in Python
- loops: `scan_layers(step, x, stacks, length)` calls equal layers in one compiled loop, `loop_steps(f, carry, parts)`
  takes steps of training so, or returns None where that cannot be; without them they are written one by one
- checkpoint: without it gradients keep what they need
- autocast: `casts(x, other)` tells whether two dtypes may meet, because the framework itself casts
- own keys: `luxport.setup` takes the framework's own keys as seeds
- donation: `jit` takes `donate_argnums`, arguments whose memory a program may use for its results
- collectives: `luxport.distributed` moves arrays between processes by an engine that it starts
- parallel program: a compiled step of several workers, processes or devices, that moves arrays itself
- training program: a whole step of training of the framework's own, such as one that updates in place
- recording: calls make a graph that runs later, so that no number of an input is at hand
- packed state: `train_step` keeps a state in few buffers; `most_joined(arrays)` tells how many may share one,
  `join_rows` and `cut_rows` make one of equal shapes and take it apart
- sorted keys: the framework sorts the keys of dicts, so that trees which are handed out keep their places themselves
"""

_CURES = {
    "gradients": "differentiates nothing: use arrays of jax, torch or tf, for instance "
    "luxport.setup(..., backend='torch')",
    "collectives": "has no engine that moves arrays between processes: initialize('mpi') takes those of every backend",
}


def can(backend: Backend, capability: str) -> bool:
    """Tell whether a backend has a capability."""
    return capability in backend.capabilities


def require(backend: Backend, capability: str) -> Backend:
    """Return the backend, if it has a capability.

    Raises: TypeError, with what to do
    """
    if capability not in backend.capabilities:
        raise TypeError(f"{backend.name} {_CURES.get(capability, f'has no {capability}')}")
    return backend
