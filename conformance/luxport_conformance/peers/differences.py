"""`DIFFERENCES`: what libraries mean otherwise by one name, numbers that show it, and a way over if there is one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

import luxport
from luxport import losses, ops, optimizers
from luxport.porting.torch.conventions import dense_weight
from luxport_conformance.peers.kinds import KINDS

__all__ = ["DIFFERENCES", "Difference", "Shown"]


class Shown(NamedTuple):
    """What luxport gives, what the library gives with the same numbers, and what luxport gives once converted."""

    here: Any
    there: Any
    converted: Any = None


@dataclass(frozen=True)
class Difference:
    """A kind of difference, where it is seen, and how it is got over, in a line of Python."""

    kind: str
    peer: str
    subject: str
    show: Callable[[Any], Shown]
    module: str
    converter: str = ""

    def shown(self) -> Shown:
        """Import the library and run both."""
        return Shown(*[None if part is None else np.asarray(part) for part in self.show(import_module(self.module))])


_X = np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]], np.float32)
_W = np.array([[1.0, 2.0], [-1.0, 0.5], [0.25, 3.0]], np.float32)


def _dense(torch: Any) -> Shown:
    there = torch.nn.functional.linear(torch.tensor(_X), torch.tensor(_W.T.copy()))
    return Shown(_X @ _W.T.reshape(3, 2), there, _X @ dense_weight(_W.T))


def _flipped(torch: Any) -> Shown:
    x, weight = _X[None, :1], np.array([[[1.0, 2.0]]], np.float32)
    there = torch.nn.functional.conv1d(torch.tensor(x), torch.tensor(weight))
    return Shown(ops.conv(x, weight), there, ops.conv(x, weight, flip=False))


def _padding(jax: Any) -> Shown:
    x, weight = _X[None, :1], np.array([[[1.0, 2.0]]], np.float32)
    there = jax.lax.conv_general_dilated(x, weight, (1,), "SAME")
    same = luxport.Conv((2,), 1, 1, padding=luxport.SamePad(), cross_correlation=True, use_bias=False)
    high = luxport.Conv((2,), 1, 1, padding=((0, 1),), cross_correlation=True, use_bias=False)
    return Shown(same(x, {"weight": weight}, {})[0], there, high(x, {"weight": weight}, {})[0])


def _softmax(torch: Any) -> Shown:
    x = np.array([1.0, np.inf, np.inf], np.float32)
    return Shown(ops.softmax(x), torch.softmax(torch.tensor(x), -1))


def _masked(jax: Any) -> Shown:
    q, k, v = (np.full((1, 2, 1, 2), fill, np.float32) for fill in (1.0, 2.0, 3.0))
    mask = np.array([[[[True, True], [False, False]]]])
    there = jax.nn.dot_product_attention(q, k, v, mask=mask)[0, :, 0]
    own = luxport.MultiHeadAttention(2, nheads=1, return_scores=False)
    eye = {f"{name}_proj": {"weight": np.eye(2, dtype=np.float32)} for name in ("q", "k", "v", "out")}
    st = luxport.test_mode(luxport.setup(0, own, backend="numpy")[1])
    return Shown(own((q[:, :, 0], k[:, :, 0], v[:, :, 0], mask), eye, st)[0][0], there)


def _gelu(jax: Any) -> Shown:
    return Shown(ops.gelu_erf(_X), jax.nn.gelu(_X), ops.gelu_tanh(_X))


def _padding_row(torch: Any) -> Shown:
    indices = np.array([0, 1, 2], np.int32)
    there = torch.nn.functional.embedding(torch.tensor(indices), torch.tensor(_W), padding_idx=1)
    table = luxport.Embedding(3, 2, padding_idx=1)
    zeroed = {"weight": _W * np.array([[1.0], [0.0], [1.0]], np.float32)}
    alike = torch.nn.functional.embedding(torch.tensor(indices), torch.tensor(zeroed["weight"]), padding_idx=1)
    here = table(indices, {"weight": _W}, {})[0]
    return Shown(here, there, there if np.array_equal(here, alike) else None)


def _one_bias_less(torch: Any) -> Shown:
    cell = torch.nn.RNNCell(3, 2)
    own = luxport.RNNCell(3, 2)
    ps = {"weight_ih": cell.weight_ih.detach().numpy().T, "weight_hh": cell.weight_hh.detach().numpy().T}
    into, back = cell.bias_ih.detach().numpy(), cell.bias_hh.detach().numpy()
    st = luxport.setup(0, own, backend="numpy")[1]

    def run(bias: Any) -> Any:
        names = {"bias_ih": bias, "bias_hh": np.zeros_like(bias)}
        wanted = luxport.setup(0, own, backend="numpy")[0]
        return own(_X, ps | {name: value for name, value in names.items() if name in wanted}, st)[0][0]

    return Shown(run(into), cell(torch.tensor(_X)).detach(), run(into + back))


def _divergence(torch: Any) -> Shown:
    p, q = (np.exp(a) / np.exp(a).sum(-1, keepdims=True) for a in (_X, _X[:, ::-1]))
    with warnings.catch_warnings(action="ignore"):  # PyTorch advises against this, its default
        there = torch.nn.functional.kl_div(torch.tensor(np.log(p)), torch.tensor(q), reduction="mean")
    return Shown(losses.kldivergence(p, q), there, losses.kldivergence(p, q) / p.shape[-1])


def _log_of_zero(torch: Any) -> Shown:
    y_hat, y = np.zeros(2, np.float32), np.ones(2, np.float32)
    there = torch.nn.functional.binary_cross_entropy(torch.tensor(y_hat), torch.tensor(y))
    return Shown(losses.binarycrossentropy(y_hat, y), there)


def _per_entry(optax: Any) -> Shown:
    y = _X[::-1].copy()
    return Shown(losses.mse(_X, y), optax.losses.squared_error(_X, y), losses.mse(_X, y, agg=None))


def _steps(rule: Any, gradients: Any) -> Any:
    state, ps = optimizers.setup(rule, {"x": _X}), {"x": _X}
    for gradient in gradients:
        state, ps = optimizers.update(state, ps, {"x": gradient})
    return ps["x"]


def _torch_steps(torch: Any, name: str, gradients: Any, **options: Any) -> Any:
    parameter = torch.nn.Parameter(torch.tensor(_X))
    optimizer = getattr(torch.optim, name)([parameter], **options)
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach()


_GRADIENTS = (_X[::-1].copy(), 0.5 * _X, -_X[:, ::-1].copy())


def _velocity(torch: Any) -> Shown:
    first, then = _GRADIENTS[:2]
    parameter = torch.nn.Parameter(torch.tensor(_X))
    optimizer = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    state, ps = optimizers.setup(optimizers.Momentum(0.1, 0.9), {"x": _X}), {"x": _X}
    for eta, gradient in ((0.1, first), (0.01, then)):
        optimizer.param_groups[0]["lr"] = eta
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        state, ps = optimizers.update(optimizers.adjust(state, eta=eta), ps, {"x": gradient})
    # By hand: gradients add up in the velocity, and the rate of the day multiplies it.
    by_hand = _X - 0.1 * first - 0.01 * (0.9 * first + then)
    return Shown(ps["x"], parameter.detach(), by_hand)


def _amsgrad(torch: Any) -> Shown:
    there = _torch_steps(torch, "Adam", _GRADIENTS, lr=0.1, amsgrad=True)
    return Shown(_steps(optimizers.AMSGrad(0.1), _GRADIENTS), there)


def _nadam(torch: Any) -> Shown:
    return Shown(_steps(optimizers.NAdam(0.1), _GRADIENTS), _torch_steps(torch, "NAdam", _GRADIENTS, lr=0.1))


def _optax_steps(optimizer: Any, gradients: Any) -> Any:
    x, state = _X, optimizer.init(_X)
    for gradient in gradients:
        updates, state = optimizer.update(gradient, state, x)
        x = np.asarray(x + updates)
    return x


def _accumulator(optax: Any) -> Shown:
    here = _steps(optimizers.AdaGrad(0.1), _GRADIENTS)
    there = _optax_steps(optax.adagrad(0.1), _GRADIENTS)
    return Shown(here, there)


def _inside(optax: Any) -> Shown:
    rule = optimizers.RMSProp(0.1, 0.9, 1e-2)
    outside = _optax_steps(optax.rmsprop(0.1, 0.9, 1e-2, eps_in_sqrt=False), _GRADIENTS)
    there = _optax_steps(optax.rmsprop(0.1, 0.9, 1e-2), _GRADIENTS)
    here = _steps(rule, _GRADIENTS)
    return Shown(here, there, there if np.allclose(here, outside, rtol=1e-5) else None)


def _one_sample(equinox: Any) -> Shown:
    jax = import_module("jax")
    linear = equinox.nn.Linear(3, 2, use_bias=False, key=jax.random.key(0))
    weight = np.asarray(linear.weight)
    return Shown((_X @ weight.T)[0], linear(_X[1]), (_X @ weight.T)[1])


def _all() -> Iterator[Difference]:
    torch, jax, optax = ("torch.nn", "torch"), ("jax.nn", "jax"), ("optax", "optax")
    for kind, (peer, module), subject, show, converter in (
        ("weights (out, in)", torch, "Dense", _dense, "weight.T"),
        ("flipped kernel", torch, "Conv", _flipped, "Conv(..., cross_correlation=True)"),
        ("padding high", jax, "Conv", _padding, "padding=(((k - 1) // 2, k // 2),)"),
        ("infinity in softmax", torch, "softmax", _softmax, ""),
        ("masked rows", jax, "MultiHeadAttention", _masked, ""),
        ("gelu by tanh", jax, "gelu", _gelu, "gelu_tanh"),
        ("no padding row", torch, "Embedding", _padding_row, "weight[padding_idx] = 0"),
        ("two biases", torch, "RNNCell", _one_bias_less, "bias_ih + bias_hh"),
        ("mean over all entries", torch, "kldivergence", _divergence, "loss / classes"),
        ("clipped probabilities", torch, "binarycrossentropy", _log_of_zero, ""),
        ("loss per entry", optax, "mse", _per_entry, "agg=None"),
        ("learning rate outside the velocity", torch, "Momentum", _velocity, "velocity * new_eta / old_eta"),
        ("corrected AMSGrad", torch, "AMSGrad", _amsgrad, ""),
        ("momentum on a schedule", torch, "NAdam", _nadam, ""),
        ("initial accumulator", optax, "AdaGrad", _accumulator, ""),
        ("epsilon inside the root", optax, "RMSProp", _inside, "optax.rmsprop(..., eps_in_sqrt=False)"),
        ("one sample at a time", ("equinox", "equinox"), "Dense", _one_sample, "jax.vmap(layer)"),
    ):
        assert kind in KINDS
        yield Difference(kind, peer, subject, show, module, converter)


DIFFERENCES: tuple[Difference, ...] = tuple(_all())
