"""How models are written out: a layer in one line, a model as a tree with its counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from luxport.layer import Layer, NamedLayers, parameter_length, state_length

__all__ = ["display", "one_line"]


def display(model: Layer) -> str:
    """Write a model as Lux does: a line per layer, each with its numbers of parameters and states.

    Neighbours that are equal share a line.

    >>> import luxport
    >>> print(display(luxport.Chain(luxport.Dense(2, 3, luxport.tanh), luxport.Dense(3, 1))))
    Chain(
        layer_1 = Dense(2, 3, tanh),  # 9 parameters
        layer_2 = Dense(3, 1),        # 4 parameters
    )                                 # 13 parameters
    """
    lines = _lines(model, "", "")
    width = max((len(text) for text, counts in lines if counts), default=0) + 2
    return "\n".join(f"{text:<{width}}# {counts}" if counts else text for text, counts in lines)


def one_line(layer: Layer) -> str:
    """Write a layer as the call that builds it, without the options left at their defaults.

    >>> import luxport
    >>> one_line(luxport.Dense(2, 3, luxport.relu, use_bias=False))
    'Dense(2, 3, relu, use_bias=False)'
    """
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
            parts += _named(value)
        else:
            parts.append(_text(value) if positional else f"{f.name}={_text(value)}")
    return f"{_title(layer)}({', '.join(parts)})"


def _named(layers: NamedLayers) -> list[str]:
    default = all(name == f"layer_{i}" for i, name in enumerate(layers, start=1))
    return [repr(layer) if default else f"{name}={layer!r}" for name, layer in layers.items()]


def _title(layer: Layer) -> str:
    return getattr(layer, "name", None) or type(layer).__name__


def _text(value: Any) -> str:
    if callable(value) and not isinstance(value, Layer):
        return getattr(value, "__name__", None) or repr(value)
    return repr(value)


def _counts(layer: Layer) -> str:
    parameters, states = parameter_length(layer), state_length(layer)
    texts = [_plural(parameters, "parameter")] if parameters else []
    texts += [_plural(states, "state")] if states else []
    return ", ".join(texts)


def _plural(n: int, noun: str) -> str:
    return f"{n:_} {noun}{'' if n == 1 else 's'}"


def _lines(node: Any, indent: str, label: str, end: str = "") -> list[tuple[str, str]]:
    children = node.children() if isinstance(node, Layer) else node
    if isinstance(children, (tuple, list)):
        children = {f"layer_{i}": child for i, child in enumerate(children, start=1)}
    if isinstance(node, Layer) and not children:
        return [(f"{indent}{label}{one_line(node)}{end}", _counts(node))]
    title = _title(node) if isinstance(node, Layer) else ""
    lines = [(f"{indent}{label}{title}(", "")]
    for names, child in _grouped(children):
        lines += _lines(child, indent + "    ", f"{names} = ", ",")
    closing = _counts(node) if isinstance(node, Layer) else ""
    if isinstance(node, Layer) and not indent:
        closing = closing or "0 parameters"
    return [*lines, (f"{indent}){end}", closing)]


def _grouped(children: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Join neighbours that are equal and numbered: layer_1, layer_2 become layer_(1-2)."""
    groups: list[tuple[list[str], Any]] = []
    for name, child in children.items():
        stem, _, number = name.rpartition("_")
        if groups and number.isdigit() and groups[-1][1] == child:
            last_stem, _, last = groups[-1][0][-1].rpartition("_")
            if last_stem == stem and last.isdigit() and int(number) == int(last) + 1:
                groups[-1][0].append(name)
                continue
        groups.append(([name], child))
    return [(_range(names), child) for names, child in groups]


def _range(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    stem, _, first = names[0].rpartition("_")
    return f"{stem}_({first}-{names[-1].rpartition('_')[2]})"
