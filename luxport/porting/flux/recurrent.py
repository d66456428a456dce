"""Build Flux's recurrent layers: cells, `Recur` (one step per call, until 0.14) and sequence layers (since 0.15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport.porting import julia
from luxport.porting.errors import FileFormatError
from luxport.porting.flux.building import Ported, Source, check_parameters, find_kind, make_stateful
from luxport.porting.julia.wrappers import unwrap_array

__all__ = ["make_cell_builder", "build_recur", "build_sequence"]


def make_cell_builder(name: str, gates: int) -> Callable[[Source], Ported]:
    """Return a function that builds a cell; Flux's cells have a single bias, and until 0.14 a trained initial state."""

    def build(source: Source) -> Ported:
        ps = {"weight_ih": source.read_array("Wi", 2), "weight_hh": source.read_array("Wh", 2)}
        options: dict[str, Any] = {}
        bias = source.fields.get("b")
        if bias is None or isinstance(bias, bool) or find_kind(bias) == "Zeros":
            options["use_bias"] = False
        else:
            ps["bias_ih"] = source.read_array("b")
        if name == "GRUv3Cell":
            ps["weight_hn"] = source.read_array("Wh_h̃")
            # The last third of weight_hh is unused, and until Flux 0.14 the file does not have it.
            width = ps["weight_ih"].shape[-1] - ps["weight_hh"].shape[-1]
            ps["weight_hh"] = np.pad(ps["weight_hh"], ((0, 0), (0, max(width, 0))))
        else:
            options["use_recurrent_bias"] = False
        if name == "RNNCell":
            options["activation"] = source.read_activation()
        for entry, value in _read_initial(source).items():
            options["train_memory" if entry == "memory" else "train_state"] = True
            ps[entry] = value
        in_dims, width = ps["weight_ih"].shape
        return check_parameters(getattr(luxport, name)(in_dims, width // gates, **options), ps)

    return build


def _read_initial(source: Source) -> dict[str, Any]:
    """Return the initial hidden state and memory, without those that are zero: they were not trained."""
    first, second = source.fields.get("state0", source.fields.get("h")), source.fields.get("c")
    if isinstance(first, tuple) and len(first) == 2:
        first, second = first
    given = {"hidden_state": first, "memory": second}
    found = {
        name: unwrap_array(value, source.join_path(name)).reshape(-1)
        for name, value in given.items()
        if isinstance(value, (np.ndarray, julia.Struct))
    }
    return {name: value for name, value in found.items() if np.any(value)}


def build_sequence(source: Source) -> Ported:
    """Build a sequence layer of Flux 0.15: a cell run over (T, F) or (N, T, F), which returns the output of each step.

    A type parameter says whether it returns the last state as well.
    """
    inner = _build_cell(source)
    params = source.struct.type.params
    layer = luxport.Recurrence(inner.layer, return_sequence=True, return_state=params[:1] == (True,))  # type: ignore[arg-type]
    return Ported(layer, inner.ps, inner.st)


def build_recur(source: Source) -> Ported:
    """Build a Recur, which takes one step per call and keeps the carry, as a StatefulRecurrentCell."""
    return make_stateful(_build_cell(source))


def _build_cell(source: Source) -> Ported:
    inner = source.port(source["cell"], "cell")
    if not isinstance(inner.layer, luxport.RecurrentCell):
        raise FileFormatError(f"{source.join_path('cell')}: expected a recurrent cell of Flux, got {inner.layer}")
    return inner
