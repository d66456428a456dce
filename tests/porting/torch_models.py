"""Modules of PyTorch as people write them, with the shapes of their inputs, for `from_torch`.

Run as a program, this prints whether each module is refused, wrong or right, both ways.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch_modules import (
    Autoencoder,
    Block,
    Elementwise,
    Functional,
    Graph,
    Other,
    ResNet,
    Sides,
    SqueezeExcite,
    Tagger,
    Translator,
    UNet,
    WaveNet,
    make_old_weight_norm,
    tie_convolutions,
    tie_layers,
    tie_parameters,
)
from torch_transformers import GPT, OwnAttention, Rotary, ViT

__all__ = ["MODELS", "compute_gradients", "draw_inputs", "make_module", "randomize_norms"]


_NO_DIM: Any = None  # PyTorch accepts this, though its annotation does not
P = nn.utils.parametrizations
SEQ, IMG = (2, 5, 8), (2, 3, 7, 8)
TOKENS = ("int", 11, (2, 5))
Maker = Callable[[], nn.Module]

MODELS: dict[str, tuple[Maker, Any]] = {
    # modules with a `forward` of their own
    "ResNet": (ResNet, (2, 3, 8, 8)),
    "ViT": (ViT, (2, 3, 8, 8)),
    "GPT flash": (GPT, TOKENS),
    "GPT by hand": (functools.partial(GPT, False), TOKENS),
    "UNet": (UNet, (2, 1, 6, 8)),
    "functions": (Functional, ((2, 6), (2, 6))),
    "two sides": (Sides, ((2, 3), (2, 3))),
    "LSTM tagger": (Tagger, TOKENS),
    "attention by name": (OwnAttention, SEQ),
    "squeeze and excite": (SqueezeExcite, IMG),
    "WaveNet": (WaveNet, (2, 1, 12)),
    "tied autoencoder": (Autoencoder, (3, 6)),
    "rotary": (Rotary, SEQ),
    "two recurrent layers": (Translator, (TOKENS, TOKENS)),
    "graph": (Graph, ((5, 6), (5, 5))),
    "elementwise": (Elementwise, (3, 6)),
    "a module twice": (tie_layers, (2, 3)),
    "a parameter twice": (tie_parameters, (2, 3)),
    "convolutions tied": (tie_convolutions, IMG),
    "a subclass": (lambda: type("Mine", (nn.Linear,), {})(3, 4), (2, 3)),
    "own in Sequential": (lambda: nn.Sequential(Block(3, 4), nn.Flatten()), IMG),
    "Transformer encoder layer": (lambda: nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), SEQ),
    "encoder layer, time first": (lambda: nn.TransformerEncoderLayer(8, 2, 16, activation="gelu"), SEQ),
    "encoder layer, norm first": (
        lambda: nn.TransformerEncoderLayer(8, 2, 16, norm_first=True, batch_first=True, bias=False),
        SEQ,
    ),
    "encoder": (
        lambda: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, nn.LayerNorm(8), enable_nested_tensor=False
        ),
        SEQ,
    ),
    "decoder layer": (lambda: nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), (SEQ, (2, 4, 8))),
    "decoder": (
        lambda: nn.TransformerDecoder(
            nn.TransformerDecoderLayer(8, 2, 16, norm_first=True, batch_first=True), 2, nn.LayerNorm(8)
        ),
        (SEQ, (2, 4, 8)),
    ),
    "Transformer": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), (SEQ, (2, 4, 8))),
    "MHA batch_first": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), (SEQ, SEQ, SEQ)),
    "MHA time first": (lambda: nn.MultiheadAttention(8, 2), (SEQ, SEQ, SEQ)),
    "MHA bias_kv": (lambda: nn.MultiheadAttention(8, 2, add_bias_kv=True, batch_first=True), (SEQ, SEQ, SEQ)),
    "MHA zero_attn": (lambda: nn.MultiheadAttention(8, 2, add_zero_attn=True, batch_first=True), (SEQ, SEQ, SEQ)),
    "MHA masks": (
        lambda: Other(
            nn.MultiheadAttention(8, 2, batch_first=True),
            attn_mask=torch.ones(5, 5, dtype=torch.bool).triu(1),
            need_weights=False,
        ),
        (SEQ, SEQ, SEQ),
    ),
    "MHA unbatched": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), ((5, 8), (5, 8), (5, 8))),
    "LSTM": (lambda: nn.LSTM(8, 4, batch_first=True), SEQ),
    "LSTM bidirectional 2": (lambda: nn.LSTM(8, 4, 2, bidirectional=True), SEQ),
    "LSTM proj": (lambda: nn.LSTM(8, 4, proj_size=3, batch_first=True), SEQ),
    "LSTM proj 2 bidirectional": (
        lambda: nn.LSTM(8, 4, 2, proj_size=3, batch_first=True, bidirectional=True, bias=False),
        SEQ,
    ),
    "GRU bidirectional": (lambda: nn.GRU(8, 4, bidirectional=True, batch_first=True), SEQ),
    "GRU unbatched": (lambda: nn.GRU(8, 4, batch_first=True), (5, 8)),
    "RNN": (lambda: nn.RNN(8, 4, 2, "relu"), SEQ),
    "LSTMCell": (lambda: nn.LSTMCell(8, 4), (2, 8)),
    "GRUCell": (lambda: nn.GRUCell(8, 4), (2, 8)),
    "RNNCell": (lambda: nn.RNNCell(8, 4), (2, 8)),
    # modules
    "Linear": (lambda: nn.Linear(8, 4), SEQ),
    "Bilinear": (lambda: nn.Bilinear(3, 4, 2), ((5, 3), (5, 4))),
    "Conv2d": (lambda: nn.Conv2d(3, 4, 3, 2, 1), IMG),
    "Conv2d unbatched": (lambda: nn.Conv2d(3, 4, 3, 2, 1), (3, 7, 8)),
    "Conv1d circular": (lambda: nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"), (2, 3, 7)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(3, 4, 3, 2, 1, 1), IMG),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3), IMG),
    "BatchNorm momentum None": (lambda: nn.BatchNorm2d(3, momentum=None), IMG),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(3), IMG),
    "GroupNorm": (lambda: nn.GroupNorm(1, 3), IMG),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), IMG),
    "LocalResponseNorm": (lambda: nn.LocalResponseNorm(2), IMG),
    "LayerNorm no bias": (lambda: nn.LayerNorm(8, bias=False), SEQ),
    "LayerNorm images": (lambda: nn.LayerNorm([3, 7, 8]), IMG),
    "RMSNorm eps None": (lambda: nn.RMSNorm(8), SEQ),
    "Embedding": (lambda: nn.Embedding(11, 4, padding_idx=2), TOKENS),
    "EmbeddingBag": (lambda: nn.EmbeddingBag(11, 4, mode="sum"), TOKENS),
    "EmbeddingBag padding": (lambda: nn.EmbeddingBag(11, 4, mode="mean", padding_idx=2), TOKENS),
    "MaxPool ceil": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMG),
    "MaxPool ceil dilated": (lambda: nn.MaxPool2d(2, 3, dilation=2, ceil_mode=True), IMG),
    "AvgPool ceil": (lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), IMG),
    "AvgPool ceil, pad not counted": (lambda: nn.AvgPool2d(3, 2, 1, True, count_include_pad=False), IMG),
    "AvgPool divisor": (lambda: nn.AvgPool2d(3, 2, 1, divisor_override=4), IMG),
    "LPPool ceil": (lambda: nn.LPPool2d(2, 3, 2, ceil_mode=True), IMG),
    "AdaptiveAvgPool None": (lambda: nn.AdaptiveAvgPool2d((None, 1)), IMG),
    "AdaptiveMaxPool": (lambda: nn.AdaptiveMaxPool2d((3, None)), IMG),
    "AdaptiveAvgPool unbatched": (lambda: nn.AdaptiveAvgPool2d(2), (3, 7, 8)),
    "MaxPool unbatched": (lambda: nn.MaxPool1d(2), (3, 8)),
    "Upsample 1.5 bilinear": (lambda: nn.Upsample(scale_factor=1.5, mode="bilinear"), IMG),
    "Upsample 1.7 aligned": (lambda: nn.Upsample(scale_factor=1.7, mode="bilinear", align_corners=True), IMG),
    "Upsample bicubic": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), IMG),
    "Upsample bicubic size": (lambda: nn.Upsample(size=(5, 11), mode="bicubic", align_corners=True), IMG),
    "Upsample nearest 1.3": (lambda: nn.Upsample(scale_factor=1.3), IMG),
    "Upsample nearest size": (lambda: nn.Upsample(size=(5, 9)), IMG),
    "Upsample nearest-exact": (lambda: nn.Upsample(size=(5, 11), mode="nearest-exact"), IMG),
    "UpsamplingBilinear2d": (lambda: nn.UpsamplingBilinear2d(scale_factor=2), IMG),
    "PixelShuffle": (lambda: nn.PixelShuffle(2), (2, 8, 3, 4)),
    "PixelUnshuffle": (lambda: nn.PixelUnshuffle(2), (2, 3, 6, 8)),
    "ChannelShuffle": (lambda: nn.ChannelShuffle(2), (2, 4, 3, 3)),
    "Unfold": (lambda: nn.Unfold(3, padding=1, stride=2), IMG),
    "Fold": (lambda: nn.Fold((4, 5), 2), (2, 12, 12)),
    "Flatten": (lambda: nn.Flatten(2), IMG),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 4)), (3, 8, 5)),
    "weight_norm": (lambda: P.weight_norm(nn.Linear(3, 4)), (2, 3)),
    "weight_norm dim None": (lambda: P.weight_norm(nn.Linear(3, 4), dim=_NO_DIM), (2, 3)),
    "weight_norm old": (make_old_weight_norm, (2, 3, 7)),
    "spectral_norm": (lambda: P.spectral_norm(nn.Conv2d(3, 4, 3)), IMG),
    "spectral_norm old": (lambda: nn.utils.spectral_norm(nn.Linear(3, 4)), (2, 3)),
    "CosineSimilarity": (lambda: nn.CosineSimilarity(), ((2, 3), (2, 3))),
    "PairwiseDistance": (lambda: nn.PairwiseDistance(), ((2, 3), (2, 3))),
    **{
        f"{kind}Pad{axes}d": (
            functools.partial(getattr(nn, f"{kind}Pad{axes}d"), 1, *more),
            (2, 3, *(4, 5, 6)[:axes]),
        )
        for kind, more in (
            *(("Zero", ()), ("Constant", (2.5,)), ("Reflection", ())),
            *(("Replication", ()), ("Circular", ())),
        )
        for axes in (1, 2, 3)
    },
    "ZeroPad2d sides": (lambda: nn.ZeroPad2d((1, 0, 2, -1)), IMG),
    **{
        repr(activation): (functools.partial(type(activation), **options), shape)
        for activation, options, shape in (
            (nn.PReLU(), {}, SEQ),
            (nn.PReLU(3), {"num_parameters": 3}, IMG),
            (nn.RReLU(), {}, SEQ),
            (nn.Hardshrink(0.3), {"lambd": 0.3}, SEQ),
            (nn.Threshold(0.1, 2.0), {"threshold": 0.1, "value": 2.0}, SEQ),
            (nn.Softmin(1), {"dim": 1}, SEQ),
            (nn.Softmax2d(), {}, IMG),
            (nn.Softplus(2.0, 1.0), {"beta": 2.0, "threshold": 1.0}, SEQ),
            (nn.Softmax(1), {"dim": 1}, SEQ),
            (nn.Softmax(), {}, (3, 4)),
            (nn.GLU(1), {"dim": 1}, (2, 4, 3)),
            (nn.ELU(0.7), {"alpha": 0.7}, SEQ),
            (nn.GELU(), {}, SEQ),
            (nn.SELU(), {}, SEQ),
            (nn.LogSigmoid(), {}, SEQ),
            (nn.FeatureAlphaDropout(), {}, SEQ),
            (nn.Dropout1d(), {}, SEQ),
        )
    },
}
"""A function that makes the module, and the shapes of its inputs."""


def make_module(name: str) -> nn.Module:
    """Make a module in test mode, with norms away from their initial values."""
    torch.manual_seed(0)
    return randomize_norms(MODELS[name][0]()).eval()


def randomize_norms(module: Any) -> Any:
    """Give norms random statistics, scales and shifts."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in module.modules():
            if "Norm" in type(part).__name__ and type(part).__module__.startswith("torch.nn.modules."):
                for array in (*part.parameters(), *part.buffers()):
                    if array.is_floating_point():
                        array.copy_(torch.rand(array.shape, generator=generator) + 0.5)
    return module


