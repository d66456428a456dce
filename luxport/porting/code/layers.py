"""The layers' constructors: what stands where in Flux's and Lux's, and luxport's for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from luxport.porting.code.parse import Arguments, Unported, arguments, last_name, text
from luxport.porting.code.writing import Code, call, group, named

if TYPE_CHECKING:
    from tree_sitter import Node

    from luxport.porting.code.expressions import Translator

__all__ = ["INITIALIZERS", "LAYERS"]

Builder = Callable[["Translator", Arguments], Code]

INITIALIZERS = {
    **{name: name for name in ("glorot_normal", "glorot_uniform", "kaiming_normal", "kaiming_uniform")},
    **{name: name for name in ("orthogonal", "truncated_normal", "identity_init", "ones", "zeros")},
    "ones32": "ones",
    "zeros32": "zeros",
    "randn32": "normal",
    "rand32": "uniform",
    "randn": "normal",
    "rand": "uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}
"""Initialisers by their names in Julia."""

_BIAS, _INIT = ("bias", "use_bias"), ("init", "init_weight", "initW")
_EPSILON = ("ϵ", "eps", "epsilon")


def _is_pair(node: Node) -> bool:
    return node.type == "binary_expression" and text(node.named_children[1]) == "=>"


def _pair(t: Translator, node: Node) -> list[Code]:
    first, _, second = node.named_children
    return [t.code(first), *(_pair(t, second) if _is_pair(second) else [t.code(second)])]


def _in_out(t: Translator, positional: list[Node]) -> tuple[list[Code], list[Node]]:
    """Return in and out, written ``in => out`` or ``in, out``, and the arguments that follow."""
    if positional and _is_pair(positional[0]):
        sizes, rest = _pair(t, positional[0]), positional[1:]
    else:
        sizes, rest = [t.code(node) for node in positional[:2]], positional[2:]
    if len(sizes) != 2 or any(size.kind in ("array", "layer", "function", "flag") for size in sizes):
        raise Unported("the sizes are expected as in => out")
    return sizes, rest


def _activation(t: Translator, rest: list[Node]) -> list[Code]:
    if len(rest) > 1:
        raise Unported("more arguments than sizes and an activation")
    return [t.activation(node) for node in rest if last_name(node) != "identity"]


def _options(t: Translator, given: Arguments, **known: Any) -> dict[str, Code]:
    """Return keywords by our names. `known` gives Julia's for each, or how it is read besides."""
    options: dict[str, Code] = {}
    theirs: dict[str, tuple[str, Callable[[Node], Code]]] = {}
    readers = {"use_bias": t.flag, "init_weight": lambda n: initializer(t, n), "init_bias": lambda n: initializer(t, n)}
    for ours, entry in known.items():
        names, reader = (
            entry if isinstance(entry, tuple) and callable(entry[-1]) else (entry, readers.get(ours, t.code))
        )
        for name in names if isinstance(names, tuple) else (names,):
            theirs[str(name)] = ours, reader
    given.only(*theirs, "name")
    for name, node in given.named.items():
        if name in theirs:
            ours, reader = theirs[name]
            options[ours] = reader(node)
    return options


def initializer(t: Translator, node: Node) -> Code:
    """Return an initialiser: by its name, or called with options alone."""
    if node.type == "call_expression":
        name, given = last_name(node.named_children[0]), arguments(node)
        known = {"gain", "mean", "std"}
        if name in INITIALIZERS and not given.positional and set(given.named) <= known and not given.splats:
            options = {key: t.code(value) for key, value in given.named.items()}
            return call(f"luxport.{INITIALIZERS[name]}", [], options, "function") if options else t.initial(name)
    name = last_name(node)
    if name not in INITIALIZERS or name in t.kinds:
        raise Unported("no initialiser that is known here")
    return t.initial(name)


def _dense(t: Translator, given: Arguments) -> Code:
    sizes, rest = _in_out(t, given.positional)
    options = _options(t, given, use_bias=_BIAS, init_weight=_INIT, init_bias=("init_bias", "initb"))
    return call("luxport.Dense", [*sizes, *_activation(t, rest)], options)


def _windows(t: Translator, rank: int | None) -> dict[str, Any]:
    return {
        "stride": ("stride", t.spatial),
        "padding": ("pad", lambda node: _padding(t, node, rank)),
        "dilation": ("dilation", t.spatial),
    }


def _padding(t: Translator, node: Node, rank: int | None) -> Code:
    if node.type == "call_expression" and last_name(node.named_children[0]) == "SamePad":
        return call("luxport.SamePad", [])
    if node.type != "tuple_expression":
        if t.code(node).kind != "number":
            raise Unported("padding that may be numbers or pairs: write it in place")
        return t.code(node)
    entries = [t.code(entry) for entry in node.named_children]
    if rank is None and len(entries) > 1:
        raise Unported("padding of a window with an unknown number of axes")
    if len(entries) == 2 * (rank or 1) and len(entries) > 1:
        pairs = [group("(", entries[i : i + 2], ")", "sizes") for i in range(0, len(entries), 2)]
        return group("(", pairs[::-1], ")", "sizes")
    return group("(", entries[::-1], ")", "sizes")


