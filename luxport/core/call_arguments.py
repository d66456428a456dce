"""What is wrong with the arguments of a call, in one line that names those there are."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from inspect import Parameter
from typing import Any

__all__ = ["wrong_arguments"]

# What other libraries call an option, where no spelling is close enough to guess by.
_ELSEWHERE = {
    "lr": ("eta",),
    "learning_rate": ("eta",),
    "alpha": ("eta",),
    "eps": ("epsilon",),
    "betas": ("beta",),
    "beta1": ("beta",),
    "beta2": ("beta",),
    "b1": ("beta",),
    "b2": ("beta",),
    "momentum": ("rho",),
    "decay": ("rho", "lambda_"),
    "weight_decay": ("lambda_", "lam"),
    "bias": ("use_bias",),
    "in_features": ("in_dims",),
    "out_features": ("out_dims",),
    "units": ("out_dims",),
    "input_size": ("in_dims",),
    "hidden_size": ("out_dims",),
    "kernel_size": ("kernel", "window"),
    "pool_size": ("window",),
    "filters": ("out_channels",),
    "strides": ("stride",),
    "pad": ("padding",),
    "dilation_rate": ("dilation",),
    "rate": ("p",),
    "num_features": ("channels",),
    "num_groups": ("groups",),
    "num_channels": ("channels",),
    "normalized_shape": ("shape",),
    "elementwise_affine": ("affine",),
    "track_running_stats": ("track_stats",),
    "num_embeddings": ("in_dims",),
    "embedding_dim": ("out_dims",),
    "embed_dim": ("in_dims",),
    "num_heads": ("nheads",),
    "dropout": ("attention_dropout_probability",),
    "causal": ("is_causal",),
    "mode": ("reduction", "method"),
    "kernel_initializer": ("init_weight",),
    "bias_initializer": ("init_bias",),
    "n": ("repeats",),
}


def wrong_arguments(name: str, function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> Any:
    """Say why a function that is called `name` does not take these arguments, self among them; None if it does."""
    signature = inspect.signature(function)
    try:
        signature.bind(*args, **options)
    except TypeError:
        pass
    else:
        return None
    known = list(signature.parameters.values())[1:]
    named = [p.name for p in known if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)]
    by_position = [p.name for p in known if p.kind == Parameter.POSITIONAL_OR_KEYWORD]
    for option in options:
        if option not in named:
            takes = f"it takes {', '.join(named)}" if named else "it takes no options"
            return f"{name} has no option {option!r}: {_did_you_mean(option, named)}{takes}"
    given = args[1:]
    if len(given) > len(by_position):
        return f"{name} is built as {_call(name, known)}, got {len(given)} arguments by position"
    twice = [option for option in by_position[: len(given)] if option in options]
    if twice:
        return f"{name} is built as {_call(name, known)}, got {twice[0]} both by position and by name"
    missing = [
        p.name
        for p in known
        if p.default is Parameter.empty and p.name in named[len(given) :] and p.name not in options
    ]
    return f"{name} is built as {_call(name, known)}, got no {' and no '.join(missing)}"


def _did_you_mean(option: str, named: list[str]) -> str:
    meant = [name for name in _ELSEWHERE.get(option, ()) if name in named] or get_close_matches(option, named, 1)
    return f"did you mean {meant[0]}? " if meant else ""


def _call(name: str, known: list[Parameter]) -> str:
    """Write the call as it would be right: what is needed by name, and that there are options."""
    by_position = [
        p.name if p.default is Parameter.empty else f"{p.name}=..."
        for p in known
        if p.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.POSITIONAL_ONLY)
    ]
    options = any(p.kind == Parameter.KEYWORD_ONLY for p in known)
    return f"{name}({', '.join(by_position + (['*', '...'] if options else []))})"