def draw_inputs(name: str) -> tuple[torch.Tensor, ...]:
    """Draw a module's inputs."""
    shapes = MODELS[name][1]
    several = shapes if isinstance(shapes[0], tuple) else (shapes,)
    generator = torch.Generator().manual_seed(2)
    return tuple(
        torch.randint(0, shape[1], shape[2], generator=generator)
        if shape[0] == "int"
        else torch.randn(shape, generator=generator).requires_grad_()
        for shape in several
    )


def _first(y: Any) -> list[Any]:
    """Return an output's arrays in order, without the attention weights and carries that modules also return."""
    import luxport

    return [leaf for leaf in luxport.tree.leaves(y) if isinstance(leaf, torch.Tensor)]


def compute_gradients(
    module: Any, call: Callable[..., Any], name: str, parameters: Any = ()
) -> tuple[float, list[Any]]:
    """Return the sum of squares of the gradients by parameters, and the first output with those by inputs."""
    inputs = draw_inputs(name)
    outputs = _first(call(*inputs))
    weights = [torch.cos(torch.arange(y.numel(), dtype=y.dtype).reshape(y.shape)) for y in outputs[:1]]
    wanted = [x for x in inputs if x.requires_grad] + list(parameters)
    if not outputs[0].requires_grad:
        return 0.0, [outputs[0]]
    loss: Any = sum((y * w).sum() for y, w in zip(outputs[:1], weights, strict=True))
    gradients = torch.autograd.grad(loss, wanted, allow_unused=True)
    count = len(inputs) if inputs[0].requires_grad else 0
    mine = [g for g in gradients[count:] if g is not None]
    squares = torch.stack([(g.double() ** 2).sum() for g in mine]).sum() if mine else torch.zeros(())
    return float(squares), [outputs[0], *[g for g in gradients[:count] if g is not None]]


