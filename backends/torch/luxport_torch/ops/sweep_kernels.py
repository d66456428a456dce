"""Kernels of recurrent networks over time and their gradients, written with PyTorch operations without autograd."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["backward", "forward", "make_backward_outputs", "make_forward_outputs"]

_Tensors = tuple[torch.Tensor, ...]

_GATES = {"rnn": 0, "lstm": 4, "gru": 4, "gru_v3": 3}
"""How many gate arrays, each of the size of the hidden state, a step keeps for the gradient."""


def forward(kind: str, activation: str, reverse: bool, *arrays: Any) -> _Tensors:
    """Return the hidden states (T, N, out), the last memory, and for the gradient the gates and memories of all steps.

    Args:
        kind: "rnn", "lstm", "gru" or "gru_v3"
        activation: the name of the activation of an "rnn"
        reverse: whether the steps go from the last to the first
        *arrays: products of the inputs, the weight, the other weight or bias, hidden state, memory, and mask; None for
            each that is absent
    """
    projected, weight, other, hidden, memory, mask = arrays
    states, end, gates, memories = _make_outputs(kind, projected, hidden, memory)
    times = range(len(projected) - 1, -1, -1) if reverse else range(len(projected))
    rows = projected.unbind(0)
    slots, kept = states.unbind(0), gates.unbind(0)
    keep = None if mask is None else mask.unsqueeze(-1).unbind(0)
    out = hidden.shape[-1]
    parts = [part.unbind(0) for part in gates.split(out, -1)] if gates.numel() else []
    cells = memories.unbind(0)
    for t in times:
        if kind == "rnn":
            new = _activate(activation, torch.addmm(rows[t], hidden, weight))
        elif kind == "lstm":
            assert memory is not None
            i, f, g, o = [part[t] for part in parts]
            torch.addmm(rows[t], hidden, weight, out=kept[t])
            candidate = g.tanh()
            kept[t].sigmoid_()
            g.copy_(candidate)
            following = torch.mul(f, memory, out=cells[t]).addcmul_(i, g)
            new = o * following.tanh()
            if keep is not None:
                following.copy_(torch.where(keep[t], following, memory))
            memory = following
        elif kind == "gru":
            r, z, n, n_h = [part[t] for part in parts]
            of_hidden = hidden @ weight if other is None else torch.addmm(other, hidden, weight)
            torch.add(rows[t][:, : 2 * out], of_hidden[:, : 2 * out], out=kept[t][:, : 2 * out]).sigmoid_()
            n_h.copy_(of_hidden[:, 2 * out :])
            torch.addcmul(rows[t][:, 2 * out :], r, n_h, out=n).tanh_()
            new = (1.0 - z).mul_(n).addcmul_(z, hidden)
        else:
            assert other is not None
            r, z, n = [part[t] for part in parts]
            gate = kept[t][:, : 2 * out]
            gate.copy_(torch.addmm(rows[t][:, : 2 * out], hidden, weight[:, : 2 * out])).sigmoid_()
            n.copy_(torch.addmm(rows[t][:, 2 * out :], r * hidden, other)).tanh_()
            new = (1.0 - z).mul_(n).addcmul_(z, hidden)
        hidden = slots[t].copy_(new if keep is None else torch.where(keep[t], new, hidden))
    if memory is not None:
        end.copy_(memory)
    return states, end, gates, memories


def _make_outputs(kind: str, projected: torch.Tensor, hidden: torch.Tensor, memory: torch.Tensor | None) -> _Tensors:
    steps, samples, out = projected.shape[0], *hidden.shape
    none = 0 if memory is None else 1
    return (
        projected.new_empty(steps, samples, out),
        projected.new_empty(samples * none, out),
        projected.new_empty(steps, samples, _GATES[kind] * out),
        projected.new_empty(steps, samples * none, out),
    )


def _activate(name: str, x: torch.Tensor) -> torch.Tensor:
    if name == "tanh":
        return x.tanh_()
    return x if name == "identity" else x.relu_() if name == "relu" else x.sigmoid_()


def _differentiate_activation(name: str, y: torch.Tensor) -> torch.Tensor:
    """Return the derivative of an activation, computed from its value y."""
    if name == "tanh":
        return 1.0 - y * y
    if name == "relu":
        return (y > 0).to(y.dtype)
    return y * (1.0 - y) if name == "sigmoid" else torch.ones_like(y)


def backward(kind: str, activation: str, reverse: bool, of_states: Any, of_end: Any, *arrays: Any) -> _Tensors:
    """Return the gradients of `forward`'s arrays: products, weight, other weight or bias, hidden state, memory.

    Whatever does not depend on the gradients of later steps is computed for all steps at once before the loop; the
    gradients of weights are computed after it.

    Args:
        kind: as in `forward`
        activation: as in `forward`
        reverse: as in `forward`
        of_states: the cotangent of the hidden states
        of_end: the cotangent of the last memory
        *arrays: the arrays of `forward` except the products, then the states, gates and memories that it returned
    """
    weight, other, hidden, memory, mask, states, gates, memories = arrays
    steps, out = len(states), hidden.shape[-1]
    times = range(steps) if reverse else range(steps - 1, -1, -1)
    before = _find_starts(states, hidden, reverse)
    of_states_rows = of_states.unbind(0)
    keep = None if mask is None else mask.unsqueeze(-1)
    skip = None if keep is None else keep.logical_not().unbind(0)
    transposed = weight.mT.contiguous()
    slopes = states.new_empty(steps, states.shape[1], weight.shape[-1])  # gradients of the pre-activations
    slots = slopes.unbind(0)
    pulled = torch.zeros_like(hidden)
    of_other = torch.empty_like(other) if other is not None else weight.new_empty(0)
    of_memory = torch.empty_like(memory) if memory is not None else weight.new_empty(0)
    if kind == "rnn":
        factors = _differentiate_activation(activation, states).unbind(0)
        for t in times:
            new, passed = _split_gradient(pulled + of_states_rows[t], skip, t)
            torch.mul(new, factors[t], out=slots[t])
            pulled = _pull(slots[t], transposed, passed)
        of_weight = _multiply(before, slopes)
        return slopes, of_weight, of_other, pulled, of_memory
    if kind == "lstm":
        assert memory is not None
        earlier = _find_starts(memories, memory, reverse)
        i, f, g, o = gates.split(out, -1)
        bent = memories.tanh()  # of masked steps it is multiplied by 0
        to_o = bent * o * (1.0 - o)
        to_memory = o * (1.0 - bent * bent)
        local = torch.cat([g * i * (1.0 - i), earlier * f * (1.0 - f), i * (1.0 - g * g)], -1).unflatten(-1, (3, out))
        to_o_rows, to_memory_rows, local_rows, forget = (
            to_o.unbind(0),
            to_memory.unbind(0),
            local.unbind(0),
            f.unbind(0),
        )
        three = slopes[..., : 3 * out].unflatten(-1, (3, out)).unbind(0)
        last = slopes[..., 3 * out :].unbind(0)
        kept = of_end
        for t in times:
            new, passed = _split_gradient(pulled + of_states_rows[t], skip, t)
            new_memory, passed_memory = _split_gradient(kept, skip, t)
            slope = torch.addcmul(new_memory, new, to_memory_rows[t])
            torch.mul(new, to_o_rows[t], out=last[t])
            torch.mul(local_rows[t], slope.unsqueeze(1), out=three[t])
            kept = slope * forget[t]
            if passed_memory is not None:
                # In masked steps the slopes are 0 already, unless 0 was multiplied by an infinity.
                assert skip is not None
                slots[t].masked_fill_(skip[t], 0.0)
                kept = torch.where(skip[t], passed_memory, kept)
            pulled = _pull(slots[t], transposed, passed)
        return slopes, _multiply(before, slopes), of_other, pulled, kept if steps else of_end.clone()
    r, z, n = gates[..., : 3 * out].split(out, -1)
    by_n = ((1.0 - z) * (1.0 - n * n)).unbind(0)
    by_z = ((before - n) * z * (1.0 - z)).unbind(0)
    of_r, of_z, of_n = [part.unbind(0) for part in slopes.split(out, -1)]
    stays = z.unbind(0)
    if kind == "gru":
        by_r = (gates[..., 3 * out :] * r * (1.0 - r)).unbind(0)
        of_hidden = torch.empty_like(slopes)
        of_hidden_rows = of_hidden.unbind(0)
        opened = r.unbind(0)
        for t in times:
            new, passed = _split_gradient(pulled + of_states_rows[t], skip, t)
            torch.mul(new, by_n[t], out=of_n[t])
            torch.mul(new, by_z[t], out=of_z[t])
            torch.mul(of_n[t], by_r[t], out=of_r[t])
            row = of_hidden_rows[t].copy_(slots[t])
            row[:, 2 * out :].mul_(opened[t])
            pulled = _pull(row, transposed, new * stays[t] if passed is None else passed.addcmul(new, stays[t]))
        if other is not None:
            of_other = of_hidden.sum((0, 1))
        return slopes, _multiply(before, of_hidden), of_other, pulled, of_memory
    assert other is not None
    by_r = (before * r * (1.0 - r)).unbind(0)
    opened, gate_weight, candidate = r.unbind(0), transposed[: 2 * out], other.mT.contiguous()
    for t in times:
        new, passed = _split_gradient(pulled + of_states_rows[t], skip, t)
        torch.mul(new, by_n[t], out=of_n[t])
        torch.mul(new, by_z[t], out=of_z[t])
        through = of_n[t] @ candidate
        torch.mul(through, by_r[t], out=of_r[t])
        stayed = new * stays[t] if passed is None else passed.addcmul(new, stays[t])
        pulled = _pull(slots[t][:, : 2 * out], gate_weight, stayed.addcmul(through, opened[t]))
    of_weight = torch.zeros_like(weight)
    of_weight[:, : 2 * out] = _multiply(before, slopes[..., : 2 * out])
    return slopes, of_weight, _multiply(r * before, slopes[..., 2 * out :]), pulled, of_memory


def _split_gradient(gradient: torch.Tensor, skip: Any, t: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the gradient where the step is not masked, and, for the state before it, where the step is masked."""
    if skip is None:
        return gradient, None
    return gradient.masked_fill(skip[t], 0.0), torch.where(skip[t], gradient, 0.0)


