"""Recurrent sweeps: a cell run over all time steps, with one matrix product for the inputs of all steps.

Time is the first axis: x is (T, N, in), or (T, in) for a single sequence. The last axis of a weight holds all gates,
side by side. Where a mask (T, N) is false the step does not count: the state does not change and the output is zero.
With `reverse` time runs backward, and the output of a step stays in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from luxport import tree
from luxport.backend import Array, namespace
from luxport.backend.dtypes import run_wide
from luxport.backend.option_rules import FLAG, FUNCTION
from luxport.ops._affine import dense
from luxport.ops._operation import operation
from luxport.ops.activations import Activation, sigmoid, tanh
from luxport.transforms._loops import scan

__all__ = ["gru_sweep", "gru_v3_sweep", "lstm_sweep", "rnn_sweep"]


def _takes(gates: int, more: str, *, carries: tuple[str, ...] = ("hidden",)) -> tuple[str, str]:
    """Return the patterns of the arrays that a sweep takes, for a batch of sequences and for a single one."""
    n = f"{gates} " if gates > 1 else ""

    def pattern(*batch: str) -> str:
        states = [f"{name} like x ({', '.join((*batch, 'out'))})" for name in carries]
        return ", ".join(
            (
                f"x floating ({', '.join(('T', *batch, 'in'))}), weight_ih like x (in, {n}out)",
                f"weight_hh like x (out, {n}out), {more}",
                *states,
                f"mask bool ({', '.join(('T', *batch))})?",
            )
        )

    return pattern("N"), pattern()


def _name_biases(gates: int) -> str:
    n = f"{gates} " if gates > 1 else ""
    return f"bias_ih like x ({n}out)?, bias_hh like x ({n}out)?"


_REVERSE = {"reverse": FLAG}


@operation(takes=_takes(1, _name_biases(1)), rules={**_REVERSE, "activation": FUNCTION})
@run_wide
def rnn_sweep(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    hidden: Array,
    mask: Array | None = None,
    *,
    activation: Activation = tanh,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Run Elman's cell over time: return all outputs and the last hidden state.

    Args:
        activation: the function in the cell's formula
        reverse: whether time runs backward; each output stays at its place

    Shapes: x (T, N, in), weight_ih (in, out), weight_hh (out, out), biases (out,) or None, hidden (N, out),
            mask (T, N) bool or None -> (T, N, out), (N, out)
    Source: Lux.jl ``RNNCell``; torch ``nn.RNN``
    """

    def step(projected: Array, hidden: Array) -> tuple[Array]:
        return (step_rnn(projected, hidden, weight_hh, activation),)

    return sweep(step, dense(clear_masked(mask, x), weight_ih, add_biases(bias_ih, bias_hh)), (hidden,), mask, reverse)


@operation(takes=_takes(4, _name_biases(4), carries=("hidden", "memory")), rules=_REVERSE)
@run_wide
def lstm_sweep(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    hidden: Array,
    memory: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array, Array]:
    """Run an LSTM over time: return all outputs, the last hidden state and the last memory.

    Args:
        reverse: whether time runs backward; each output stays at its place

    Shapes: x (T, N, in), weight_ih (in, 4 out), weight_hh (out, 4 out), biases (4 out,) or None,
            hidden and memory (N, out), mask (T, N) bool or None -> (T, N, out), (N, out), (N, out)
    Source: Lux.jl ``LSTMCell``; torch ``nn.LSTM``
    """

    def step(projected: Array, hidden: Array, memory: Array) -> tuple[Array, Array]:
        return step_lstm(projected, hidden, memory, weight_hh)

    return sweep(
        step,
        dense(clear_masked(mask, x), weight_ih, add_biases(bias_ih, bias_hh)),
        (hidden, memory),
        mask,
        reverse,
    )


