"""Translate the constructors of recurrent layers and their cells."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from luxport.porting.translate.options import BIAS, expect_positional, is_pair, read_in_out, read_options
from luxport.porting.translate.parse import Arguments, Unported, read_last_name, read_text
from luxport.porting.translate.scope import Builder, Scope
from luxport.porting.translate.writing import Code, call

if TYPE_CHECKING:
    from tree_sitter import Node


__all__ = ["RECURRENT"]


def _make_cell(name: str) -> Builder:
    def build(here: Scope, given: Arguments) -> Code:
        if here.source.dialect is None:
            raise Unported(
                "Flux's cells have one bias and Lux's two: say which it is, with `using Flux` or `using Lux`"
            )
        sizes, rest = read_in_out(here, given.positional)
        if name != "RNNCell" and rest:
            raise Unported("more arguments than the sizes")
        same = ["train_state", *(["train_memory"] if name == "LSTMCell" else [])]
        same = same if here.source.dialect == "lux" else []
        options = read_options(here, given, *same, use_bias=BIAS, **_INITIAL)
        both = here.source.dialect == "lux" or "init" in given.named
        if both and "init_weight" in options:  # in Julia it is the default for the recurrent weight, too
            options.setdefault("init_recurrent_weight", options["init_weight"])
        if here.source.dialect == "flux" and name != "GRUv3Cell":
            options["use_recurrent_bias"] = Code("False", "flag")
        if here.source.dialect == "flux" and here.source.flux is not None and here.source.flux < (0, 15):
            # Until Flux 0.14 a cell's initial state is a parameter.
            options |= dict.fromkeys(_TRAINED if name == "LSTMCell" else _TRAINED[:1], Code("True", "flag"))
        activation = [here.write_activation(node) for node in rest if read_last_name(node) != "tanh"]
        return call(f"luxport.{name}", [*sizes, *activation], options)

    return build


def _make_recurrent(name: str) -> Builder:
    """Return a builder for Flux's RNN, LSTM, ...: until 0.14 a stateful cell, since 0.15 a layer over a sequence."""

    def build(here: Scope, given: Arguments) -> Code:
        if here.source.dialect != "flux":
            raise Unported(f"{name} is a layer of Flux alone: begin the file with `using Flux`")
        state = given.named.pop("return_state", None)
        if here.source.flux is None and state is None and not (given.positional and is_pair(given.positional[0])):
            here = replace(here, source=replace(here.source, flux=(0, 14)))  # since then sizes are a pair
        cell = _make_cell(f"{name}Cell")(here, given)
        if here.source.flux is None and state is None and is_pair(given.positional[0]):
            raise Unported(
                f"{name} takes one step a call until Flux 0.14 and a whole sequence since 0.15: "
                "give the version with --flux"
            )
        if (here.source.flux or (0, 0)) >= (0, 15) or state is not None:
            options = {"return_sequence": Code("True", "flag")}
            return call(
                "luxport.Recurrence", [cell], options | ({"return_state": here.write_flag(state)} if state else {})
            )
        return call("luxport.StatefulRecurrentCell", [cell])

    return build


def _read_time_major(node: Node) -> Code:
    name = read_last_name(node.named_children[0]) if node.type == "call_expression" else ""
    if name not in ("BatchLastIndex", "TimeLastIndex"):
        raise Unported("an ordering expected: BatchLastIndex() or TimeLastIndex()")
    return Code(str(name == "TimeLastIndex"), "flag")


def _build_recurrence(here: Scope, given: Arguments) -> Code:
    cells = [here.write(node) for node in expect_positional(given, 1)]
    if here.source.dialect is None:
        raise Unported("Flux's Recurrence returns all outputs and Lux's the last: say which, with `using`")
    if here.source.dialect == "flux":
        options = read_options(here, given, "return_state")
        return call("luxport.Recurrence", cells, {"return_sequence": Code("True", "flag"), **options})
    for ignored in ("checkpointing", "mincut"):  # they save memory and do not change results
        given.named.pop(ignored, None)
    options = read_options(here, given, "return_sequence", time_major=("ordering", _read_time_major))
    return call("luxport.Recurrence", cells, {key: code for key, code in options.items() if code.text != "False"})


def _build_stateful(here: Scope, given: Arguments) -> Code:
    given.expect_keywords("name")
    return call("luxport.StatefulRecurrentCell", [here.write(node) for node in expect_positional(given, 1)])


def _build_bidirectional(here: Scope, given: Arguments) -> Code:
    cells = [here.write(node) for node in expect_positional(given, 1, 2)]

    def read_mode(node: Node) -> Code:
        names = {"vcat": "'concat'", "nothing": "None", "+": "'sum'", "(+)": "'sum'", "*": "'mul'", "(*)": "'mul'"}
        if read_text(node) not in names:
            raise Unported("a merge_mode that is not known here")
        return Code(names[read_text(node)])

    def read_ordering(node: Node) -> Code:
        if _read_time_major(node).text == "True":
            raise Unported("Lux reverses the batch, not time, if time comes last")
        return Code("False", "flag")

    options = read_options(here, given, merge_mode=("merge_mode", read_mode), time_major=("ordering", read_ordering))
    options.pop("time_major", None)
    return call("luxport.BidirectionalRNN", cells, options)


_TRAINED = ("train_state", "train_memory")
_INITIAL = {
    "init_weight": ("init", "init_weight", "init_kernel"),
    "init_recurrent_weight": ("init_recurrent_weight", "init_recurrent_kernel"),
    "init_bias": ("init_bias", "initb"),
}

RECURRENT = {
    **{name: _make_cell(name) for name in ("RNNCell", "LSTMCell", "GRUCell", "GRUv3Cell")},
    **{name: _make_recurrent(name) for name in ("RNN", "LSTM", "GRU", "GRUv3")},
    "BidirectionalRNN": _build_bidirectional,
    "Recur": _build_stateful,
    "Recurrence": _build_recurrence,
    "StatefulRecurrentCell": _build_stateful,
}
"""The builder of each layer, by its name in Julia."""
