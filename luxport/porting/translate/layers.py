"""Translate the constructors of Flux's and Lux's layers into luxport's: `LAYERS` has a builder for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from luxport.porting.translate.containers import CONTAINERS
from luxport.porting.translate.options import (
    BIAS,
    EPSILON,
    INIT,
    expect_positional,
    is_pair,
    read_activations,
    read_axis,
    read_in_out,
    read_options,
    read_pair,
    write_pairs,
)
from luxport.porting.translate.parse import Arguments, Unported, list_parts, read_last_name, read_text
from luxport.porting.translate.recurrent import RECURRENT
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.wrappers import WRAPPERS
from luxport.porting.translate.writing import Code, call, group, write_operand, write_remark

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["LAYERS"]


def _build_dense(here: Scope, given: Arguments) -> Code:
    sizes, rest = read_in_out(here, given.positional)
    options = read_options(here, given, use_bias=BIAS, init_weight=INIT, init_bias=("init_bias", "initb"))
    return call("luxport.Dense", [*sizes, *read_activations(here, rest)], options)


def _read_windows(here: Scope, node: Node) -> dict[str, Any]:
    """Return how `read_options` reads stride, padding and dilation of a layer with this window."""
    rank, window = len(node.named_children) if node.type == "tuple_expression" else None, here.write(node)
    return {
        "stride": "stride",
        "padding": ("pad", lambda node: _write_padding(here, node, rank, window)),
        "dilation": "dilation",
    }


def _write_padding(here: Scope, node: Node, rank: int | None, window: Code) -> Code:
    if node.type == "call_expression" and read_last_name(node.named_children[0]) == "SamePad":
        return call("luxport.SamePad", [])
    if node.type != "tuple_expression":
        code = here.write(node)
        if code.kind in ("number", "padding"):
            return code
        if code.kind not in ("unknown", "sizes") or not window.text or code.text.startswith("not_ported("):
            raise Unported("padding that may be numbers or pairs: write it as a literal")
        return here.call_helper("reverse_padding", [code, window])
    entries = [here.write(entry) for entry in node.named_children]
    if rank is None and len(entries) > 1:  # one number for each axis, or two
        return here.call_helper("reverse_padding", [group("(", entries, ")", "sizes"), window])
    if len(entries) == 2 * (rank or 1) and len(entries) > 1:
        return write_pairs(entries)
    return group("(", entries[::-1], ")", "sizes")


def _make_conv(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        if len(given.positional) < 2:
            raise Unported("a kernel and in => out are expected")
        kernel, channels = given.positional[:2]
        kind = here.kinds.get(read_text(channels))
        in_place = kernel.type == "tuple_expression"  # then it is not a weight, and the next argument not a bias
        if not (is_pair(channels) or kind == "pair" or (kind == "unknown" and in_place)):
            raise Unported("a kernel and in => out are expected")
        sizes, rest = read_in_out(here, given.positional[1:], after_kernel=in_place)
        known = _read_windows(here, kernel) | {"use_bias": BIAS, "init_weight": INIT}
        if name == "ConvTranspose":
            known["output_padding"] = "outpad"
        same = ("init_bias", *(["groups"] if name != "DepthwiseConv" else []))
        same += ("cross_correlation",) if name in ("Conv", "ConvTranspose") else ()
        options = read_options(here, given, *same, window=here.write(kernel), **known)
        return call(f"luxport.{name}", [here.write_sizes(kernel), *sizes, *read_activations(here, rest)], options)

    return build


def _make_pool_builder(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        (window,) = expect_positional(given, 1)
        options = read_options(here, given, *(["p"] if name == "LPPool" else []), **_read_windows(here, window))
        return call(f"luxport.{name}", [here.write_sizes(window)], options)

    return build


def _make_adaptive(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        options = read_options(here, given, *(["p"] if name == "AdaptiveLPPool" else []))
        return call(f"luxport.{name}", [here.write_sizes(expect_positional(given, 1)[0])], options)

    return build


def _make_plain(name: str, count: int, *options: str) -> Builder:
    """Return a builder for a layer with the same positional numbers and the same options in both languages."""

    def build(here: Scope, given: Arguments) -> Code:
        numbers = [here.write(node) for node in expect_positional(given, count)]
        return call(f"luxport.{name}", numbers, read_options(here, given, *options))

    return build


def _make_norm(name: str, numbers: int) -> Builder:
    """Return a builder for a norm with this many sizes; LayerNorm and RMSNorm have builders of their own."""

    def build(here: Scope, given: Arguments) -> Code:
        if len(given.positional) < numbers:
            raise Unported(f"{numbers} sizes expected")
        same = ("affine", *(["track_stats", "momentum"] if name in ("BatchNorm", "InstanceNorm") else []))
        known = {"epsilon": EPSILON, "init_bias": ("init_bias", "initβ"), "init_scale": ("init_scale", "initγ")}
        sizes = [here.write(node) for node in given.positional[:numbers]]
        rest = read_activations(here, given.positional[numbers:])
        return call(f"luxport.{name}", [*sizes, *rest], read_options(here, given, *same, **known))

    return build


def _read_sizes_then_activation(here: Scope, positional: list[Node]) -> tuple[Code, list[Node]]:
    """Translate sizes, one by one or as a tuple, into our order, and return them with the remaining arguments."""
    if not positional:
        raise Unported("sizes expected")
    if positional[0].type == "tuple_expression":
        return here.write_sizes(positional[0]), positional[1:]
    sizes = [
        node for node in positional if here.write(node).kind in ("number", "unknown") and not here.is_function(node)
    ]
    if positional[: len(sizes)] != sizes or not sizes:
        raise Unported("sizes and an activation expected")
    if len(sizes) == 1:
        return here.write_sizes(sizes[0]), positional[1:]
    if here.write(sizes[-1]).kind == "unknown" and sizes[-1].type != "index_expression":
        raise Unported("a last argument that may be a size or an activation")
    return group("(", [here.write(node) for node in reversed(sizes)], ")", "sizes"), positional[len(sizes) :]


def _build_layer_norm(here: Scope, given: Arguments) -> Code:
    shape, rest = _read_sizes_then_activation(here, given.positional)
    flux = here.source.dialect == "flux" or (here.source.names_no_package and "dims" not in given.named)
    if not flux:
        _check_dims(here, given, shape)
    elif here.source.names_no_package:
        here.add_line(
            write_remark("LayerNorm is taken for Flux's: the file names neither Flux nor Lux, which has another.")
        )
    options = read_options(here, given, "affine", epsilon=EPSILON)
    kind = "luxport.LayerNorm"
    if flux and here.source.flux is not None and here.source.flux < (0, 15):
        kind = "luxport.porting.flux.OldLayerNorm"
        options |= _read_formula(here.source.flux)
    elif flux:  # Flux adds the square of epsilon, by default 1e-5, to the variance
        if "epsilon" in options:
            options["epsilon"] = Code(f"{write_operand(options['epsilon'])} ** 2", "number", True)
        elif "**" in options:
            options["**"] = here.call_helper("square_epsilon", [options["**"]])
        else:
            options["epsilon"] = Code("1e-10", "number")
    return call(kind, [shape, *read_activations(here, rest)], options)


def _read_formula(flux: tuple[int, int]) -> dict[str, Code]:
    """Return the options of `OldLayerNorm` for the formula of a version: see luxport/porting/flux/norms.py."""
    if flux == (0, 7):
        raise Unported("a LayerNorm that divides by n - 1 until Flux 0.7.2 and by n later: say 0.6 or 0.8")
    epsilon = {"epsilon": Code("0.0", "number")} if flux < (0, 11) else {}
    return epsilon | ({"corrected": Code("True", "flag")} if flux < (0, 7) else {})


def _check_dims(here: Scope, given: Arguments, shape: Code) -> None:
    """Remove and check the dims of Lux's LayerNorm, which must be the axes of the sizes; by default it has all axes."""
    if here.source.dialect is None and "dims" not in given.named:
        raise Unported("Flux's LayerNorm treats each sample by itself and Lux's all together: say which, with `using`")
    dims = given.named.pop("dims", None)
    if dims is None or read_text(dims) in (":", "Colon()"):
        raise Unported("without dims Lux's LayerNorm takes one mean over all samples together: give the sizes' dims")
    numbers = [read_text(part) for part in (list_parts(dims) if dims.type == "tuple_expression" else [dims])]
    if dims.type == "range_expression":
        numbers = [read_text(part) for part in dims.named_children]
        numbers = numbers if numbers[0] == numbers[-1] else ["1", numbers[-1]] if numbers[0] == "1" else []
        numbers = [str(i) for i in range(1, int(numbers[-1]) + 1)] if numbers else []
    count = len(shape.entries) or 1
    if sorted(numbers) != [str(i) for i in range(1, count + 1)] or (not shape.entries and shape.kind != "number"):
        raise Unported("dims that may not be the axes of the sizes")


