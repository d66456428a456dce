"""Examples of the recurrent layers: cells, their wrappers, and whole sequences."""

from collections.abc import Mapping

import luxport
from luxport_conformance.examples.example import Example, Flags, Indices, tolerate_sum

_CARRY = (5, 2)
_SUMS = tolerate_sum(3 * (3 + 2))

EXAMPLES: Mapping[str, tuple[Example, ...]] = {
    "RNNCell": (
        Example(
            layer=luxport.RNNCell(3, 2, luxport.sigmoid, use_bias=False),
            x=((5, 3), (_CARRY,)),
            parameters=3 * 2 + 2 * 2,
            states=1,
            tolerance=_SUMS,
        ),
    ),
    "LSTMCell": (
        Example(
            layer=luxport.LSTMCell(3, 2, train_state=True, train_memory=True),
            x=(5, 3),
            parameters=4 * (3 * 2 + 2 * 2 + 2 * 2) + 2 + 2,
            states=1,
            tolerance=_SUMS,
        ),
    ),
    "GRUCell": (
        Example(
            layer=luxport.GRUCell(3, 2),
            x=((5, 3), (_CARRY,)),
            parameters=3 * (3 * 2 + 2 * 2 + 2 * 2),
            states=1,
            tolerance=_SUMS,
        ),
    ),
    "GRUv3Cell": (
        Example(
            layer=luxport.GRUv3Cell(3, 2),
            x=((5, 3), (_CARRY,)),
            parameters=3 * (3 * 2 + 2 * 2 + 2) + 2 * 2,
            states=1,
            tolerance=_SUMS,
        ),
    ),
    "Recurrence": (
        Example(
            layer=luxport.Recurrence(luxport.LSTMCell(3, 2), masked=True, return_state=True),
            x=((5, 3, 3), Indices((5,), below=4)),
            parameters=4 * (3 * 2 + 2 * 2 + 2 * 2),
            states=1,
            tolerance=_SUMS,
        ),
    ),
    "StatefulRecurrentCell": (
        Example(
            layer=luxport.StatefulRecurrentCell(luxport.RNNCell(3, 2), batch_size=5),
            x=(5, 3),
            parameters=3 * 2 + 2 * 2 + 2 * 2,
            states=1 + 5 * 2,
            tolerance=_SUMS,
            per_sample=False,
            remembers=True,
        ),
    ),
    "BidirectionalRNN": (
        Example(
            layer=luxport.BidirectionalRNN(luxport.GRUCell(3, 2), luxport.RNNCell(3, 2), masked=True),
            x=((5, 3, 3), Flags((5, 3))),
            parameters=3 * (3 * 2 + 2 * 2 + 2 * 2) + (3 * 2 + 2 * 2 + 2 * 2),
            states=2,
            tolerance=_SUMS,
        ),
    ),
    "RNN": (
        Example(
            layer=luxport.RNN(3, 2, num_layers=2, dropout=0.4),
            x=(5, 3, 3),
            parameters=(3 * 2 + 2 * 2 + 2) + (2 * 2 + 2 * 2 + 2),
            states=1 + 2 + 1,
            tolerance=_SUMS,
        ),
    ),
    "LSTM": (
        Example(
            layer=luxport.LSTM(3, 2, return_state=True),
            x=((5, 3, 3), (_CARRY, _CARRY)),
            parameters=4 * (3 * 2 + 2 * 2 + 2),
            states=1,
            tolerance=_SUMS,
        ),
    ),
    "GRU": (
        Example(
            layer=luxport.GRU(3, 2, num_layers=2, bidirectional=True),
            x=(5, 2, 3),
            parameters=2 * 3 * (3 * 2 + 2 * 2 + 2) + 2 * 3 * (4 * 2 + 2 * 2 + 2),
            states=4,
            tolerance=_SUMS,
        ),
        Example(
            layer=luxport.GRU(3, 2, time_major=True),
            x=(3, 5, 3),
            parameters=3 * (3 * 2 + 2 * 2 + 2),
            states=1,
            tolerance=_SUMS,
            per_sample=False,
        ),
    ),
    "GRUv3": (
        Example(
            layer=luxport.GRUv3(3, 2),
            x=(5, 3, 3),
            parameters=3 * (3 * 2 + 2 * 2 + 2) + 2 * 2,
            states=1,
            tolerance=_SUMS,
        ),
    ),
}
