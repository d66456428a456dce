"""Cells run over sequences, and cells that keep their carry in the state: `Recurrence`, `StatefulRecurrentCell`."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np

from luxport import tree
from luxport.backend import Array, match_shapes, namespace
from luxport.backend.dtypes import convert_indices, is_bool
from luxport.core.containers import WrapperLayer
from luxport.core.input_checks import check_axis, check_sizes, shape_of, shape_text
from luxport.core.layer_base import Parameters, States
from luxport.errors import LayerError, LayerIndexError
from luxport.layers._cell_base import GatedCell, RecurrentCell
from luxport.ops._recurrent import clear_masked
from luxport.ops.indices import tell_index, value_range
from luxport.random import Rng
from luxport.text import name_kind, show

__all__ = ["Recurrence", "StatefulRecurrentCell", "check_cell", "join_input", "split_input"]


class Recurrence(WrapperLayer):
    """A cell run over a sequence; returns the last output, or all outputs in one array.

    ``y[t], carry = cell((x[t], carry))``. The first axis is the batch and the second time, which is Lux's
    ``BatchLastIndex`` with axes reversed; time first is Lux's ``TimeLastIndex``. A sequence may also be a list or tuple
    of steps; without a batch it is a matrix.

    A step that is masked out leaves the carry unchanged and has an output of zero; the last output is that of the last
    step that counts. A length beyond the sequence is an error if its value can be read; a compiled program treats it as
    the length of the sequence, and a negative one as 0. A carry to start from is the last element of the input.

    Args:
        cell: a `RecurrentCell`, such as `LSTMCell`
        return_sequence: whether all outputs are returned, in one array, instead of the last alone
        return_state: whether the output is (y, carry), with the last carry
        reverse: whether time runs backward; each output stays in its place
        time_major: whether the axes of x are (T, N, ...) instead of (N, T, ...)
        masked: whether the input is (x, mask), where the mask holds lengths or a flag for each step

    Shapes: x (N, T, ...) -> y (N, out), or (N, T, out) with `return_sequence`; the mask is (N,) int or (N, T) bool.
            Input x, (x, carry), (x, mask) or (x, mask, carry); output y, or (y, carry) with `return_state`
    Params: the cell's
    State:  the cell's
    Raises: TypeError when built with anything but a `RecurrentCell`; LayerError if x has no time axis or no steps, for
            another input or mask than above, and as the cell does
    Source: Lux.jl ``Recurrence``; Flux.jl ``Recurrence`` for one array of outputs

    >>> import numpy as np, luxport
    >>> model = Recurrence(luxport.LSTMCell(3, 5), return_sequence=True, masked=True)
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model((np.ones((2, 4, 3), np.float32), np.array([4, 2])), ps, st)
    >>> y.shape, bool((y[1, 2:] == 0).all())
    ((2, 4, 5), True)
    """

    cell: RecurrentCell
    _: KW_ONLY
    return_sequence: bool = False
    return_state: bool = False
    reverse: bool = False
    time_major: bool = False
    masked: bool = False

    _entries_of: ClassVar[str | None] = "cell"

    def __post_init__(self) -> None:
        check_cell("Recurrence", self.cell)
        super().__post_init__()

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Run the cell over all steps."""
        x, mask, carry = split_input(x, self.masked)
        if isinstance(self.cell, GatedCell) and not isinstance(x, (tuple, list)):
            check_axis(x, -1, self.cell.in_dims, "(..., {})")  # already here, so that the error shows the user's x
        x, batch_first = _move_time_first(x, self.time_major)
        first = x[0, ...]
        if mask is not None:
            mask = _make_flags(mask, x, batch_first)
        if carry is None:
            carry = self.cell.initial_carry(first, ps, st)
        elif len(tree.leaves(carry)[0].shape) < len(first.shape):
            samples = namespace(first).zeros_like(first[..., :1])
            carry = tree.map(lambda leaf: samples + leaf, carry)
        outputs, carry, st = self.cell.sweep(x, carry, ps, st, mask, reverse=self.reverse)
        y = self._return_sequence(outputs, batch_first) if self.return_sequence else self._choose_last(outputs, mask)
        return (y, carry) if self.return_state else y, st

    def _return_sequence(self, outputs: Any, batch_first: bool) -> Any:
        return tree.map(_swap_time_and_batch, outputs) if batch_first else outputs

    def _choose_last(self, outputs: Any, mask: Array | None) -> Any:
        if mask is None:
            return tree.map(lambda leaf: leaf[0 if self.reverse else -1, ...], outputs)
        xp = namespace(mask)
        # Number the steps that count from the end of the sweep: the last one is number 1.
        counted = xp.astype(mask, xp.int32)
        numbers = xp.cumulative_sum(counted if self.reverse else xp.flip(counted, axis=0), axis=0)
        numbers = numbers if self.reverse else xp.flip(numbers, axis=0)
        chosen = clear_masked(xp.logical_and(mask, numbers == 1), outputs)
        return tree.map(lambda leaf: xp.sum(leaf, axis=0), chosen)