def _build_rms_norm(here: Scope, given: Arguments) -> Code:
    shape, rest = _read_sizes_then_activation(here, given.positional)
    if rest:
        raise Unported("more arguments than the sizes")
    return call("luxport.RMSNorm", [shape], read_options(here, given, "affine", "init_scale", epsilon=EPSILON))


def _make_scale(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        shape, rest = _read_sizes_then_activation(here, given.positional)
        options = read_options(here, given, "init_bias", use_bias=BIAS, init_weight=INIT)
        return call(f"luxport.{name}", [shape, *read_activations(here, rest)], options)

    return build


def _build_bilinear(here: Scope, given: Arguments) -> Code:
    options = read_options(here, given, use_bias=BIAS, init_weight=INIT)
    if given.positional and is_pair(given.positional[0]):
        first = given.positional[0].named_children[0]
        sizes, rest = read_pair(here, given.positional[0]), given.positional[1:]
        if first.type != "tuple_expression" and sizes[0].kind != "number":
            raise Unported("literal sizes expected, as (in1, in2) => out")
    else:
        if len(given.positional) < 3:
            raise Unported("(in1, in2) => out expected")
        numbers = [here.write(node) for node in given.positional[:3]]
        sizes, rest = [group("(", numbers[:2], ")", "sizes"), numbers[2]], given.positional[3:]
    return call("luxport.Bilinear", [*sizes, *read_activations(here, rest)], options)


def _make_dropout(name: str) -> Builder:
    def read_axes(node: Node) -> Code:
        entries = node.named_children if node.type == "tuple_expression" else [node]
        return group("(", [Code(read_axis(entry)) for entry in reversed(entries)], ")", "sizes")

    def build(here: Scope, given: Arguments) -> Code:
        dims = given.named.get("dims")
        if dims is not None and read_text(dims) == ":":  # each entry independently, as without dims
            del given.named["dims"]
        known: dict[str, Any] = {"axes": ("dims", read_axes)} if name != "AlphaDropout" else {}
        return call(
            f"luxport.{name}",
            [here.write(node) for node in expect_positional(given, 1)],
            read_options(here, given, **known),
        )

    return build


def _build_embedding_bag(here: Scope, given: Arguments) -> Code:
    if not given.positional or not is_pair(given.positional[0]):
        raise Unported("the sizes are expected as in => out")
    sizes, rest = read_in_out(here, given.positional)
    reductions = {"mean": "'mean'", "sum": "'sum'", "maximum": "'max'"}
    if len(rest) > 1 or any(read_last_name(node) not in reductions for node in rest):
        raise Unported("a reduction that is not known here")
    chosen = [Code(reductions[read_last_name(node)]) for node in rest]
    return call("luxport.EmbeddingBag", [*sizes, *chosen], read_options(here, given, init_weight=INIT))


def _build_embedding(here: Scope, given: Arguments) -> Code:
    sizes, rest = read_in_out(here, given.positional)
    if rest:
        raise Unported("more arguments than the sizes")
    if "padding_idx" in given.named and read_text(given.named["padding_idx"]) != "nothing":
        raise Unported("padding_idx, which would be another row here")
    given.named.pop("padding_idx", None)
    return call("luxport.Embedding", sizes, read_options(here, given, init_weight=INIT))


def _build_upsample(here: Scope, given: Arguments) -> Code:
    options = read_options(here, given, scale=("scale", here.write_sizes), size=("size", here.write_sizes))
    positional = []
    for node in given.positional:
        if node.type == "quote_expression":
            mode = read_text(node)[1:]
            if mode not in ("nearest", "bilinear", "trilinear", "linear"):
                raise Unported(f"no mode {mode}")
            options["mode"] = Code(repr(mode))
        else:
            positional.append(here.write_sizes(node))
    return call("luxport.Upsample", positional, options)


def _build_reshape(here: Scope, given: Arguments) -> Code:
    given.expect_keywords("name")
    (shape,) = expect_positional(given, 1)
    if shape.type != "tuple_expression":
        return call("luxport.ReshapeLayer", [here.write_sizes(shape)])
    sizes = [Code("-1", "number") if read_text(size) == ":" else here.write(size) for size in list_parts(shape)]
    return call("luxport.ReshapeLayer", [group("(", sizes[::-1], ")", "sizes")])


def _build_attention(here: Scope, given: Arguments) -> Code:
    if here.source.dialect is None:
        raise Unported("Flux's attention has 8 heads by default and Lux's one: say which it is, with `using`")
    (dims,) = expect_positional(given, 1)
    probability = ("dropout_prob", "attention_dropout_probability")
    options = read_options(here, given, "nheads", "is_causal", attention_dropout_probability=probability, use_bias=BIAS)
    if here.source.dialect == "flux":
        options.setdefault("nheads", Code("8", "number"))
    sizes = read_pair(here, dims) if is_pair(dims) else [here.write(dims)]
    if len(sizes) == 2 or (len(sizes) == 1 and sizes[0].kind not in ("number", "unknown")):
        raise Unported("in => qkv => out, or one size, expected")
    return call("luxport.MultiHeadAttention", sizes, options)


LAYERS: Mapping[str, Builder] = {
    **CONTAINERS,
    **RECURRENT,
    **WRAPPERS,
    **{name: _make_plain(name, 0) for name in ("GlobalMaxPool", "GlobalMeanPool", "NoOpLayer")},
    **{name: _make_conv(name) for name in ("Conv", "ConvTranspose", "CrossCor", "DepthwiseConv")},
    **{name: _make_pool_builder(name) for name in ("LPPool", "MaxPool", "MeanPool")},
    **{name: _make_adaptive(name) for name in ("AdaptiveLPPool", "AdaptiveMaxPool", "AdaptiveMeanPool")},
    **{name: _make_dropout(name) for name in ("Dropout", "AlphaDropout", "VariationalHiddenDropout")},
    "BatchNorm": _make_norm("BatchNorm", 1),
    "Bilinear": _build_bilinear,
    "Dense": _build_dense,
    "Diagonal": _make_scale("Diagonal"),
    "Embedding": _build_embedding,
    "EmbeddingBag": _build_embedding_bag,
    "FlattenLayer": _make_plain("FlattenLayer", 0, "N"),
    "GlobalLPPool": _make_plain("GlobalLPPool", 0, "p"),
    "GroupNorm": _make_norm("GroupNorm", 2),
    "InstanceNorm": _make_norm("InstanceNorm", 1),
    "LayerNorm": _build_layer_norm,
    "MultiHeadAttention": _build_attention,
    "PixelShuffle": _make_plain("PixelShuffle", 1),
    "RMSNorm": _build_rms_norm,
    "ReshapeLayer": _build_reshape,
    "RotaryPositionalEmbedding": _make_plain(
        "RotaryPositionalEmbedding", 1, *("max_sequence_length", "base", "low_memory_variant")
    ),
    "Scale": _make_scale("Scale"),
    "SinusoidalPositionalEmbedding": _make_plain(
        "SinusoidalPositionalEmbedding", 1, *("min_freq", "max_freq", "scale", "full_turns")
    ),
    "Upsample": _build_upsample,
}
"""The builder of each layer, by its name in Julia."""