@operation(takes=_takes(3, _name_biases(3)), rules=_REVERSE)
@run_wide
def gru_sweep(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
    hidden: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Run a GRU over time: return all outputs and the last hidden state.

    Args:
        reverse: whether time runs backward; each output stays at its place

    Shapes: x (T, N, in), weight_ih (in, 3 out), weight_hh (out, 3 out), biases (3 out,) or None, hidden (N, out),
            mask (T, N) bool or None -> (T, N, out), (N, out)
    Source: Lux.jl ``GRUCell``; torch ``nn.GRU``
    """

    def step(projected: Array, hidden: Array) -> tuple[Array]:
        return (step_gru(projected, hidden, weight_hh, bias_hh),)

    return sweep(step, dense(clear_masked(mask, x), weight_ih, bias_ih), (hidden,), mask, reverse)


@operation(takes=_takes(3, "weight_hn like x (out, out), bias_ih like x (3 out)?"), rules=_REVERSE)
@run_wide
def gru_v3_sweep(
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    weight_hn: Array,
    bias_ih: Array | None,
    hidden: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array]:
    """Run a GRU with its reset gate before the product over time: return all outputs and the last hidden state.

    Args:
        reverse: whether time runs backward; each output stays at its place

    Shapes: x (T, N, in), weight_ih (in, 3 out), weight_hh (out, 3 out) with its last third unused, weight_hn
            (out, out), bias (3 out,) or None, hidden (N, out), mask (T, N) bool or None -> (T, N, out), (N, out)
    Source: Flux.jl ``GRUv3``
    """

    def step(projected: Array, hidden: Array) -> tuple[Array]:
        return (step_gru_v3(projected, hidden, weight_hh, weight_hn),)

    return sweep(step, dense(clear_masked(mask, x), weight_ih, bias_ih), (hidden,), mask, reverse)


def sweep(
    step: Callable[..., tuple[Array, ...]], x: Array, carry: tuple[Array, ...], mask: Array | None, reverse: bool
) -> Any:
    """Run ``carry = step(x[t], *carry)`` over time: return the first array of each carry, stacked, and the last carry.

    Shapes: x (T, N, in), carry (N, out) each, mask (T, N) bool or None -> (T, N, out), (N, out) each
    """

    def masked_step(carry: tuple[Array, ...], inputs: Any) -> tuple[tuple[Array, ...], Array]:
        x, keep = inputs
        new = step(x, *carry)
        return hold_masked(keep, new, carry), clear_masked(keep, new[0])

    carry, y = scan(masked_step, carry, (x, mask), reverse=reverse)
    return y, *carry


def step_rnn(projected: Array, hidden: Array, weight_hh: Array, activation: Activation) -> Array:
    """Return ``activation(projected + hidden @ weight_hh)``, the next hidden state."""
    return activation(dense(hidden, weight_hh, None) + projected)


def split_gates(values: Array, gates: int) -> tuple[Array, ...]:
    """Split the last axis into equal parts."""
    # Not one slice for each gate: the gradient of each slice would be as large as the whole array.
    leading = [-1 if size is None else size for size in values.shape[:-1]]
    xp = namespace(values)
    return xp.unstack(xp.reshape(values, (*leading, gates, values.shape[-1] // gates)), axis=-2)


Split = Callable[[Array, int], Sequence[Array]]


def step_lstm(
    projected: Array, hidden: Array, memory: Array, weight_hh: Array, split: Split = split_gates
) -> tuple[Array, Array]:
    """Return the next hidden state and memory; the gates are input, forget, candidate, output."""
    i, f, g, o = split(dense(hidden, weight_hh, None) + projected, 4)
    memory = sigmoid(f) * memory + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(memory), memory


def step_gru(
    projected: Array, hidden: Array, weight_hh: Array, bias_hh: Array | None, split: Split = split_gates
) -> Array:
    """Return the next hidden state; the gates are reset, update, candidate."""
    r_x, z_x, n_x = split(projected, 3)
    r_h, z_h, n_h = split(dense(hidden, weight_hh, bias_hh), 3)
    z = sigmoid(z_x + z_h)
    n = tanh(n_x + sigmoid(r_x + r_h) * n_h)
    return (1 - z) * n + z * hidden


def step_gru_v3(
    projected: Array, hidden: Array, weight_hh: Array, weight_hn: Array, split: Split = split_gates
) -> Array:
    """Return the next hidden state; the reset gate is applied before the product with weight_hn."""
    r_x, z_x, n_x = split(projected, 3)
    r_h, z_h, _ = split(dense(hidden, weight_hh, None), 3)
    z = sigmoid(z_x + z_h)
    n = tanh(n_x + dense(sigmoid(r_x + r_h) * hidden, weight_hn, None))
    return (1 - z) * n + z * hidden


def hold_masked(keep: Array | None, new: Any, old: Any) -> Any:
    """Return the new tree where a step counts, and the old one where it does not."""
    if keep is None:
        return new
    return tree.map(lambda a, b: namespace(a).where(_widen_mask(keep, a), a, b), new, old)


def clear_masked(keep: Array | None, y: Any) -> Any:
    """Return y where a step counts, and zero where it does not."""
    if keep is None:
        return y
    return tree.map(
        lambda leaf: namespace(leaf).where(_widen_mask(keep, leaf), leaf, namespace(leaf).zeros_like(leaf)), y
    )


def _widen_mask(mask: Array, leaf: Array) -> Array:
    for _ in range(len(leaf.shape) - len(mask.shape)):
        mask = mask[..., None]
    return mask


def add_biases(bias_ih: Array | None, bias_hh: Array | None) -> Array | None:
    """Add two biases, either of which may be None."""
    if bias_ih is None or bias_hh is None:
        return bias_hh if bias_ih is None else bias_ih
    return bias_ih + bias_hh
