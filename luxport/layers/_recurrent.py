"""Multi-layer recurrent networks, as in Flux and PyTorch: `RNN`, `LSTM`, `GRU`, `GRUv3`."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import KW_ONLY, field
from numbers import Real
from typing import Any, ClassVar

from luxport.core.containers import WrapperLayer
from luxport.core.input_checks import check_sizes
from luxport.core.layer import Layer
from luxport.core.layer_base import NamedLayers, Parameters, States
from luxport.initializers import Initializer, zeros
from luxport.layers._bidirectional import BidirectionalRNN
from luxport.layers._cell_base import GateInitializer, RecurrentCell
from luxport.layers._dropout import Dropout
from luxport.layers._recurrence import Recurrence, join_input, split_input
from luxport.layers._recurrent_cells import GRUCell, GRUv3Cell, LSTMCell, RNNCell
from luxport.ops import Activation, tanh
from luxport.text import show

__all__ = ["GRU", "LSTM", "RNN", "GRUv3"]

_MOST_LAYERS = 1000


class _Levels(WrapperLayer):
    """Levels of cells of one class, each run over the sequence of outputs of the level below."""

    in_dims: int
    out_dims: int
    _: KW_ONLY
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    return_state: bool = False
    time_major: bool = False
    masked: bool = False
    use_bias: bool = True
    train_state: bool = False
    init_weight: GateInitializer = None
    init_recurrent_weight: GateInitializer = None
    init_bias: GateInitializer = None
    init_state: Initializer = zeros
    layers: Any = field(init=False)

    _tells_as_own: ClassVar[bool] = True

    def __post_init__(self) -> None:
        name = type(self).__name__
        check_sizes(name, num_layers=self.num_layers)
        if self.num_layers == 0:
            raise ValueError(f"{name} expects at least one layer, got num_layers=0")
        if self.num_layers > _MOST_LAYERS:
            raise ValueError(f"{name} expects at most {_MOST_LAYERS} layers, got num_layers={self.num_layers}")
        if not isinstance(self.dropout, Real) or not 0 <= self.dropout <= 1:
            raise ValueError(f"{name} expects dropout as a probability in [0, 1], got {show(self.dropout)}")
        levels: dict[str, Layer] = {}
        for level in range(1, self.num_layers + 1):
            below = self.out_dims * (2 if self.bidirectional else 1)
            cell = self._make_cell(self.in_dims if level == 1 else below)
            run = BidirectionalRNN if self.bidirectional else Recurrence
            levels[f"layer_{level}"] = run(
                cell, return_sequence=True, return_state=True, time_major=self.time_major, masked=self.masked
            )
            if self.dropout and level < self.num_layers:
                levels[f"dropout_{level}"] = Dropout(self.dropout)
        object.__setattr__(self, "layers", levels["layer_1"] if self.num_layers == 1 else NamedLayers(levels))
        super().__post_init__()

    def __call__(self, x: Any, ps: Parameters, st: States) -> tuple[Any, States]:
        """Run the levels one after the other."""
        # Told apart by name, not by type: `debug` and `summary` wrap levels in other layers.
        if self.num_layers == 1:
            (y, carry), st = self.layers(x, ps, st)
            return (y, carry) if self.return_state else y, st
        x, mask, carries = split_input(x, self.masked)
        starts = iter(carries if carries is not None else [None] * self.num_layers)
        ends, new_st = [], {}
        for name, layer in self.layers.items():
            if name.startswith("layer_"):
                (x, carry), new_st[name] = layer(join_input(x, mask, next(starts)), ps[name], st[name])
                ends.append(carry)
            else:
                x, new_st[name] = layer(x, ps[name], st[name])
        return (x, tuple(ends)) if self.return_state else x, new_st

    @abstractmethod
    def _make_cell(self, in_dims: int) -> RecurrentCell: ...

    def _collect_options(self) -> dict[str, Any]:
        names = ("use_bias", "train_state", "init_weight", "init_recurrent_weight", "init_bias", "init_state")
        return {name: getattr(self, name) for name in names}


class RNN(_Levels):
    """`RNNCell` run over a sequence, in one level or more; returns all outputs of the top level.

    ``h[t] = cell(x[t], h[t - 1])``; the x of a level is the h of the level below, and y that of the top level. By
    default there is a single bias, as in Flux. A carry is a tuple of arrays, or with `num_layers` > 1 a tuple of such
    tuples; one to start from is the last element of the input. With `bidirectional` the outputs of both directions are
    concatenated, and the carry of a level is the pair of theirs.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        activation: the function in the cell's formula
        num_layers: how many levels there are
        bidirectional: whether each level runs in both directions of time, as `BidirectionalRNN`
        dropout: the probability with which an entry is dropped between two levels, in training
        return_state: whether the output is (y, carry), with the last carry
        time_major: whether the axes of x are (T, N, ...) instead of (N, T, ...)
        masked: whether the input is (x, mask), where the mask holds lengths or a flag for each step
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state
        use_recurrent_bias: whether a second bias, bias_hh, is added to the product with the hidden state

    Shapes: x (N, T, in_dims), or (T, in_dims) -> y (N, T, out_dims), or (T, out_dims); with `bidirectional`
            2 out_dims. Input x, (x, carry), (x, mask) or (x, mask, carry); output y, or (y, carry) with `return_state`
    Params: the cell's, or the `BidirectionalRNN`'s; with `num_layers` > 1, layer_1, layer_2, …: theirs
    State:  likewise, and dropout_1, dropout_2, …: those of `Dropout`
    Raises: as `RNNCell` and `Recurrence`; ValueError when built with num_layers that is no int of at least 1
    Source: Flux.jl ``RNN``; torch ``nn.RNN`` for levels

    >>> import numpy as np, luxport
    >>> model = RNN(3, 5, luxport.relu, num_layers=2, return_state=True)
    >>> ps, st = luxport.setup(0, model)
    >>> (y, carry), st = model(np.ones((2, 4, 3), np.float32), ps, st)
    >>> y.shape, carry[1][0].shape
    ((2, 4, 5), (2, 5))
    """

    activation: Activation = tanh
    _: KW_ONLY
    use_recurrent_bias: bool = False

    def _make_cell(self, in_dims: int) -> RecurrentCell:
        recurrent = self.use_recurrent_bias
        return RNNCell(in_dims, self.out_dims, self.activation, use_recurrent_bias=recurrent, **self._collect_options())


class LSTM(_Levels):
    """`LSTMCell` run over a sequence, in one level or more, as in `RNN`.

    ``(h[t], c[t]) = cell(x[t], (h[t - 1], c[t - 1]))``, and ``y = h`` of the top level.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        num_layers: how many levels there are
        bidirectional: whether each level runs in both directions of time, as `BidirectionalRNN`
        dropout: the probability with which an entry is dropped between two levels, in training
        return_state: whether the output is (y, carry), with the last carry
        time_major: whether the axes of x are (T, N, ...) instead of (N, T, ...)
        masked: whether the input is (x, mask), where the mask holds lengths or a flag for each step
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih, all gates or a tuple of one each; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state
        use_recurrent_bias: whether a second bias, bias_hh, is added to the product with the hidden state
        train_memory: whether the initial memory is a parameter
        init_memory: draws the initial memory

    Shapes: x (N, T, in_dims) -> y (N, T, out_dims); a carry is (hidden, memory)
    Params: as `RNN`
    State:  as `RNN`
    Raises: as `RNN`
    Source: Flux.jl ``LSTM``; torch ``nn.LSTM`` for levels

    >>> import numpy as np, luxport
    >>> ps, st = luxport.setup(0, LSTM(3, 5))
    >>> y, st = LSTM(3, 5)(np.ones((2, 4, 3), np.float32), ps, st)
    >>> y.shape
    (2, 4, 5)
    """

    _: KW_ONLY
    use_recurrent_bias: bool = False
    train_memory: bool = False
    init_memory: Initializer = zeros

    def _make_cell(self, in_dims: int) -> RecurrentCell:
        return LSTMCell(
            *(in_dims, self.out_dims),
            use_recurrent_bias=self.use_recurrent_bias,
            train_memory=self.train_memory,
            init_memory=self.init_memory,
            **self._collect_options(),
        )


class GRU(_Levels):
    """`GRUCell` run over a sequence, in one level or more, as in `RNN`.

    ``h[t] = cell(x[t], h[t - 1])``, and ``y = h`` of the top level.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        num_layers: how many levels there are
        bidirectional: whether each level runs in both directions of time, as `BidirectionalRNN`
        dropout: the probability with which an entry is dropped between two levels, in training
        return_state: whether the output is (y, carry), with the last carry
        time_major: whether the axes of x are (T, N, ...) instead of (N, T, ...)
        masked: whether the input is (x, mask), where the mask holds lengths or a flag for each step
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih, all gates or a tuple of one each; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state
        use_recurrent_bias: whether a second bias, bias_hh, is added to the product with the hidden state

    Shapes: x (N, T, in_dims) -> y (N, T, out_dims)
    Params: as `RNN`
    State:  as `RNN`
    Raises: as `RNN`
    Source: Flux.jl ``GRU``; torch ``nn.GRU`` for levels

    >>> import luxport
    >>> luxport.output_shape(GRU(3, 5, num_layers=2), (2, 4, 3))
    (2, 4, 5)
    """

    _: KW_ONLY
    use_recurrent_bias: bool = False

    def _make_cell(self, in_dims: int) -> RecurrentCell:
        return GRUCell(in_dims, self.out_dims, use_recurrent_bias=self.use_recurrent_bias, **self._collect_options())


class GRUv3(_Levels):
    """`GRUv3Cell` run over a sequence, in one level or more, as in `RNN`.

    ``h[t] = cell(x[t], h[t - 1])``, and ``y = h`` of the top level.

    Args:
        in_dims: the size of x's last axis
        out_dims: the size of the hidden state
        num_layers: how many levels there are
        bidirectional: whether each level runs in both directions of time, as `BidirectionalRNN`
        dropout: the probability with which an entry is dropped between two levels, in training
        return_state: whether the output is (y, carry), with the last carry
        time_major: whether the axes of x are (T, N, ...) instead of (N, T, ...)
        masked: whether the input is (x, mask), where the mask holds lengths or a flag for each step
        use_bias: whether a bias is added
        train_state: whether the initial hidden state is a parameter
        init_weight: draws weight_ih, all gates or a tuple of one each; None: U(-a, a) with a = 1 / sqrt(out_dims)
        init_recurrent_weight: draws weight_hh, given as init_weight is; None: the same as init_weight
        init_bias: draws the biases, given as init_weight is
        init_state: draws the initial hidden state

    Shapes: x (N, T, in_dims) -> y (N, T, out_dims)
    Params: as `RNN`
    State:  as `RNN`
    Raises: as `RNN`
    Source: Flux.jl ``GRUv3``

    >>> import luxport
    >>> luxport.output_shape(GRUv3(3, 5), (2, 4, 3))
    (2, 4, 5)
    """

    def _make_cell(self, in_dims: int) -> RecurrentCell:
        return GRUv3Cell(in_dims, self.out_dims, **self._collect_options())
