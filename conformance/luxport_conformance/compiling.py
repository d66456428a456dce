"""Programs compiled quickly: without the passes that take seconds for each, and with sizes that are not known."""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from luxport import jit, tree
from luxport.backend import Backend

__all__ = ["compile_quickly", "compiles_operations", "forget_sizes", "prepare"]


def forget_sizes(backend: Backend, x: Any) -> Any:
    """Forget the sizes of x where a program is compiled that can learn them when it runs, as TensorFlow's can."""
    if backend.name != "tf":
        return x
    import tensorflow as tf

    if tf.executing_eagerly():
        return x
    return tree.map(lambda leaf: tf.raw_ops.PlaceholderWithDefault(input=leaf, shape=[None] * len(leaf.shape)), x)


_count = itertools.count()


def compile_quickly(
    backend: Backend | None, program: Callable[..., Any], *, tracing_only: bool = False
) -> Callable[..., Any]:
    """Compile a program as luxport does, but on PyTorch and JAX without the passes that take seconds for each.

    With `tracing_only` PyTorch captures the program as one graph and runs its operations as they are.
    """
    if backend is not None and backend.name == "jax":
        return backend.jit(program, compiler_options=_find_quick_options())  # type: ignore[call-arg]
    if backend is not None and backend.name == "mlx":
        return _compile_unfused(jit(program))
    if backend is None or backend.name != "torch":
        return jit(program)
    import torch

    def run(*args: Any) -> Any:
        return program(*args)

    # Dynamo remembers by file, line and name which sizes changed between calls, and compiles them as dynamic: with
    # a name of its own each program starts afresh.
    run.__code__ = run.__code__.replace(co_name=f"traced_{next(_count)}")
    return torch.compile(run, fullgraph=True, backend="eager" if tracing_only else "aot_eager")


@cache
def _find_quick_options() -> dict[str, Any]:
    """Return options of XLA that halve the time of its compiler on the CPU, if it knows them."""
    import jax

    if jax.default_backend() != "cpu":
        return {}
    options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(abs, compiler_options=options)(1.0)
    except jax.errors.JaxRuntimeError:  # another version of XLA, with other options
        return {}
    return options


def _compile_unfused(program: Callable[..., Any]) -> Callable[..., Any]:
    """Let MLX trace a program without fusing it into kernels: on a CPU its C++ compiler takes a second for each."""

    def call(*args: Any) -> Any:
        set_mode = _find_mode_setter()
        if set_mode is None:
            return program(*args)
        set_mode(_NO_FUSE)
        try:
            return program(*args)
        finally:
            set_mode(_ENABLED)

    return call


_NO_FUSE, _ENABLED = 2, 3


@cache
def _find_mode_setter() -> Callable[[int], Any] | None:
    """Return the function of MLX's library that sets its compile mode, which Python cannot reach; None if not found."""
    import mlx.core

    folder = Path(str(mlx.core.__file__)).parent / "lib"
    for path in folder.glob("libmlx.*"):
        try:
            return ctypes.CDLL(str(path))._ZN3mlx4core16set_compile_modeENS0_11CompileModeE
        except (OSError, AttributeError):
            continue
    return None


def compiles_operations(name: str) -> bool:
    """Say whether a backend compiles every operation for every shape and dtype, whether it is asked to or not.

    JAX does, in 20 to 80 ms each: what is to run once is several times faster compiled as a whole.
    """
    return name == "jax"


def prepare(backend: Backend, program: Callable[..., Any]) -> Callable[..., Any]:
    """Return what runs a program once in the shortest time: compiled only where single operations would be, too."""
    return compile_quickly(backend, program) if compiles_operations(backend.name) else program
