"""Recurrent cells run over a sequence in both directions: `BidirectionalRNN`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from luxport.backend import Array, namespace
from luxport.core.containers import ContainerLayer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.errors import LayerError
from luxport.layers._cell_base import RecurrentCell, write_outline
from luxport.layers._recurrence import Recurrence, check_cell, join_input, split_input
from luxport.text import show

__all__ = ["BidirectionalRNN"]


MergeMode: TypeAlias = "str | Callable[[Array, Array], Any] | None"


class BidirectionalRNN(ContainerLayer):
    """Two cells run over a sequence, one forward and one backward in time, and their outputs merged.

    ``y[t] = merge(forward(x[0], …, x[t]), backward(x[T - 1], …, x[t]))``.

    Args:
        cell: the `RecurrentCell` that runs forward, such as `LSTMCell`
        backward_cell: the cell that runs backward; None for one like `cell`, with initial values of its own
        merge_mode: "concat" on the last axis, "sum", "mul", "ave", a function of both outputs, or None for a pair
        return_sequence: whether all outputs are returned, in one array, instead of the last alone
        return_state: whether the output is (y, carry), with the last carry
        time_major: whether the axes of x are (T, N, ...) instead of (N, T, ...)
        masked: whether the input is (x, mask), where the mask holds lengths or a flag for each step

    Shapes: x (N, T, in) -> y (N, T, 2 out) for "concat"; time first, masks and states as in `Recurrence`, and a
            carry is a pair, forward and backward. Without `return_sequence`, the last output of each: (N, 2 out)
    Params: forward_rnn: the cell's; backward_rnn: {rnn: the backward cell's}
    State:  likewise
    Raises: TypeError when built with anything but a `RecurrentCell`, ValueError for an unknown `merge_mode`;
            LayerError as `Recurrence` does
    Source: Lux.jl ``BidirectionalRNN``; the names of modes are Keras's

    >>> import numpy as np, luxport
    >>> model = BidirectionalRNN(luxport.GRUCell(3, 5))
    >>> ps, st = luxport.setup(0, model)
    >>> model(np.ones((2, 4, 3), np.float32), ps, st)[0].shape
    (2, 4, 10)
    """

    forward_rnn: Recurrence
    backward_rnn: NamedLayers
    merge_mode: MergeMode = "concat"

    def __init__(
        self,
        cell: RecurrentCell,
        backward_cell: RecurrentCell | None = None,
        *,
        merge_mode: MergeMode = "concat",
        return_sequence: bool = True,
        return_state: bool = False,
        time_major: bool = False,
        masked: bool = False,
    ) -> None:
        """Take the cells; the options but `merge_mode` are those of `Recurrence`."""
        check_cell("BidirectionalRNN", cell, *([] if backward_cell is None else [backward_cell]))
        if merge_mode not in (*_MERGE, None) and not callable(merge_mode):
            raise ValueError(f"BidirectionalRNN expects {', '.join(map(repr, _MERGE))}, a function or None "
                             f"as merge_mode, got {show(merge_mode)}")  # fmt: skip
        options: dict[str, bool] = {
            "return_sequence": return_sequence,
            "return_state": return_state,
            "time_major": time_major,
            "masked": masked,
        }
        backward = Recurrence(cell if backward_cell is None else backward_cell, reverse=True, **options)
        object.__setattr__(self, "forward_rnn", Recurrence(cell, **options))
        # Named as in Lux, where this is a chain that reverses the sequence, runs the cell, and reverses again.
        object.__setattr__(self, "backward_rnn", NamedLayers({"rnn": backward}))
        object.__setattr__(self, "merge_mode", merge_mode)

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Run both cells and join their outputs."""
        x, mask, carries = split_input(x, self.forward_rnn.masked)
        carries = (None, None) if carries is None else carries
        if len(carries) != 2 or not all([part is None or isinstance(part, (tuple, list)) for part in carries]):
            raise LayerError(f"expects a pair of carries, forward and backward, got {write_outline(carries)}")
        forward, backward = carries
        inner = self.backward_rnn["rnn"]
        first, forward_st = self.forward_rnn(join_input(x, mask, forward), ps["forward_rnn"], st["forward_rnn"])
        second, backward_st = inner(join_input(x, mask, backward), ps["backward_rnn"]["rnn"], st["backward_rnn"]["rnn"])
        st = {"forward_rnn": forward_st, "backward_rnn": {"rnn": backward_st}}
        if not self.forward_rnn.return_state:
            return self._merge(first, second), st
        return (self._merge(first[0], second[0]), (first[1], second[1])), st

    def _merge(self, forward: Any, backward: Any) -> Any:
        if self.merge_mode is None:
            return forward, backward
        merge = _MERGE[self.merge_mode] if isinstance(self.merge_mode, str) else self.merge_mode
        return merge(forward, backward)


_MERGE: dict[Any, Callable[[Array, Array], Array]] = {
    "concat": lambda a, b: namespace(a, b).concat([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) * 0.5,
}