def _rank(node: Node) -> int | None:
    return len(node.named_children) if node.type == "tuple_expression" else None


def _conv(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        if len(given.positional) < 2 or not _is_pair(given.positional[1]):
            raise Unported("a kernel and in => out are expected")
        kernel = given.positional[0]
        sizes, rest = _in_out(t, given.positional[1:])
        known = _windows(t, _rank(kernel)) | {"use_bias": _BIAS, "init_weight": _INIT, "init_bias": "init_bias"}
        if name == "ConvTranspose":
            known["output_padding"] = ("outpad", t.spatial)
        if name != "DepthwiseConv":
            known["groups"] = "groups"
        if name in ("Conv", "ConvTranspose"):
            known["cross_correlation"] = ("cross_correlation", t.flag)
        options = _options(t, given, **known)
        return call(f"luxport.{name}", [t.spatial(kernel), *sizes, *_activation(t, rest)], options)

    return build


def _pool(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        (window,) = _exactly(given, 1)
        return call(f"luxport.{name}", [t.spatial(window)], _options(t, given, **_windows(t, _rank(window))))

    return build


def _exactly(given: Arguments, *counts: int) -> list[Node]:
    if len(given.positional) not in counts:
        raise Unported(f"{' or '.join(map(str, counts))} arguments expected, got {len(given.positional)}")
    return given.positional


def _adaptive(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        given.only("name")
        return call(f"luxport.{name}", [t.spatial(_exactly(given, 1)[0])])

    return build


def _plain(name: str, *counts: int, **known: Any) -> Builder:
    """A layer whose arguments are numbers, the same ones in the same order."""

    def build(t: Translator, given: Arguments) -> Code:
        return call(f"luxport.{name}", [t.code(node) for node in _exactly(given, *counts)], _options(t, given, **known))

    return build


def _norm(name: str, numbers: int) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        if len(given.positional) < numbers:
            raise Unported(f"{numbers} sizes expected")
        known: dict[str, Any] = {"affine": ("affine", t.flag), "epsilon": _EPSILON}
        if name in ("BatchNorm", "InstanceNorm"):
            known |= {"track_stats": ("track_stats", t.flag), "momentum": "momentum"}
        known |= {"init_bias": (("init_bias", "initβ"), lambda n: initializer(t, n))}
        known |= {"init_scale": (("init_scale", "initγ"), lambda n: initializer(t, n))}
        sizes = [t.code(node) for node in given.positional[:numbers]]
        return call(
            f"luxport.{name}", [*sizes, *_activation(t, given.positional[numbers:])], _options(t, given, **known)
        )

    return build


def _sizes_then_activation(t: Translator, positional: list[Node]) -> tuple[Code, list[Node]]:
    """Return sizes, written one by one or as a tuple, in our order, and the arguments that follow."""
    if not positional:
        raise Unported("sizes expected")
    if positional[0].type == "tuple_expression":
        return t.spatial(positional[0]), positional[1:]
    sizes = [node for node in positional if t.code(node).kind in ("number", "unknown") and not t.is_function(node)]
    if positional[: len(sizes)] != sizes or not sizes:
        raise Unported("sizes and an activation expected")
    if len(sizes) == 1:
        return t.spatial(sizes[0]), positional[1:]
    return group("(", [t.code(node) for node in reversed(sizes)], ")", "sizes"), positional[len(sizes) :]


def _layer_norm(t: Translator, given: Arguments) -> Code:
    shape, rest = _sizes_then_activation(t, given.positional)
    options = _options(t, given, affine=("affine", t.flag), epsilon=_EPSILON)
    return call("luxport.LayerNorm", [shape, *_activation(t, rest)], options)


def _scale(t: Translator, given: Arguments) -> Code:
    shape, rest = _sizes_then_activation(t, given.positional)
    options = _options(t, given, use_bias=_BIAS, init_weight=_INIT)
    return call("luxport.Scale", [shape, *_activation(t, rest)], options)


def _bilinear(t: Translator, given: Arguments) -> Code:
    options = _options(t, given, use_bias=_BIAS, init_weight=_INIT)
    if given.positional and _is_pair(given.positional[0]):
        first = given.positional[0].named_children[0]
        sizes, rest = _pair(t, given.positional[0]), given.positional[1:]
        if first.type != "tuple_expression" and sizes[0].kind != "number":
            raise Unported("in => out with the sizes in place expected")
    else:
        if len(given.positional) < 3:
            raise Unported("(in1, in2) => out expected")
        numbers = [t.code(node) for node in given.positional[:3]]
        sizes, rest = [group("(", numbers[:2], ")", "sizes"), numbers[2]], given.positional[3:]
    return call("luxport.Bilinear", [*sizes, *_activation(t, rest)], options)


def _dropout(name: str) -> Builder:
    def axes(t: Translator, node: Node) -> Code:
        entries = node.named_children if node.type == "tuple_expression" else [node]
        if not all(entry.type == "integer_literal" for entry in entries):
            raise Unported("dims in place expected")
        return group("(", [Code(f"-{text(entry)}") for entry in reversed(entries)], ")", "sizes")

    def build(t: Translator, given: Arguments) -> Code:
        dims = given.named.get("dims")
        if dims is not None and text(dims) == ":":  # every entry by itself, which is what there is without dims
            del given.named["dims"]
        known = {"axes": ("dims", lambda node: axes(t, node))} if name != "AlphaDropout" else {}
        return call(f"luxport.{name}", [t.code(node) for node in _exactly(given, 1)], _options(t, given, **known))

    return build


def _embedding(t: Translator, given: Arguments) -> Code:
    sizes, rest = _in_out(t, given.positional)
    if rest:
        raise Unported("more arguments than the sizes")
    return call("luxport.Embedding", sizes, _options(t, given, init_weight=_INIT))


def _upsample(t: Translator, given: Arguments) -> Code:
    positional, options = [], _options(t, given, scale=("scale", t.spatial), size=("size", t.spatial))
    for node in given.positional:
        if node.type == "quote_expression":
            mode = text(node)[1:]
            if mode not in ("nearest", "bilinear", "trilinear", "linear"):
                raise Unported(f"no mode {mode}")
            options["mode"] = Code(repr(mode))
        else:
            positional.append(t.spatial(node))
    return call("luxport.Upsample", positional, options)


def _cell(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        if t.dialect is None:
            raise Unported(
                "Flux's cells have one bias and Lux's two: say which it is, with `using Flux` or `using Lux`"
            )
        sizes, rest = _in_out(t, given.positional)
        if name != "RNNCell" and rest:
            raise Unported("more arguments than the sizes")
        known: dict[str, Any] = {"use_bias": _BIAS}
        if t.dialect == "lux":
            known["train_state"] = ("train_state", t.flag)
            if name == "LSTMCell":
                known["train_memory"] = ("train_memory", t.flag)
        options = _options(t, given, **known)
        if t.dialect == "flux" and name != "GRUv3Cell":
            options["use_recurrent_bias"] = Code("False", "flag")
        activation = [t.activation(node) for node in rest if last_name(node) != "tanh"]
        return call(f"luxport.{name}", [*sizes, *activation], options)

    return build


def _recurrent(name: str) -> Builder:
    """Flux's layers: until 0.14 one step a call, with a memory; since 0.15 all steps of a sequence."""

    def build(t: Translator, given: Arguments) -> Code:
        if t.dialect != "flux":
            raise Unported(f"{name} is a layer of Flux alone: begin the file with `using Flux`")
        cell = _cell(f"{name}Cell")(t, given)
        if t.steps is None and _is_pair(given.positional[0]):
            raise Unported(
                f"{name} takes one step a call until Flux 0.14 and a whole sequence since 0.15: "
                "give the version with --flux"
            )
        if t.steps is False:
            return call("luxport.Recurrence", [cell], {"return_sequence": Code("True", "flag")})
        return call("luxport.StatefulRecurrentCell", [cell])

    return build


def _over_cell(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        cells = [t.code(node) for node in _exactly(given, 1)]
        if name == "Recurrence" and t.dialect is None:
            raise Unported("Flux's Recurrence returns all outputs and Lux's the last: say which, with `using`")
        if name == "Recurrence" and t.dialect == "flux":
            given.only("name")
            return call("luxport.Recurrence", cells, {"return_sequence": Code("True", "flag")})
        known = {"return_sequence": ("return_sequence", t.flag)} if name == "Recurrence" else {}
        return call(f"luxport.{name}", cells, _options(t, given, **known))

    return build


def _layers(t: Translator, given: Arguments, start: int = 0) -> list[Code]:
    """Return layers, by position or by name; a name that is a string is the container's own."""
    found = [t.layer(node) for node in given.positional[start:]]
    if given.splats or given.block is not None:
        raise Unported("layers in a splat of names, or a do block")
    return [*found, *(named(_checked(name), t.layer(node)) for name, node in given.named.items())]


def _checked(name: str) -> str:
    if not name.isascii() or not name.isidentifier():
        raise Unported(f"a layer named {name}")
    return name


def _container(t: Translator, given: Arguments) -> Code:
    return group("luxport.Chain(", _layers(t, given), ")", "layer")


def _joined(name: str) -> Builder:
    def build(t: Translator, given: Arguments) -> Code:
        if not given.positional:
            raise Unported("what joins the outputs is expected first")
        layers = _layers(t, given, 1)
        two = len(layers) == 2 and not any(layer.text.startswith("*") for layer in layers) or name != "Parallel"
        return group(f"luxport.{name}(", [t.connection(given.positional[0], two), *layers], ")", "layer")

    return build


def _branch(t: Translator, given: Arguments) -> Code:
    return group("luxport.BranchLayer(", _layers(t, given), ")", "layer")


def _skip(t: Translator, given: Arguments) -> Code:
    inner, connection = _exactly(given, 2)
    given.only("name")
    return call("luxport.SkipConnection", [t.layer(inner), t.connection(connection, True)])


def _maxout(t: Translator, given: Arguments) -> Code:
    if given.block is not None or (given.positional and given.positional[0].type == "arrow_function_expression"):
        count = given.positional[-1]
        body = given.block if given.block is not None else given.positional[0]
        inner = [n for n in body.named_children if n.type != "argument_list"]
        if len(inner) != 1 or (given.block is None and len(given.positional) != 2):
            raise Unported("a function that makes one layer, and a number, expected")
        made = t.layer(inner[0])
        return Code(f"luxport.Maxout(*[{made.text} for _ in range({t.code(count).text})])", "layer")
    return group("luxport.Maxout(", _layers(t, given), ")", "layer")


def _wrapped(t: Translator, given: Arguments) -> Code:
    given.only()
    return call("luxport.WrappedFunction", [t.layer(_exactly(given, 1)[0])])


def _reshape(t: Translator, given: Arguments) -> Code:
    given.only("name")
    return call("luxport.ReshapeLayer", [t.spatial(_exactly(given, 1)[0])])


def _attention(t: Translator, given: Arguments) -> Code:
    if t.dialect is None:
        raise Unported("Flux's attention has 8 heads by itself and Lux's one: say which it is, with `using`")
    (dims,) = _exactly(given, 1)
    known = {
        "nheads": "nheads",
        "attention_dropout_probability": ("dropout_prob", "attention_dropout_probability"),
        "use_bias": _BIAS,
        "is_causal": ("is_causal", t.flag),
    }
    options = _options(t, given, **known)
    if t.dialect == "flux":
        options.setdefault("nheads", Code("8", "number"))
    sizes = _pair(t, dims) if _is_pair(dims) else [t.code(dims)]
    if len(sizes) == 2:
        raise Unported("in => qkv => out, or one size, expected")
    return call("luxport.MultiHeadAttention", sizes, options)


_SAME = {name: name for name in ("GlobalMaxPool", "GlobalMeanPool", "GlobalLPPool", "NoOpLayer")}

LAYERS: Mapping[str, Builder] = {
    **{name: _plain(ours, 0) for name, ours in _SAME.items()},
    **{name: _conv(name) for name in ("Conv", "ConvTranspose", "CrossCor", "DepthwiseConv")},
    **{name: _pool(name) for name in ("MaxPool", "MeanPool")},
    **{name: _adaptive(name) for name in ("AdaptiveMaxPool", "AdaptiveMeanPool")},
    **{name: _cell(name) for name in ("RNNCell", "LSTMCell", "GRUCell", "GRUv3Cell")},
    **{name: _recurrent(name) for name in ("RNN", "LSTM", "GRU", "GRUv3")},
    **{name: _joined(name) for name in ("Parallel", "PairwiseFusion")},
    **{name: _dropout(name) for name in ("Dropout", "AlphaDropout", "VariationalHiddenDropout")},
    "BatchNorm": _norm("BatchNorm", 1),
    "Bilinear": _bilinear,
    "BranchLayer": _branch,
    "Chain": _container,
    "Dense": _dense,
    "Embedding": _embedding,
    "FlattenLayer": _plain("FlattenLayer", 0, N="N"),
    "GroupNorm": _norm("GroupNorm", 2),
    "InstanceNorm": _norm("InstanceNorm", 1),
    "LayerNorm": _layer_norm,
    "Maxout": _maxout,
    "MultiHeadAttention": _attention,
    "PixelShuffle": _plain("PixelShuffle", 1),
    "Recur": _over_cell("StatefulRecurrentCell"),
    "Recurrence": _over_cell("Recurrence"),
    "ReshapeLayer": _reshape,
    "Scale": _scale,
    "SkipConnection": _skip,
    "StatefulRecurrentCell": _over_cell("StatefulRecurrentCell"),
    "Upsample": _upsample,
    "WrappedFunction": _wrapped,
}
"""What builds each layer, by its name in Julia."""