def print_table() -> None:
    """Print which modules are refused, wrong and right."""
    import collections
    import warnings

    import luxport

    warnings.simplefilter("ignore")
    found = collections.Counter()
    for name in MODELS:
        module = make_module(name)
        squares, wanted = compute_gradients(module, module, name, [p for p in module.parameters() if p.requires_grad])
        try:
            back = luxport.to_torch(*luxport.from_torch(module, backend="torch"))
        except (ValueError, TypeError) as error:
            said = f"refused  {str(error)[:110]}"
        except Exception as error:
            said = f"CRASHED  {type(error).__name__}: {str(error)[:110]}"
        else:
            try:
                mine, got = compute_gradients(back, back, name, list(back.parameters()))
                worst = max(float((a - b).abs().max()) for a, b in zip(got, wanted, strict=True))
                right = worst < 1e-5 and abs(mine - squares) <= 1e-4 * max(1, squares)
                said = f"{'right' if right else 'WRONG'}  {worst:.1e} {abs(mine - squares) / max(1, squares):.1e}"
            except Exception as error:
                said = f"FAILED  {type(error).__name__}: {str(error)[:110]}"
        found[said.split()[0]] += 1
        print(f"{name:32} {said}")
    print(dict(found))


if __name__ == "__main__":
    print_table()


def draw_input(*shape):
    return torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
