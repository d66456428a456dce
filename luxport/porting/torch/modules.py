"""`to_torch` and `from_torch`: models as PyTorch's modules, and the other way round."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import luxport
from luxport.backend import Backend, get_backend
from luxport.backend._move import to
from luxport.call_arguments import says_what_it_takes
from luxport.core.anatomy import Parameters, States
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer
from luxport.porting.errors import NoCounterpartError
from luxport.porting.initial_trees import filled
from luxport.porting.loading import placed
from luxport.porting.torch.arguments import ARRAYLESS, built
from luxport.porting.torch.module_table import kind_and_axes
from luxport.random import Rng
from luxport.tree.static import Static

__all__ = ["from_torch", "to_torch"]


@says_what_it_takes
def to_torch(model: Layer, ps: Parameters, st: States, *, device: str | None = None, dtype: str | None = None) -> Any:
    """Return a `torch.nn.Module` of a model, with copies of its parameters and states, from whichever backend.

    Called with one input, or with several for a model that takes a tuple, it returns the model's output and keeps
    the new state. Its parameters are `torch.nn.Parameter`s, the arrays of its state are buffers, and all have the
    dotted names that `save` gives them: ``ps.layer_1.weight``, ``st.layer_2.running_mean``. ``train()`` and
    ``eval()`` set the mode of every layer; at first it is that of `st`. ``module.ps.tree()`` and
    ``module.st.tree()`` are parameters and states as layers take them.

    Gradients do not flow from one call to the next: states are detached when they are kept.

    Raises: TypeError if this is no layer; ValueError if PyTorch cannot hold a dtype or has no such device;
            BackendNotFoundError without PyTorch
    """
    if not isinstance(model, Layer):
        raise TypeError(f"to_torch expects a layer, got {type(model).__name__}")
    get_backend("torch")
    ps, st = to((ps, st), backend="torch", device=device, dtype=dtype)
    return import_module("luxport_torch.module").TorchModule(model, ps, st)


@says_what_it_takes
def from_torch(
    module: Any,
    *,
    rng: int | Rng = 0,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Return the layer that means what a module of PyTorch's own means: ``model, ps, st``, with copies of its arrays.

    Sequential becomes `Chain`, with the layers' names if they have any. Recurrent modules return (y, carry) as
    PyTorch's return (y, h), the carry as luxport's layers have it; MultiheadAttention returns the output alone. Each
    layer is in training or not as its module is; `rng` draws what only luxport has, the keys of dropout. Arrays go
    to the default backend or the one named, floating ones in `dtype`.

    Raises: TypeError if this is no `torch.nn.Module`; ValueError, with its path, for a module that has no
            counterpart: another class, an option that luxport has not, hooks, parameters that are shared
    """
    if not any(kind.__module__ == "torch.nn.modules.module" for kind in type(module).__mro__):
        raise TypeError(f"from_torch expects a torch.nn.Module, got {type(module).__name__}")
    uses = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    once = [name for name, _ in module.named_parameters()]
    if uses != once:
        shared = next(name for name in uses if name not in once)
        raise ValueError(f"from_torch: the parameter at {shared} is used elsewhere, too, which has no counterpart")
    layer, given_ps, given_st = _ported(module, "")
    rng = Rng.of(rng)
    ps = filled(initial_parameters(rng, layer), given_ps, "from_torch")
    return layer, *placed((ps, filled(initial_states(rng, layer), given_st, "from_torch")), backend, device, dtype)


Ported = tuple[Layer, dict[str, Any], dict[str, Any]]
"""A layer, its parameters, and those of its states that the module has."""


def _ported(module: Any, path: str) -> Ported:
    name = type(module).__name__
    try:
        if not type(module).__module__.startswith("torch.nn.modules."):
            raise ValueError("is no class of torch.nn")
        if module._forward_hooks or module._forward_pre_hooks:
            raise ValueError("has hooks")
        if name == "Sequential":
            return _sequential(module, path)
        port = _MODULES.get(kind_and_axes(name)[0])
        if port is not None:
            return port(module)
        return (ARRAYLESS[name](module) if name in ARRAYLESS else built(module)), {}, {}
    except NoCounterpartError:
        raise
    except (ValueError, TypeError) as error:
        raise NoCounterpartError(f"from_torch: {name} at {path or 'the top'} has no counterpart: {error}") from None


