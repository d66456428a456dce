"""Short ways to declare a `Case`: a layer forward, a gradient, an operation, a fact, a failure."""

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
    "cite",
    "draw",
]


def cite(suite_and_file: str, *lines: int) -> tuple[str, ...]:
    """Name upstream assertions: ``cite("flux:layers/basic.jl", 85)``."""
    return tuple(f"{suite_and_file}:{line}" for line in lines)


def draw(*shape: int, seed: int = 0) -> Any:
    """Draw normal numbers: what upstream leaves to chance is seeded here."""
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
    """A layer called once, with an array or a tuple of inputs.

    `y` and `state` say what must come out; y may be a function of (x, ps, st).
    """
    ps, st = _set_up(layer, ps, training)

    def program(x: Any, ps: Any, st: Any) -> Any:
        y, st = layer(x, ps, st)
        return {"y": y, "st": st}

    def compute_expected(x: Any, ps: Any, st: Any) -> Any:
        return {"y": y(x, ps, st)} | ({} if state is None else {"st": state})

    wanted = {name: value for name, value in (("y", y), ("st", state)) if value is not None}
    return Case(
        id=id,
        subject=subject or type(layer).__name__,
        source=source,
        program=program,
        inputs={"x": _make_arrays(x), "ps": ps, "st": st},
        expected=compute_expected if callable(y) else wanted,
        **options,
    )


def check_gradient(
    id: str,
    source: tuple[str, ...],
    subject: str,
    f: Callable[..., Any],
    inputs: dict[str, Any],
    *,
    expected: Any,
    wrt: int | tuple[int, ...] = 0,
    **options: Any,
) -> Case:
    """The gradient of the scalar f of the inputs."""
    program = luxport.grad(f, wrt)
    return Case(
        id=id,
        subject=subject,
        source=source,
        program=lambda *arrays: program(*arrays),
        inputs=inputs,
        expected=expected,
        differentiates=True,
        **options,
    )


def check_program(
    id: str,
    source: tuple[str, ...],
    subject: str,
    program: Callable[..., Any],
    inputs: Mapping[str, Any],
    *,
    expected: Any,
    **options: Any,
) -> Case:
    """A program of inputs that have names, of which some may be trees."""
    return Case(id=id, subject=subject, source=source, program=program, inputs=inputs, expected=expected, **options)


def check_function(
    id: str,
    source: tuple[str, ...],
    subject: str,
    f: Callable[..., Any],
    *arrays: Any,
    expected: Any,
    **options: Any,
) -> Case:
    """A function of arrays, such as an operation."""
    inputs = {f"x{i}": np.asarray(array) for i, array in enumerate(arrays)}
    return Case(id=id, subject=subject, source=source, program=f, inputs=inputs, expected=expected, **options)


def check_fact(
    id: str,
    source: tuple[str, ...],
    subject: str,
    program: Callable[[], Any],
    expected: Any = True,
) -> Case:
    """Something true of layers without arrays: names, indices, shapes."""
    return Case(id=id, subject=subject, source=source, program=program, expected=expected)


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
    """A layer given an input that it refuses, for its numbers if it `looks`, or a function of nothing that fails."""
    if not isinstance(layer, Layer):
        return Case(id=id, subject=subject, source=source, program=layer, raises=raises, message=message)
    ps, st = _set_up(layer, None, training)
    return Case(
        id=id,
        subject=subject or type(layer).__name__,
        source=source,
        program=lambda x, ps, st: layer(x, ps, st),
        inputs={"x": _make_arrays(x), "ps": ps, "st": st},
        raises=raises,
        message=message,
        dtypes=("float32",),
        looks=looks,
    )


def _make_arrays(x: Any) -> Any:
    """Make an array of numbers and nested lists of them; a tuple is one of inputs."""
    return tuple([_make_arrays(part) for part in x]) if isinstance(x, tuple) else np.asarray(x)


def _set_up(layer: Layer, ps: Any, training: bool) -> tuple[Any, Any]:
    initial, st = luxport.setup(0, layer, backend="numpy")
    mode = luxport.train_mode if training else luxport.test_mode
    return initial if ps is None else ps, mode(st)