class StatefulRecurrentCell(WrapperLayer):
    """A cell that keeps its carry in the state from call to call, in training and in testing: ``y = cell((x, carry))``.

    To start another sequence: ``luxport.update_state(st, "carry", None)``. All batches of a sequence must have the same
    size. Unless `batch_size` is given, the first call changes the structure of the state, so that a program is compiled
    twice.

    Args:
        cell: a `RecurrentCell`, such as `LSTMCell`
        batch_size: how many samples a batch has; if given, the state holds a carry from the beginning

    Shapes: those of the cell's x and y
    Params: the cell's
    State:  cell: the cell's; carry: None before the first call, or the cell's initial carry with `batch_size`
    Raises: TypeError when built with anything but a `RecurrentCell`; ValueError when built with a `batch_size` for a
            cell that trains its initial state; LayerError as the cell does
    Source: Lux.jl ``StatefulRecurrentCell``

    >>> import numpy as np, luxport
    >>> model = StatefulRecurrentCell(luxport.RNNCell(3, 2))
    >>> ps, st = luxport.setup(0, model)
    >>> y, st = model(np.ones((4, 3), np.float32), ps, st)
    >>> st["carry"][0].shape
    (4, 2)
    """

    cell: RecurrentCell
    _: KW_ONLY
    batch_size: int | None = None

    def __post_init__(self) -> None:
        check_cell("StatefulRecurrentCell", self.cell)
        if self.batch_size is not None:
            check_sizes("StatefulRecurrentCell", batch_size=self.batch_size)
            if getattr(self.cell, "train_state", False) or getattr(self.cell, "train_memory", False):
                raise ValueError("StatefulRecurrentCell expects no batch_size for a cell that trains its initial state")
        super().__post_init__()

    def initial_states(self, rng: Rng) -> dict[str, Any]:
        """Make the cell's state, and no carry yet, or with `batch_size` the initial one."""
        cell = self.cell.initial_states(rng)
        if self.batch_size is None:
            return {"cell": cell, "carry": None}
        x = np.zeros((self.batch_size, getattr(self.cell, "in_dims", 1)), np.float32)
        # The carry depends on the shapes of the parameters alone, since it is not trained.
        return {"cell": cell, "carry": self.cell.initial_carry(x, self.cell.initial_parameters(Rng(0)), cell)}

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Take one step from the carry in the state."""
        carry = st["carry"]
        if carry is not None:
            _check_batch(x, carry)
        (y, carry), cell = self.cell(x if carry is None else (x, carry), ps, st["cell"])
        return y, {"cell": cell, "carry": carry}


def _check_batch(x: Array, carry: Any) -> None:
    """Expect as many samples as the carry has, since a carry of one sample would broadcast to another batch."""
    shape, held = tuple(shape_of(x)), tuple(tree.leaves(carry)[0].shape)
    if len(shape) > 1 and len(held) > 1 and held[0] != shape[0] and None not in (held[0], shape[0]):
        raise LayerError(
            f"expects a batch of {held[0]}, as the carry in its state, got {shape_text(x)}: "
            'luxport.update_state(st, "carry", None) starts another sequence'
        )


def split_input(x: Any, masked: bool) -> tuple[Any, Any, Any]:
    """Return x, the mask or None, and the carry or None of an input; a carry is recognized as a tuple."""
    if masked:
        if not isinstance(x, tuple) or len(x) not in (2, 3):
            raise LayerError(f"expects (x, mask) or (x, mask, carry) with masked=True, got {name_kind(x)}")
        return (*x, None) if len(x) == 2 else x  # type: ignore[return-value]
    if isinstance(x, tuple) and len(x) == 2 and isinstance(x[1], (tuple, list)):
        return x[0], None, x[1]
    return x, None, None


def join_input(x: Any, mask: Any, carry: Any) -> Any:
    """Undo `split_input`."""
    parts = [part for part in (x, mask, carry) if part is not None]
    return x if len(parts) == 1 else tuple(parts)


def check_cell(layer: str, *cells: Any) -> None:
    for cell in cells:
        if not isinstance(cell, RecurrentCell):
            raise TypeError(f"{layer} expects a recurrent cell, got {show(cell)}: derive it from luxport.RecurrentCell")


def _move_time_first(x: Any, time_major: bool) -> tuple[Array, bool]:
    """Return the sequence with time first, and whether the batch was first."""
    if isinstance(x, (tuple, list)):
        if not x:
            raise LayerError("expects at least one step, got none")
        x, batch_first = namespace(*x).stack(list(x), axis=0), not time_major and len(shape_of(x[0])) > 1
    else:
        batch_first = not time_major and len(shape_of(x)) > 2
        if len(shape_of(x)) < 2:
            raise LayerError(f"expects {'(T, N, ...)' if time_major else '(N, T, ...)'}, got {shape_text(x)}")
        x = _swap_time_and_batch(x) if batch_first else x
    if x.shape[0] == 0:
        raise LayerError("expects at least one step, got none")
    return x, batch_first


def _swap_time_and_batch(x: Array) -> Array:
    return namespace(x).permute_dims(x, (1, 0, *range(2, len(x.shape))))


def _check_lengths(lengths: Array, steps: int | None) -> None:
    """Expect lengths from 0 to the number of steps, if their values can be read."""
    seen = value_range(lengths)
    if seen is not None and steps is not None and (seen[0] < 0 or seen[1] > steps):
        wrong = tell_index(lengths, seen[0] if seen[0] < 0 else seen[1])
        raise LayerIndexError(f"expects lengths from 0 to {steps}, got {wrong}")


def _make_flags(mask: Array, x: Array, batch_first: bool) -> Array:
    """Return a flag for each step of each sample, (T, N) or (T,)."""
    xp = namespace(x, mask)
    rank = min(len(x.shape) - 1, 2)
    if is_bool(mask):
        if len(mask.shape) != rank:
            raise LayerError(f"expects flags {'(T,)' if rank == 1 else '(N, T)'} as its mask, got {shape_text(mask)}")
        flags = _swap_time_and_batch(mask) if batch_first else mask
        if not match_shapes(flags.shape, tuple(x.shape)[:rank]):
            given = _swap_time_and_batch(x) if batch_first else x
            raise LayerError(f"expects a flag for each step of {shape_text(given)} as its mask, got {shape_text(mask)}")
        return flags
    if len(mask.shape) != rank - 1:
        raise LayerError(f"expects lengths {'()' if rank == 1 else '(N,)'} as its mask, got {shape_text(mask)}")
    if not match_shapes(mask.shape, tuple(x.shape)[1:rank]):
        given = _swap_time_and_batch(x) if batch_first else x
        raise LayerError(f"expects a length for each sample of {shape_text(given)} as its mask, got {shape_text(mask)}")
    mask = convert_indices(xp, mask)  # not int32, to which a length that is too long might be truncated
    _check_lengths(mask, x.shape[0])
    steps = x
    while len(steps.shape) > rank:
        steps = steps[..., 0]
    numbers = xp.cumulative_sum(xp.ones_like(steps, dtype=xp.int32), axis=0, dtype=xp.int32)
    return xp.astype(numbers, mask.dtype) <= mask
