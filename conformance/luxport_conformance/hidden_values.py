"""The law of hidden values: entries that a mask, lengths or an ignored label hides do not affect the result.

With NaN or infinities there, the value and the gradients are bit for bit the same as with zeros there; the gradients
with respect to the hidden entries are 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import luxport
from luxport import losses, ops, tree
from luxport.backend import Backend
from luxport_conformance.arrays import move_to_backend, move_to_host
from luxport_conformance.backends import find_abilities
from luxport_conformance.compare import Violation
from luxport_conformance.compiling import prepare

__all__ = ["MASKED", "Masked", "check_hidden"]

_ANYTHING = (np.nan, np.inf, -np.inf)


@dataclass(frozen=True)
class Masked:
    """A function `f`, its arrays, and for some arrays, by position, a boolean array that is true for hidden entries."""

    name: str
    f: Callable[..., Any]
    arrays: tuple[Any, ...]
    hidden: dict[int, Any]

    def __str__(self) -> str:
        return self.name


def check_hidden(masked: Masked, backend: Backend, dtype: str = "float32") -> float:
    """Compare the results with NaN and infinities at the hidden entries to those with zeros there; return 0.

    Raises: Violation if a value or gradient differs, or the gradient of a hidden entry is not 0
    """
    floating = tuple([i for i, array in enumerate(masked.arrays) if array.dtype.kind == "f"])

    def sum_weighted(*arrays: Any) -> Any:
        total = 0.0
        for leaf in tree.leaves(masked.f(*arrays)):
            xp = luxport.namespace(leaf)
            total = total + xp.sum(xp.sin(leaf + 1.0))
        return total

    def program(*arrays: Any) -> Any:
        slopes = luxport.grad(sum_weighted, floating)(*arrays) if find_abilities(backend.name).gradients else ()
        return masked.f(*arrays), slopes

    run = prepare(backend, program)

    def compute(value: float) -> Any:
        arrays = [
            np.where(masked.hidden[i], value, array) if i in masked.hidden else array
            for i, array in enumerate(masked.arrays)
        ]
        with np.errstate(all="ignore"):
            return move_to_host(run(*move_to_backend(arrays, backend, dtype)), backend)

    clean = compute(0.0)
    for slope, i in zip(clean[1], floating, strict=False):
        if i in masked.hidden and np.any(np.where(masked.hidden[i], slope, 0.0)):
            raise Violation(f"{masked}: gradients of 0 expected where array {i} is hidden, got {slope}")
    for value in _ANYTHING:
        for (path, want), got in zip(tree.leaves_with_path(clean), tree.leaves(compute(value)), strict=True):
            if not np.array_equal(got, want):
                where = f"result {path[1:]}" if path[0] == "0" else f"gradient {floating[int(path[1])]}"
                raise Violation(f"{masked}, {value} where it is hidden: {where}: {want} expected, got {got}")
    return 0.0


def _draw(*shape: int, seed: int = 3) -> Any:
    return np.random.Generator(np.random.Philox(seed)).normal(size=shape)


def _list_attention() -> Iterator[Masked]:
    shapes = (2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4)
    arrays = tuple([_draw(*shape, seed=i) for i, shape in enumerate(shapes)])
    seen = np.array([[True, True, False, True, False], [False, True, True, False, False]])
    unseen = np.broadcast_to(~seen[:, :, None, None], shapes[1])
    everywhere = np.broadcast_to(seen[:, None, None, :], (2, 2, 3, 5)).copy()
    # The second query of the second sample attends to no key.
    everywhere[1, :, 1] = False
    blind = np.zeros(shapes[0], bool)
    blind[1, 1] = True
    for scores in (True, False):

        def attend(query: Any, key: Any, value: Any, mask: Any, scores: bool = scores) -> Any:
            return ops.scaled_dot_product_attention(query, key, value, None, mask, return_scores=scores)

        def attend_by_bias(query: Any, key: Any, value: Any, mask: Any, scores: bool = scores) -> Any:
            xp = luxport.namespace(query)
            bias = xp.where(mask, xp.zeros_like(query[:1, :1, :1, :1]), -np.inf)
            return ops.scaled_dot_product_attention(query, key, value, bias, return_scores=scores)

        hidden = {0: blind, 1: unseen, 2: unseen}
        yield Masked(f"attention, scores {scores}", attend, (*arrays, everywhere), hidden)
        yield Masked(f"attention by a bias, scores {scores}", attend_by_bias, (*arrays, everywhere), hidden)
    flat = tuple([array.reshape(2, -1, 8) for array in arrays])
    unseen = np.broadcast_to(~seen[:, :, None], (2, 5, 8))
    layer = luxport.MultiHeadAttention(8, nheads=2, use_bias=True)
    ps, st = luxport.setup(1, layer, backend="numpy")
    structure = tree.structure(ps)

    def attend_with_layer(query: Any, key: Any, value: Any, mask: Any, *leaves: Any) -> Any:
        return layer((query, key, value, mask), tree.unflatten(structure, iter(leaves)), luxport.test_mode(st))[0]

    leaves = [leaf.astype(np.float64) for leaf in tree.leaves(ps)]
    yield Masked("MultiHeadAttention", attend_with_layer, (*flat, everywhere, *leaves), {1: unseen, 2: unseen})


def _list_recurrent() -> Iterator[Masked]:
    x, lengths = _draw(3, 4, 3), np.array([4, 2, 1], np.int32)
    flags = np.arange(4)[None, :] < lengths[:, None]
    padding = np.broadcast_to(~flags[:, :, None], x.shape)
    cells = {
        "RNN": luxport.RNNCell(3, 2),
        "RNN of relu": luxport.RNNCell(3, 2, luxport.relu),
        "LSTM": luxport.LSTMCell(3, 2),
        "GRU": luxport.GRUCell(3, 2),
        "GRUv3": luxport.GRUv3Cell(3, 2),
    }
    options: tuple[dict[str, Any], ...] = ({"return_sequence": True}, {"return_sequence": False}, {"reverse": True})
    layers = [
        *[
            (f"{name} {more}", luxport.Recurrence(cell, masked=True, return_state=True, **more))
            for name, cell in cells.items()
            for more in options
        ],
        ("BidirectionalRNN", luxport.BidirectionalRNN(luxport.GRUCell(3, 2), luxport.LSTMCell(3, 2), masked=True)),
        *[
            (f"{kind.__name__} of two levels", kind(3, 2, num_layers=2, bidirectional=True, masked=True))
            for kind in (luxport.RNN, luxport.LSTM, luxport.GRU)
        ],
    ]
    for name, layer in layers:
        ps, st = luxport.setup(1, layer, backend="numpy")
        structure = tree.structure(ps)
        for mask in (flags, lengths):

            def run(
                x: Any, mask: Any, *leaves: Any, layer: Any = layer, st: Any = st, structure: Any = structure
            ) -> Any:
                return layer((x, mask), tree.unflatten(structure, iter(leaves)), luxport.test_mode(st))[0]

            kind = "flags" if mask is flags else "lengths"
            leaves = [leaf.astype(np.float64) for leaf in tree.leaves(ps)]
            yield Masked(f"{name}, {kind}", run, (x, mask, *leaves), {0: padding})


def _list_losses() -> Iterator[Masked]:
    labels = np.array([0, -100, 2, -100], np.int32)
    ignored = np.broadcast_to((labels < 0)[:, None], (4, 3))
    shares = np.exp(_draw(4, 3))
    for name, y_hat in (
        ("sparse_logitcrossentropy", _draw(4, 3)),
        ("nll_loss", _draw(4, 3)),
        ("sparse_crossentropy", shares / shares.sum(axis=1, keepdims=True)),
    ):
        for more in ({}, {"class_weights": (1.0, 2.0, 3.0)}, {"agg": "sum"}):

            def call_loss(y_hat: Any, y: Any, name: str = name, more: Any = more) -> Any:
                return getattr(losses, name)(y_hat, y, ignore_index=-100, **more)

            yield Masked(f"{name} {more}", call_loss, (y_hat, labels), {0: ignored})
    steps = np.array([5, 3], np.int32)
    late = np.broadcast_to((np.arange(5)[None, :] >= steps[:, None])[:, :, None], (2, 5, 4))
    arrays = _draw(2, 5, 4), np.array([[0, 1], [2, 0]], np.int32), steps, np.array([2, 1], np.int32)
    yield Masked("ctc_loss", losses.ctc_loss, arrays, {0: late})


def _list_rows() -> Iterator[Masked]:
    table, indices = _draw(4, 3), np.array([[0, 1], [3, 1]], np.int32)
    padding = np.zeros((4, 3), bool)
    padding[1] = True
    layer = luxport.Embedding(4, 3, padding_idx=1)
    yield Masked("Embedding's padding", lambda w, x: layer(x, {"weight": w}, {})[0], (table, indices), {0: padding})


MASKED = (*_list_attention(), *_list_recurrent(), *_list_losses(), *_list_rows())
