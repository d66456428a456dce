"""Flux's recurrent cells and what runs them: one step a call until 0.14, a whole sequence since 0.15."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported, Source, check_parameters, find_kind, make_remembering
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["make_cell_builder", "recur", "build_sequence"]


def make_cell_builder(name: str, gates: int) -> Callable[[Source], Ported]:
    """Return the builder of a cell. Flux has one bias, that of the input, and trains the initial state until 0.14."""

    def build(source: Source) -> Ported:
        ps = {"weight_ih": source.array("Wi", 2), "weight_hh": source.array("Wh", 2)}
        options: dict[str, Any] = {}
        bias = source.fields.get("b")
        if bias is None or isinstance(bias, bool) or find_kind(bias) == "Zeros":
            options["use_bias"] = False
        else:
            ps["bias_ih"] = source.array("b")
        if name == "GRUv3Cell":
            ps["weight_hn"] = source.array("Wh_h̃")
            # Until 0.14 the third of Wh that nothing uses is not there.
            width = ps["weight_ih"].shape[-1] - ps["weight_hh"].shape[-1]
            ps["weight_hh"] = np.pad(ps["weight_hh"], ((0, 0), (0, max(width, 0))))
        else:
            options["use_recurrent_bias"] = False
        if name == "RNNCell":
            options["activation"] = source.activation()
        for entry, value in _read_initial(source).items():
            options["train_memory" if entry == "memory" else "train_state"] = True
            ps[entry] = value
        in_dims, width = ps["weight_ih"].shape
        return check_parameters(getattr(luxport, name)(in_dims, width // gates, **options), ps)

    return build


def _read_initial(source: Source) -> dict[str, Any]:
    """Return the initial state where it is not zero, as it is unless it was trained."""
    first, second = source.fields.get("state0", source.fields.get("h")), source.fields.get("c")
    if isinstance(first, tuple) and len(first) == 2:
        first, second = first
    given = {"hidden_state": first, "memory": second}
    found = {
        name: unwrap_array(value, source.at(name)).reshape(-1)
        for name, value in given.items()
        if isinstance(value, (np.ndarray, julia.Struct))
    }
    return {name: value for name, value in found.items() if np.any(value)}


def build_sequence(source: Source) -> Ported:
    """Build one of 0.15's layers: a cell run over (T, F) or (N, T, F), with all outputs and maybe the last state."""
    inner = _build_cell(source)
    params = source.struct.type.params
    layer = luxport.Recurrence(inner.layer, return_sequence=True, return_state=params[:1] == (True,))  # type: ignore[arg-type]
    return Ported(layer, inner.ps, inner.st)


def recur(source: Source) -> Ported:
    """Build a Recur, which takes one step a call and remembers: so does StatefulRecurrentCell."""
    return make_remembering(_build_cell(source))


def _build_cell(source: Source) -> Ported:
    inner = source.port(source["cell"], "cell")
    if not isinstance(inner.layer, luxport.RecurrentCell):
        raise FileFormatError(f"{source.at('cell')}: a recurrent cell of Flux expected, got {inner.layer}")
    return inner