def _sequential(module: Any, path: str) -> Ported:
    children = {name: _ported(child, f"{path}.{name}" if path else name) for name, child in module._modules.items()}
    if list(children) == [str(i) for i in range(len(children))]:
        children = {f"layer_{int(name) + 1}": child for name, child in children.items()}
    if not children:
        return luxport.NoOpLayer(), {}, {}
    chain = luxport.Chain({name: layer for name, (layer, _, _) in children.items()})
    return (
        chain,
        {name: ps for name, (_, ps, _) in children.items()},
        {name: st for name, (_, _, st) in children.items()},
    )


def _host(tensor: Any) -> Any:
    return get_backend("torch").to_numpy(tensor)


def _arrays(module: Any, **names: str) -> dict[str, Any]:
    """Return the module's arrays that are there, by our names."""
    found = {ours: getattr(module, theirs) for ours, theirs in names.items()}
    return {ours: _host(tensor) for ours, tensor in found.items() if tensor is not None}


def _linear(module: Any) -> Ported:
    ps = _arrays(module, weight="weight", bias="bias")
    return built(module), ps | {"weight": ps["weight"].T}, {}


def _bilinear(module: Any) -> Ported:
    ps = _arrays(module, weight="weight", bias="bias")
    return built(module), ps | {"weight": ps["weight"].transpose(2, 1, 0)}, {}


def _conv(module: Any) -> Ported:
    return built(module), _arrays(module, weight="weight", bias="bias"), {}


def _norm(module: Any) -> Ported:
    st = {"training": Static(bool(module.training))}
    return (
        built(module),
        _norm_arrays(module),
        st | _arrays(module, running_mean="running_mean", running_var="running_var"),
    )


def _norm_arrays(module: Any) -> dict[str, Any]:
    return _arrays(module, scale="weight", bias="bias")


def _layer_norm(module: Any) -> Ported:
    if module.weight is not None and module.bias is None:
        layer = luxport.LayerNorm(tuple(module.normalized_shape), use_bias=False, epsilon=module.eps)
        return layer, _arrays(module, scale="weight"), {}
    return built(module), _norm_arrays(module), {}


def _group_norm(module: Any) -> Ported:
    if module.affine and module.bias is None:
        raise ValueError("bias=False")
    layer = luxport.GroupNorm(module.num_channels, module.num_groups, affine=module.affine, epsilon=module.eps)
    return layer, _norm_arrays(module), {}


def _rms_norm(module: Any) -> Ported:
    if module.eps is None:
        raise ValueError("eps=None, which depends on the input's dtype: give a number")
    layer = luxport.RMSNorm(tuple(module.normalized_shape), affine=module.elementwise_affine, epsilon=module.eps)
    return layer, _arrays(module, scale="weight"), {}


def _embedding(module: Any) -> Ported:
    if module.max_norm is not None or module.scale_grad_by_freq:
        raise ValueError("max_norm or scale_grad_by_freq")
    weight, padding = _host(module.weight), module.padding_idx
    if padding is not None and weight[padding].any():
        raise ValueError(f"row {padding} is padding and should be 0 here, and has other numbers")
    return luxport.Embedding(*weight.shape, padding_idx=padding), {"weight": weight}, {}


def _embedding_bag(module: Any) -> Ported:
    left_out = ("max_norm", "padding_idx", "scale_grad_by_freq", "include_last_offset")
    given = [name for name in left_out if getattr(module, name) not in (None, False)]
    if given:
        raise ValueError(" and ".join(given))
    weight = _host(module.weight)
    count, size = weight.shape
    return luxport.EmbeddingBag(count, size, module.mode), {"weight": weight}, {}