def _pull(slopes: torch.Tensor, transposed: torch.Tensor, passed: torch.Tensor | None) -> torch.Tensor:
    return slopes @ transposed if passed is None else torch.addmm(passed, slopes, transposed)


def _find_starts(states: torch.Tensor, first: torch.Tensor, reverse: bool) -> torch.Tensor:
    """Return the state before each step."""
    first = first.unsqueeze(0)
    return torch.cat([states[1:], first]) if reverse else torch.cat([first, states[:-1]])


def _multiply(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a.reshape(-1, a.shape[-1]).mT @ b.reshape(-1, b.shape[-1])


def make_backward_outputs(*arguments: Any) -> _Tensors:
    """Return arrays of the sizes that `backward` returns."""
    _, _, _, _, _, weight, other, hidden, memory, _, states, _, _ = arguments
    return (
        states.new_empty(states.shape[0], states.shape[1], weight.shape[-1]),
        weight.new_empty(weight.shape),
        weight.new_empty(0 if other is None else other.shape),
        hidden.new_empty(hidden.shape),
        weight.new_empty(0 if memory is None else memory.shape),
    )


def make_forward_outputs(*arguments: Any) -> _Tensors:
    """Return arrays of the sizes that `forward` returns."""
    kind, _, _, projected, _, _, hidden, memory, _ = arguments
    return _make_outputs(kind, projected, hidden, memory)
