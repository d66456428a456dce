"""Examples of the recurrent layers: cells, their wrappers, and whole sequences."""

from collections.abc import Mapping
from functools import partial

import luxport
from luxport_conformance.examples.example import Example, Flags, Indices, tolerate_sum

_CARRY = (5, 2)
_make = partial(Example, states=1, tolerance=tolerate_sum(3 * (3 + 2)))

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "RNNCell": (
        _make(
            layer=luxport.RNNCell(3, 2, luxport.sigmoid, use_bias=False),
            x=((5, 3), (_CARRY,)),
            parameters=3 * 2 + 2 * 2,
        ),
    ),
    "LSTMCell": (
        _make(
            layer=luxport.LSTMCell(3, 2, train_state=True, train_memory=True),
            x=(5, 3),
            parameters=4 * (3 * 2 + 2 * 2 + 2 * 2) + 2 + 2,
        ),
    ),
    "GRUCell": (_make(layer=luxport.GRUCell(3, 2), x=((5, 3), (_CARRY,)), parameters=3 * (3 * 2 + 2 * 2 + 2 * 2)),),
    "GRUv3Cell": (
        _make(layer=luxport.GRUv3Cell(3, 2), x=((5, 3), (_CARRY,)), parameters=3 * (3 * 2 + 2 * 2 + 2) + 2 * 2),
    ),
    "Recurrence": (
        _make(
            layer=luxport.Recurrence(luxport.LSTMCell(3, 2), masked=True, return_state=True),
            x=((5, 3, 3), Indices((5,), below=4)),
            parameters=4 * (3 * 2 + 2 * 2 + 2 * 2),
        ),
    ),
    "StatefulRecurrentCell": (
        _make(
            layer=luxport.StatefulRecurrentCell(luxport.RNNCell(3, 2), batch_size=5),
            x=(5, 3),
            parameters=3 * 2 + 2 * 2 + 2 * 2,
            states=1 + 5 * 2,
            per_sample=False,
            remembers=True,
        ),
    ),
    "BidirectionalRNN": (
        _make(
            layer=luxport.BidirectionalRNN(luxport.GRUCell(3, 2), luxport.RNNCell(3, 2), masked=True),
            x=((5, 3, 3), Flags((5, 3))),
            parameters=3 * (3 * 2 + 2 * 2 + 2 * 2) + (3 * 2 + 2 * 2 + 2 * 2),
            states=2,
        ),
    ),
    "RNN": (
        _make(
            layer=luxport.RNN(3, 2, num_layers=2, dropout=0.4),
            x=(5, 3, 3),
            parameters=(3 * 2 + 2 * 2 + 2) + (2 * 2 + 2 * 2 + 2),
            states=1 + 2 + 1,
        ),
    ),
    "LSTM": (
        _make(
            layer=luxport.LSTM(3, 2, return_state=True),
            x=((5, 3, 3), (_CARRY, _CARRY)),
            parameters=4 * (3 * 2 + 2 * 2 + 2),
        ),
    ),
    "GRU": (
        _make(
            layer=luxport.GRU(3, 2, num_layers=2, bidirectional=True),
            x=(5, 2, 3),
            parameters=2 * 3 * (3 * 2 + 2 * 2 + 2) + 2 * 3 * (4 * 2 + 2 * 2 + 2),
            states=4,
        ),
        _make(
            layer=luxport.GRU(3, 2, time_major=True), x=(3, 5, 3), parameters=3 * (3 * 2 + 2 * 2 + 2), per_sample=False
        ),
    ),
    "GRUv3": (_make(layer=luxport.GRUv3(3, 2), x=(5, 3, 3), parameters=3 * (3 * 2 + 2 * 2 + 2) + 2 * 2),),
}