def _dropout(module: Any) -> Ported:
    layer = built(module)
    return layer, {}, {} if isinstance(layer, luxport.NoOpLayer) else {"training": Static(bool(module.training))}


def _recurrent(module: Any) -> Ported:
    if module.proj_size:
        raise ValueError("proj_size")
    options: dict[str, Any] = {
        "num_layers": module.num_layers,
        "bidirectional": module.bidirectional,
        "dropout": float(module.dropout),
        "return_state": True,
        "time_major": not module.batch_first,
        "use_bias": module.bias,
        "use_recurrent_bias": module.bias,
    }
    sizes = module.input_size, module.hidden_size
    match type(module).__name__:
        case "RNN":
            layer: Layer = luxport.RNN(
                *sizes, luxport.relu if module.nonlinearity == "relu" else luxport.tanh, **options
            )
        case "LSTM":
            layer = luxport.LSTM(*sizes, **options)
        case _:
            layer = luxport.GRU(*sizes, **options)
    levels = [_level(module, level) for level in range(module.num_layers)]
    if len(levels) == 1:
        return layer, levels[0], {}
    training = {"training": Static(bool(module.training))} if module.dropout else {}
    names = range(1, len(levels))
    return (
        layer,
        {f"layer_{i}": ps for i, ps in enumerate(levels, start=1)},
        {f"dropout_{i}": training for i in names} if training else {},
    )


def _level(module: Any, level: int) -> dict[str, Any]:
    if not module.bidirectional:
        return _direction(module, f"l{level}")
    forward, backward = _direction(module, f"l{level}"), _direction(module, f"l{level}_reverse")
    return {"forward_rnn": forward, "backward_rnn": {"rnn": backward}}


def _direction(module: Any, suffix: str) -> dict[str, Any]:
    weights = {name: _host(getattr(module, f"{name}_{suffix}")).T for name in ("weight_ih", "weight_hh")}
    biases = ("bias_ih", "bias_hh") if module.bias else ()
    return weights | {name: _host(getattr(module, f"{name}_{suffix}")) for name in biases}


def _attention(module: Any) -> Ported:
    if not module.batch_first or module.bias_k is not None or module.add_zero_attn:
        raise ValueError("batch_first=False, add_bias_kv or add_zero_attn")
    size, bias = module.embed_dim, module.in_proj_bias is not None
    layer = luxport.MultiHeadAttention(
        (size, module.kdim, module.vdim),
        size,
        size,
        nheads=module.num_heads,
        attention_dropout_probability=float(module.dropout),
        return_scores=False,
        use_bias=bias,
    )
    if module.in_proj_weight is not None:
        weights = [_host(module.in_proj_weight)[i * size : (i + 1) * size] for i in range(3)]
    else:
        weights = [_host(getattr(module, f"{part}_proj_weight")) for part in "qkv"]
    ps: dict[str, Any] = {f"{part}_proj": {"weight": w.T} for part, w in zip("qkv", weights, strict=True)}
    ps["out_proj"] = {"weight": _host(module.out_proj.weight).T}
    if bias:
        for i, part in enumerate("qkv"):
            ps[f"{part}_proj"]["bias"] = _host(module.in_proj_bias)[i * size : (i + 1) * size]
        ps["out_proj"]["bias"] = _host(module.out_proj.bias)
    training = {"attention_dropout": {"training": Static(bool(module.training))}} if module.dropout else {}
    return layer, ps, training


_MODULES: Mapping[str, Callable[[Any], Ported]] = {
    "AlphaDropout": _dropout,
    "BatchNorm": _norm,
    "Bilinear": _bilinear,
    "Conv": _conv,
    "ConvTranspose": _conv,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "EmbeddingBag": _embedding_bag,
    "GRU": _recurrent,
    "GroupNorm": _group_norm,
    "InstanceNorm": _norm,
    "LSTM": _recurrent,
    "LayerNorm": _layer_norm,
    "Linear": _linear,
    "MultiheadAttention": _attention,
    "RMSNorm": _rms_norm,
    "RNN": _recurrent,
}
"""Modules with arrays or states, by their names without the number of axes."""
