"""How models are printed: a layer as one line, a model as an indented tree with the numbers of its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import MISSING, fields
from itertools import islice
from typing import Any, TypeAlias

from luxport.call_arguments import explain_call_errors
from luxport.core.counts import parameter_length, state_length
from luxport.core.layer_base import LayerBase, NamedLayers, expect_layer, name_layers

__all__ = ["display", "write_on_one_line"]


@explain_call_errors
def display(model: LayerBase) -> str:
    """Write a model in the style of Lux: one line per layer, with its numbers of parameters and states.

    Equal neighbors share a line, ``# 40 (20 x 2) parameters``.

    >>> import luxport
    >>> print(display(luxport.Chain(luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 1))))
    Chain(
        layer_1 = Dense(2, 3, tanh),  # 9 parameters
        layer_2 = Dense(3, 1),        # 4 parameters
    )                                 # 13 parameters
    """
    expect_layer("display", model)
    lines = list(islice(_write_lines(model, {}, "", ""), _MOST_LINES + 1))
    if len(lines) > _MOST_LINES:
        lines[-1] = "...", ""
    width = max((len(text) for text, counts in lines if counts), default=0) + 2
    return "\n".join(f"{text:<{width}}# {counts}" if counts else text for text, counts in lines)


def write_on_one_line(layer: LayerBase) -> str:
    """Write a layer as the call that builds it, without options that have their default values.

    >>> import luxport
    >>> write_on_one_line(luxport.Dense(2, 3, luxport.relu, use_bias=False))
    'Dense(2, 3, relu, use_bias=False)'
    """
    known = _written.get()
    if known is not None:
        if id(layer) not in known:
            text = _write_call(layer)
            known[id(layer)] = layer, text if len(text) <= _LONGEST else f"{_get_title(layer)}(...)"
        return known[id(layer)][1]
    outermost = _written.set({})
    try:
        return _write_call(layer)
    finally:
        _written.reset(outermost)


_MOST_LINES = 10_000

_LONGEST = 100_000
"""The most characters for an inner layer: one that occurs twice at each level would double the text at each level."""

_written: ContextVar[dict[int, tuple[LayerBase, str]] | None] = ContextVar("written", default=None)
"""The texts of the inner layers of the layer that is being written, so that none is written twice."""


def _write_call(layer: LayerBase) -> str:
    parts: list[str] = []
    positional = True
    for f in fields(layer):  # type: ignore[arg-type]
        value = getattr(layer, f.name)
        if not f.init or f.name == "name":
            continue
        if f.default is not MISSING and value == f.default:
            positional = False
            continue
        positional = positional and not f.kw_only
        if isinstance(value, NamedLayers):
            parts += _write_layers(value)
        else:
            parts.append(_write_value(value) if positional else f"{f.name}={_write_value(value)}")
    return f"{_get_title(layer)}({', '.join(parts)})"


def _write_layers(layers: NamedLayers) -> list[str]:
    default = all(name == f"layer_{i}" for i, name in enumerate(layers, start=1))
    return [repr(layer) if default else f"{name}={layer!r}" for name, layer in layers.items()]


def _get_title(layer: LayerBase) -> str:
    return getattr(layer, "name", None) or type(layer).__name__


def _write_value(value: Any) -> str:
    if callable(value) and not isinstance(value, LayerBase):
        return getattr(value, "__name__", None) or repr(value)
    return repr(value)


_Counts: TypeAlias = dict[int, tuple[LayerBase, int, int]]


def _write_counts(layer: LayerBase, known: _Counts, copies: int) -> str:
    if id(layer) not in known:
        known[id(layer)] = layer, parameter_length(layer), state_length(layer)
    _, parameters, states = known[id(layer)]
    texts = [_write_count(parameters, copies, "parameter")] if parameters else []
    texts += [_write_count(states, copies, "state")] if states else []
    return ", ".join(texts)


def _write_count(n: int, copies: int, noun: str) -> str:
    total = n * copies
    return f"{total:_}{f' ({n:_} x {copies})' if copies > 1 else ''} {noun}{'' if total == 1 else 's'}"


def _write_lines(
    node: Any, known: _Counts, indent: str, label: str, end: str = "", copies: int = 1
) -> Iterator[tuple[str, str]]:
    children = node.children() if isinstance(node, LayerBase) else name_layers(node)
    if isinstance(node, LayerBase) and not children:
        yield f"{indent}{label}{write_on_one_line(node)}{end}", _write_counts(node, known, copies)
        return
    title = _get_title(node) if isinstance(node, LayerBase) else ""
    yield f"{indent}{label}{title}(", ""
    for name, child, repeated in _group_equal(children):
        yield from _write_lines(child, known, indent + "    ", f"{name} = ", ",", copies * repeated)
    closing = _write_counts(node, known, copies) if isinstance(node, LayerBase) else ""
    if isinstance(node, LayerBase) and not indent:
        closing = closing or "0 parameters"
    yield f"{indent}){end}", closing


def _group_equal(children: Mapping[str, Any]) -> list[tuple[str, Any, int]]:
    """Group equal, consecutively numbered neighbors: layer_1 and layer_2 become layer_(1-2) with a count of 2."""
    groups: list[tuple[str, int, int, Any]] = []
    for name, child in children.items():
        stem, number = _split_number(name)
        if groups and number is not None:
            last_stem, first, last, layer = groups[-1]
            if (last_stem, last + 1, layer) == (stem, number, child):
                groups[-1] = (stem, first, number, layer)
                continue
        # The number -2 marks a name without a number; no name has the next number, -1, so that nothing joins it.
        groups.append((name, -2, -2, child) if number is None else (stem, number, number, child))
    return [
        (
            stem if first < 0 else f"{stem}{first}" if first == last else f"{stem}({first}-{last})",
            child,
            last - first + 1,
        )
        for stem, first, last, child in groups
    ]


def _split_number(name: str) -> tuple[str, int | None]:
    """Split a name from the number at its end; a number with a leading zero remains part of the name."""
    digits = name[len(name.rstrip("0123456789")) :]
    if not digits or digits != str(int(digits)):
        return name, None
    return name.removesuffix(digits), int(digits)
