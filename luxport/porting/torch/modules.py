"""`to_torch` and `from_torch`: convert luxport models to PyTorch modules, and PyTorch modules to luxport models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import luxport
from luxport import tree
from luxport.backend import Backend, get_backend
from luxport.backend._move import to
from luxport.call_arguments import explain_call_errors
from luxport.core.initial_values import initial_parameters, initial_states
from luxport.core.layer import Layer, check_layer
from luxport.core.layer_base import Parameters, States
from luxport.porting.errors import NoCounterpartError
from luxport.porting.files.saving import check_fit
from luxport.porting.initial_trees import fill_trees
from luxport.porting.loading import place_values
from luxport.porting.torch import attention, norms, recurrent, reparameterized, transformer
from luxport.porting.torch.arguments import ARRAYLESS, build_layer
from luxport.porting.torch.arrays import Ported, collect_arrays, copy_to_host, find_class
from luxport.porting.torch.conventions import swap_bilinear_weight, swap_dense_weight
from luxport.porting.torch.embedding import port_embedding, port_embedding_bag
from luxport.porting.torch.graph import trace_network
from luxport.porting.torch.module_table import MODULES, split_layer_type
from luxport.random import Rng
from luxport.text import name_kind
from luxport.tree.static import Static

__all__ = ["from_torch", "to_torch"]


@explain_call_errors
def to_torch(model: Layer, ps: Parameters, st: States, *, device: str | None = None, dtype: str | None = None) -> Any:
    """Return a `torch.nn.Module` of a model, with copies of its parameters and states, which may be of any backend.

    Called with one input, or with several for a model that takes a tuple, the module returns the model's output and
    stores the new state. Its parameters are `torch.nn.Parameter`s, the arrays of its state are buffers, and all have
    the dotted names that `save` gives them: ``ps.layer_1.weight``, ``st.layer_2.running_mean``. ``train()`` and
    ``eval()`` set the mode of every layer; initially it is that of `st`. ``module.ps.tree()`` and
    ``module.st.tree()`` return parameters and states as layers take them.

    Gradients do not flow from one call to the next: states are detached when they are stored.

    Args:
        model: a layer
        ps: its parameters
        st: its states
        device: the PyTorch device of the copies; None for that of PyTorch arrays, for others the default device
        dtype: the floating dtype of the copies; their own if None

    Raises: TypeError if `model` is no layer; ValueError if PyTorch lacks a dtype or the device;
            BackendNotFoundError without PyTorch
    """
    check_layer("to_torch", model)
    get_backend("torch")
    check_fit("to_torch", model, ps, st)
    ps, st = to((ps, st), backend="torch", device=device, dtype=dtype)
    return import_module("luxport_torch.module").TorchModule(model, ps, st)


@explain_call_errors
def from_torch(
    module: Any,
    *,
    inputs: Any = None,
    rng: int | Rng = 0,
    backend: str | Backend | None = None,
    device: str | None = None,
    dtype: str | None = None,
) -> tuple[Layer, dict[str, Any], dict[str, Any]]:
    """Return the luxport model that computes the same as a PyTorch module: ``model, ps, st``, with copied arrays.

    Sequential becomes `Chain`, with the names of its layers if they have any. A module with its own `forward`, one
    that is used twice, and one that shares a parameter, become a graph of layers and functions, traced by `torch.fx`:
    the entries of the graph have the paths of the modules, with underscores in place of dots.

    If `forward` branches on values of its input, give example `inputs`: the graph has the branch that these take.
    Without them such a module is refused; assertions are dropped.

    Recurrent modules return (y, carry), where PyTorch's return (y, h) and the carry has luxport's form, and
    MultiheadAttention returns only its output; inside a graph both return what PyTorch's do. Each layer has the mode
    of its module, training or evaluation.

    Args:
        module: a `torch.nn.Module`
        inputs: an example tensor, or a tuple of them, that the module takes; None if it does not branch on values
        rng: a seed, or an `luxport.rng`, for values that PyTorch's modules do not have: the keys of dropout
        backend: the backend of the arrays; the default backend if None
        device: the device of the arrays; the backend's default device if None
        dtype: the floating dtype of the arrays; their own if None

    Raises: TypeError if `module` is no `torch.nn.Module`; ValueError with the path of a module that has no
            counterpart: it has an option that luxport does not have, has hooks, or calls an unknown function
    """
    if not any(kind.__module__ == "torch.nn.modules.module" for kind in type(module).__mro__):
        hint = ": call it" if isinstance(module, type) else _HINTS.get(type(module).__name__, "")
        raise TypeError(f"from_torch expects a torch.nn.Module, got {name_kind(module)}{hint}")
    given = inputs if inputs is None or isinstance(inputs, tuple) else (inputs,)
    layer, given_ps, given_st = _port(module, "", inputs=given)
    rng = Rng.of(rng)
    ps = fill_trees(initial_parameters(rng, layer), given_ps, "from_torch")
    return layer, *place_values(
        (ps, fill_trees(initial_states(rng, layer), given_st, "from_torch")), backend, device, dtype
    )


_HINTS = {
    **dict.fromkeys(
        ("OrderedDict", "dict"), ": build the module, module.load_state_dict(...), and pass luxport.from_torch(module)"
    ),
    **dict.fromkeys(("str", "PosixPath"), ": load it with PyTorch, and pass the module"),
}


def _port(module: Any, path: str, *, in_graph: bool = False, inputs: Any = None) -> Ported:
    try:
        if type(module).__module__ == "luxport_torch.module":
            return module.model, *tree.map(lambda leaf: copy_to_host(leaf), (module.ps.tree(), module.st.tree()))
        if type(module).__name__ == "OptimizedModule":  # made by torch.compile around the module itself
            return _port(module._orig_mod, path, in_graph=in_graph, inputs=inputs)
        if type(module).__name__.startswith("Lazy"):
            raise ValueError("it has no sizes yet: call it once")
        if not _is_leaf(module):
            plain = type(module).__name__ == "Sequential" and not in_graph and not _has_shared_parameters(module)
            if plain and not _has_hooks(module):
                return _port_sequential(module, path)
            return trace_network(module, _port, _is_leaf, inputs, path)
        changed = reparameterized.find_kind(module)
        if changed is not None:
            return reparameterized.port_reparameterized(module, changed, _port_plain)
        if _has_hooks(module):
            raise ValueError("it has hooks, which luxport's layers do not have")
        try:
            return _port_plain(module, in_graph)
        except ValueError:
            # An option that luxport's layer lacks may be supported by the function that `forward` calls.
            if module._parameters or module._buffers:
                raise
            return trace_network(module, _port, _is_leaf, None, path)
    except NoCounterpartError:
        raise
    except (ValueError, TypeError, RuntimeError, LookupError, AttributeError) as error:
        name, text = type(module).__name__, str(error).partition("\n")[0]
        raise NoCounterpartError(f"from_torch: {name} at {path or 'the top'} has no counterpart: {text}") from None


def _port_plain(module: Any, in_graph: bool) -> Ported:
    """Port a module of a class of `torch.nn`."""
    name = find_class(module).__name__
    kind = split_layer_type(name)[0]
    if kind in _MODULES_OF_GRAPHS:
        return _MODULES_OF_GRAPHS[kind](module, name, in_graph)
    if kind in _MODULES:
        return _MODULES[kind](module)
    return (ARRAYLESS[name](module) if name in ARRAYLESS else build_layer(module)), {}, {}


def _has_hooks(module: Any) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _has_shared_parameters(module: Any) -> bool:
    """Return whether a module has the same parameter in two places."""
    uses = [id(parameter) for _, parameter in module.named_parameters(remove_duplicate=False)]
    return len(set(uses)) != len(uses)


def _is_leaf(module: Any) -> bool:
    """Return whether a module is ported as one layer, without tracing what it calls."""
    if type(module).__module__ == "luxport_torch.module":
        return True
    try:
        name = find_class(module).__name__
    except ValueError:
        return False
    if reparameterized.must_be_traced(module):
        return False
    kind = split_layer_type(name)[0]
    return name in ARRAYLESS or kind in _MODULES_OF_GRAPHS or kind in _MODULES or kind in MODULES


def _port_sequential(module: Any, path: str) -> Ported:
    children = {name: _port(child, f"{path}.{name}" if path else name) for name, child in module._modules.items()}
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


def _port_linear(module: Any) -> Ported:
    ps = collect_arrays(module, weight="weight", bias="bias")
    return build_layer(module), ps | {"weight": swap_dense_weight(ps["weight"])}, {}


def _port_bilinear(module: Any) -> Ported:
    ps = collect_arrays(module, weight="weight", bias="bias")
    return build_layer(module), ps | {"weight": swap_bilinear_weight(ps["weight"])}, {}


def _port_conv(module: Any) -> Ported:
    return build_layer(module), collect_arrays(module, weight="weight", bias="bias"), {}


def _port_dropout(module: Any) -> Ported:
    layer = build_layer(module)
    return layer, {}, {} if isinstance(layer, luxport.NoOpLayer) else {"training": Static(bool(module.training))}


def _port_prelu(module: Any) -> Ported:
    weight = copy_to_host(module.weight)
    return luxport.PReLU(1 if weight.shape[0] == 1 else weight.shape[0]), {"weight": weight}, {}


_MODULES_OF_GRAPHS: Mapping[str, Callable[[Any, str, bool], Ported]] = {
    **dict.fromkeys(("GRU", "LSTM", "RNN"), recurrent.port_recurrent),
    **dict.fromkeys(("GRUCell", "LSTMCell", "RNNCell"), recurrent.port_cell),
    "MultiheadAttention": lambda module, name, in_graph: attention.port_attention(module, in_graph),
    **dict.fromkeys(
        ("TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder", "TransformerDecoder"),
        transformer.port_transformer,
    ),
    "Transformer": transformer.port_transformer,
}
"""Functions that port modules whose layer has other arguments or results inside a graph than alone."""

_MODULES: Mapping[str, Callable[[Any], Ported]] = {
    "AlphaDropout": _port_dropout,
    "BatchNorm": norms.port_tracking_norm,
    "Bilinear": _port_bilinear,
    "Conv": _port_conv,
    "ConvTranspose": _port_conv,
    "Dropout": _port_dropout,
    "Embedding": port_embedding,
    "EmbeddingBag": port_embedding_bag,
    "GroupNorm": norms.port_group_norm,
    "InstanceNorm": norms.port_tracking_norm,
    "LayerNorm": norms.port_layer_norm,
    "Linear": _port_linear,
    "PReLU": _port_prelu,
    "RMSNorm": norms.port_rms_norm,
    "SyncBatchNorm": norms.port_tracking_norm,
}
"""Functions that port modules with arrays or states, by their names without the number of axes."""
