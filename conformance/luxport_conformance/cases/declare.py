"""Functions that make a `Case`: of a layer's output, a gradient, a program, a function, a fact, an error.

All take the id, the source and the program first. A subject that is not given is found from the start of the id:
"batch_norm.train" is a case of the layer `BatchNorm`, "batched_mul.complex" one of the operation `batched_mul`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import luxport
from luxport import LayerError
from luxport.core.layer import Layer
from luxport_conformance.case import Case

__all__ = [
    "check_error",
    "check_fact",
    "check_function",
    "check_gradient",
    "check_output",
    "check_program",
    "check_refusal",
    "cite",
    "draw",
    "set_up",
]


def cite(suite_and_file: str, *lines: int) -> tuple[str, ...]:
    """Return the source of a case, lines of an upstream test: ``cite("flux:layers/basic.jl", 85)``."""
    return tuple(f"{suite_and_file}:{line}" for line in lines)


def set_up(layer: Layer) -> tuple[Any, Any]:
    """Return the initial parameters and states of a layer on NumPy."""
    return luxport.setup(0, layer, backend="numpy")


def draw(*shape: int, seed: int = 0) -> Any:
    """Return normal numbers from a seed, where upstream's tests draw without one."""
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


def check_output(
    id: str,
    source: tuple[str, ...],
    layer: Layer,
    x: Any,
    *,
    y: Any = None,
    state: Any = None,
    ps: Any = None,
    training: bool = False,
    subject: str = "",
    **options: Any,
) -> Case:
    """Check the output of a layer called once, with an array or a tuple of inputs.

    `y` and `state` are the expected output and state; y may be a function of (x, ps, st).
    """
    ps, st = _choose_values(layer, ps, training)

    def program(x: Any, ps: Any, st: Any) -> Any:
        y, st = layer(x, ps, st)
        return {"y": y, "st": st}

    def expected(x: Any, ps: Any, st: Any) -> Any:
        return {"y": y(x, ps, st)} | ({} if state is None else {"st": state})

    wanted = {name: value for name, value in (("y", y), ("st", state)) if value is not None}
    return Case(
        id=id,
        subject=subject or _find_subject(id, layer),
        source=source,
        program=program,
        inputs={"x": _make_arrays(x), "ps": ps, "st": st},
        expected=expected if callable(y) else wanted,
        **options,
    )


def check_gradient(
    id: str,
    source: tuple[str, ...],
    f: Callable[..., Any],
    inputs: Mapping[str, Any],
    *,
    wrt: int | tuple[int, ...] = 0,
    **options: Any,
) -> Case:
    """Check the gradient of a scalar function f of the inputs."""
    program = luxport.grad(f, wrt)
    return check_program(id, source, lambda *arrays: program(*arrays), inputs, differentiates=True, **options)


def check_program(
    id: str,
    source: tuple[str, ...],
    program: Callable[..., Any],
    inputs: Mapping[str, Any],
    *,
    expected: Any,
    subject: str = "",
    **options: Any,
) -> Case:
    """Check a program with named inputs, which may be arrays or trees of arrays."""
    subject = subject or _find_subject(id)
    return Case(id=id, subject=subject, source=source, program=program, inputs=inputs, expected=expected, **options)


def check_function(
    id: str, source: tuple[str, ...], f: Callable[..., Any], *arrays: Any, expected: Any, **options: Any
) -> Case:
    """Check a function of arrays, such as an operation."""
    inputs = {f"x{i}": np.asarray(array) for i, array in enumerate(arrays)}
    return check_program(id, source, f, inputs, expected=expected, **options)


def check_fact(
    id: str, source: tuple[str, ...], program: Callable[[], Any], expected: Any = True, *, subject: str = ""
) -> Case:
    """Check the result of a program without inputs, such as names, indices or shapes of layers."""
    return check_program(id, source, program, {}, expected=expected, subject=subject)


def check_error(
    id: str,
    source: tuple[str, ...],
    layer: Layer | Callable[[], Any],
    x: Any = None,
    *,
    message: str,
    training: bool = False,
    raises: type[Exception] = LayerError,
    subject: str = "",
    looks: bool = False,
) -> Case:
    """Check that a layer refuses x, or that a function without arguments raises; `looks` if the layer reads values."""
    if not isinstance(layer, Layer):
        subject = subject or _find_subject(id)
        return Case(id=id, subject=subject, source=source, program=layer, raises=raises, message=message)
    ps, st = _choose_values(layer, None, training)
    return Case(
        id=id,
        subject=subject or _find_subject(id, layer),
        source=source,
        program=lambda x, ps, st: layer(x, ps, st),
        inputs={"x": _make_arrays(x), "ps": ps, "st": st},
        raises=raises,
        message=message,
        dtypes=("float32",),
        looks=looks,
    )


def check_refusal(
    id: str,
    source: tuple[str, ...],
    program: Callable[..., Any],
    inputs: Mapping[str, Any],
    *,
    raises: type[Exception] = ValueError,
    message: str = "",
    subject: str = "",
    **options: Any,
) -> Case:
    """Check that a program with named inputs raises."""
    options = {"raises": raises, "message": message, "dtypes": ("float32",), **options}
    return check_program(id, source, program, inputs, expected=None, subject=subject, **options)


def _make_arrays(x: Any) -> Any:
    """Convert numbers and nested lists to an array, and a tuple to a tuple of arrays."""
    return tuple([_make_arrays(part) for part in x]) if isinstance(x, tuple) else np.asarray(x)


def _choose_values(layer: Layer, ps: Any, training: bool) -> tuple[Any, Any]:
    initial, st = set_up(layer)
    mode = luxport.train_mode if training else luxport.test_mode
    return initial if ps is None else ps, mode(st)


def _find_subject(id: str, layer: Layer | None = None) -> str:
    first = id.partition(".")[0]
    return _LAYERS.get(first.replace("_", "").lower()) or (type(layer).__name__ if layer is not None else first)


_LAYERS = {name.lower(): name for name in luxport.layers.__all__}
