"""The training steps by hand in PyTorch: functions of dicts of tensors, and one call of the fused Adam a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

import luxport
from benchmarks.models import CASES, name_by_case

__all__ = ["COMPILED", "FORWARDS", "wait_for", "make_step"]

COMPILED = False
_torch: Any = torch
"""Its functions of many tensors, which are not declared."""


def wait_for(values: Any) -> None:
    """Wait for nothing: the CPU's tensors are there when the call returns."""


def dense(x: Any, p: Any) -> Any:
    return torch.addmm(p["bias"], x, p["weight"])


def batch_norm(x: Any, p: Any, s: Any) -> Any:
    return functional.batch_norm(x, s["running_mean"], s["running_var"], p["scale"], p["bias"], True, 0.1, 1e-5)


def list_layers(p: Any) -> Any:
    return list(p.values())


def mlp(x: Any, ps: Any, st: Any) -> Any:
    *hidden, last = list_layers(ps)
    for p in hidden:
        x = dense(x, p).relu()
    return dense(x, last)


def deep(x: Any, ps: Any, st: Any) -> Any:
    for p in list_layers(ps):
        x = dense(x, p).relu()
    return x


def quick_start(x: Any, ps: Any, st: Any) -> Any:
    one, two, three, four = list_layers(ps)
    x = dense(batch_norm(x, one, st["layer_1"]), two).tanh()
    x = batch_norm(x, three, st["layer_3"])
    return dense(dense(x, four["layer_1"]).tanh(), four["layer_2"])


def lenet(x: Any, ps: Any, st: Any) -> Any:
    for name in ("layer_1", "layer_3"):
        x = functional.max_pool2d(functional.conv2d(x, ps[name]["weight"], ps[name]["bias"]).relu(), 2)
    x = x.flatten(1)
    for name in ("layer_6", "layer_7"):
        x = dense(x, ps[name]).relu()
    return dense(x, ps["layer_8"])


def resnet_block(x: Any, ps: Any, st: Any) -> Any:
    ps, st = ps["layer_1"], st["layer_1"]
    stride, shortcut = 1, x
    if "shortcut" in ps:
        stride, shortcut = 2, functional.conv2d(x, ps["shortcut"]["weight"], stride=2)
        ps, st = ps["body"], st["body"]
    x = functional.conv2d(x, ps["layer_1"]["weight"], stride=stride, padding=1)
    x = batch_norm(x, ps["layer_2"], st["layer_2"]).relu()
    x = batch_norm(functional.conv2d(x, ps["layer_3"]["weight"], padding=1), ps["layer_4"], st["layer_4"])
    return (x + shortcut).relu()


def resnet(x: Any, ps: Any, st: Any) -> Any:
    x = batch_norm(functional.conv2d(x, ps["layer_1"]["weight"], padding=1), ps["layer_2"], st["layer_2"]).relu()
    for i in range(3, 12):
        x = resnet_block(x, ps[f"layer_{i}"], st[f"layer_{i}"])
    return dense(x.mean((2, 3)), ps["layer_14"])


# Not compiled, as in `torch.nn.LSTM`: what the compiler makes of the call fails its own check.
_uncompiled: Any = torch.compiler.disable(torch.lstm)


def lstm(x: Any, ps: Any, st: Any) -> Any:
    p = ps["layer_1"]
    weights = [p["weight_ih"].mT, p["weight_hh"].mT, p["bias_ih"], torch.zeros_like(p["bias_ih"])]
    h = x.new_zeros(1, x.shape[0], p["weight_hh"].shape[0])
    call = _uncompiled if torch.compiler.is_compiling() else torch.lstm
    y, _, _ = call(x, (h, h), weights, True, 1, 0.0, True, False, True)
    return dense(y[:, -1], ps["layer_2"])


def transformer(x: Any, ps: Any, st: Any) -> Any:
    for p in list_layers(ps):
        norm, attention = list_layers(p["layer_1"])
        y = functional.layer_norm(x, (64,), norm["scale"], norm["bias"])
        q, k, v = (
            (y @ attention[name]["weight"]).unflatten(-1, (4, 16)).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        y = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(-2)
        x = x + y @ attention["out_proj"]["weight"]
        norm, one, two = list_layers(p["layer_2"])
        y = functional.layer_norm(x, (64,), norm["scale"], norm["bias"])
        y = functional.gelu(functional.linear(y, one["weight"].mT, one["bias"]), approximate="tanh")
        x = x + functional.linear(y, two["weight"].mT, two["bias"])
    return x


FORWARDS = name_by_case(mlp, quick_start, lenet, resnet, lstm, transformer, deep)


def make_step(case: str, *, compiled: bool = False) -> Callable[[], Any]:
    """Return a function that takes one step; if `compiled`, loss and gradient are computed by a compiled program."""
    model, objective, x, target = CASES[case]
    forward = FORWARDS[case[:2]]
    loss = functional.mse_loss if isinstance(objective, luxport.losses.MSELoss) else functional.cross_entropy
    ps, st = luxport.setup(0, model, backend="torch")

    def prepare(leaf: Any) -> Any:
        # luxport's convolutions flip their kernels, correlations by hand do not.
        leaf = leaf.flip(tuple(range(2, leaf.ndim))) if leaf.ndim > 2 else leaf.clone()
        return leaf.requires_grad_()

    ps = luxport.tree.map(prepare, ps)
    st = {"": None} | luxport.tree.map(torch.clone, st)
    leaves = luxport.tree.leaves(ps)
    ms, vs = ([torch.zeros_like(leaf) for leaf in leaves] for _ in range(2))
    steps = [torch.zeros(()) for _ in leaves]
    x, target = torch.from_numpy(x), torch.from_numpy(target)
    options = {"lr": 0.0001, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-8}

    def objective_of(ps: Any, st: Any, x: Any, target: Any) -> Any:
        return loss(forward(x, ps, st), target)

    program: Any = torch.compile(objective_of) if compiled else objective_of

    def take_step() -> Any:
        value = program(ps, st, x, target)
        grads = [grad.contiguous() for grad in torch.autograd.grad(value, leaves)]
        with torch.no_grad():
            _torch._foreach_add_(steps, 1)
            _torch._fused_adam_(leaves, grads, ms, vs, [], steps, **options, amsgrad=False, maximize=False)
        return value.detach()

    return take_step
