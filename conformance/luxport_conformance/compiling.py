"""Compiling programs in less time, without the compilers' slow optimization passes, and with unknown sizes."""

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
    """Make the sizes of x unknown to TensorFlow's tracer, as for inputs of dynamic shape; elsewhere return x."""
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
    """Compile a program as `luxport.jit` does, but without the slow optimization passes of PyTorch, JAX and MLX.

    With `tracing_only` PyTorch captures the program as one graph and runs the operations of the graph eagerly.
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

    # Dynamo records by file, line and function name which sizes changed between calls, and compiles those as dynamic.
    # A unique name for each program makes Dynamo treat it as new.
    run.__code__ = run.__code__.replace(co_name=f"traced_{next(_count)}")
    return torch.compile(run, fullgraph=True, backend="eager" if tracing_only else "aot_eager")


@cache
def _find_quick_options() -> dict[str, Any]:
    """Return options that halve XLA's compile time on the CPU; none if this version of XLA does not know them."""
    import jax

    if jax.default_backend() != "cpu":
        return {}
    options = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}
    try:
        jax.jit(abs, compiler_options=options)(1.0)
    except jax.errors.JaxRuntimeError:  # this version of XLA lacks one of the options
        return {}
    return options


def _compile_unfused(program: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs a compiled program of MLX without fused kernels.

    On a CPU MLX calls a C++ compiler for each fused kernel, which takes about a second.
    """

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
    """Return the C++ function that sets MLX's compile mode, which has no Python binding; None if it is not found."""
    import mlx.core

    folder = Path(str(mlx.core.__file__)).parent / "lib"
    for path in folder.glob("libmlx.*"):
        try:
            return ctypes.CDLL(str(path))._ZN3mlx4core16set_compile_modeENS0_11CompileModeE
        except (OSError, AttributeError):
            continue
    return None


def compiles_operations(name: str) -> bool:
    """Return whether a backend compiles every operation for every shape and dtype, even in eager mode.

    JAX does, in 20 to 80 ms each: a program that runs only once is several times faster when compiled as a whole.
    """
    return name == "jax"


def prepare(backend: Backend, program: Callable[..., Any]) -> Callable[..., Any]:
    """Return the program in the form in which one run takes the least time.

    It is compiled on a backend that would otherwise compile each of its operations, and unchanged elsewhere.
    """
    return compile_quickly(backend, program) if compiles_operations(backend.name) else program
