"""Modules of PyTorch as people have them, each with the shapes of its inputs: what `from_torch` is held against.

Run as a program, it prints a table: refused, wrong or right, both ways.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

__all__ = ["MODELS", "compared", "inputs_of", "made", "stirred"]


class Block(nn.Module):
    """A residual block as torchvision writes it."""

    def __init__(self, n: int, m: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n, m, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(m)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(m, m, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(m)
        self.down = None
        if stride != 1 or n != m:
            self.down = nn.Sequential(nn.Conv2d(n, m, 1, stride, bias=False), nn.BatchNorm2d(m))

    def forward(self, x: Any) -> Any:
        same = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.down is not None:
            same = self.down(x)
        out += same
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.layer1 = nn.Sequential(Block(4, 4), Block(4, 6, 2))
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Any) -> Any:
        x = F.max_pool2d(F.relu(self.conv(x), inplace=True), 2)
        x = self.layer1(x)
        x = F.adaptive_avg_pool2d(x, (1, 1))
        return self.fc(torch.flatten(x, 1))


class Attention(nn.Module):
    """Attention as timm writes it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads, self.scale = heads, (dim // heads) ** -0.5
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Any) -> Any:
        B, N, C = x.shape
        qkv = self.qkv(x).reshape(B, N, 3, self.heads, C // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        attn = (q @ k.transpose(-2, -1)) * self.scale
        attn = self.drop(attn.softmax(dim=-1))
        return self.proj((attn @ v).transpose(1, 2).reshape(B, N, C))


class ViT(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.cls_token = nn.Parameter(torch.randn(1, 1, 8))
        self.pos_embed = nn.Parameter(torch.randn(1, 5, 8))
        self.norm1, self.norm2, self.norm = nn.LayerNorm(8), nn.LayerNorm(8), nn.LayerNorm(8)
        self.attn = Attention(8, 2)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 8))
        self.head = nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        x = x + self.attn(self.norm1(x))
        x = x + self.mlp(self.norm2(x))
        return self.head(self.norm(x)[:, 0])


_NO_DIM: Any = None  # which its own annotation does not know of


class CausalAttention(nn.Module):
    """Attention as nanoGPT writes it, by PyTorch's fused kernel or by hand."""

    mask: Any

    def __init__(self, dim: int, heads: int, flash: bool) -> None:
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.n_head, self.n_embd, self.flash = heads, dim, flash
        self.register_buffer("mask", torch.tril(torch.ones(9, 9)).view(1, 1, 9, 9))

    def forward(self, x: Any) -> Any:
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
        k = k.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        q = q.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        v = v.view(B, T, self.n_head, C // self.n_head).transpose(1, 2)
        if self.flash:
            y = F.scaled_dot_product_attention(q, k, v, attn_mask=None, dropout_p=0, is_causal=True)
        else:
            att = (q @ k.transpose(-2, -1)) * (1.0 / k.size(-1) ** 0.5)
            att = att.masked_fill(self.mask[:, :, :T, :T] == 0, float("-inf"))
            y = F.softmax(att, dim=-1) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class GPT(nn.Module):
    def __init__(self, flash: bool = True) -> None:
        super().__init__()
        self.transformer: Any = nn.ModuleDict(
            {
                "wte": nn.Embedding(11, 8),
                "wpe": nn.Embedding(9, 8),
                "h": nn.ModuleList([CausalAttention(8, 2, flash) for _ in range(2)]),
                "ln_f": nn.LayerNorm(8, bias=False),
            }
        )
        self.lm_head = nn.Linear(8, 11, bias=False)
        self.transformer.wte.weight = self.lm_head.weight

    def forward(self, idx: Any) -> Any:
        b, t = idx.size()
        assert t <= 9, f"a sequence of {t}"
        pos = torch.arange(0, t, dtype=torch.long, device=idx.device)
        x = self.transformer.wte(idx) + self.transformer.wpe(pos)
        for block in self.transformer.h:
            x = x + block(x)
        return self.lm_head(self.transformer.ln_f(x))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.mid = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.out = nn.ConvTranspose2d(8, 4, 2, 2), nn.Conv2d(8, 1, 1)

    def forward(self, x: Any) -> Any:
        a = F.leaky_relu(self.down(x), 0.1)
        b = F.silu(self.mid(F.avg_pool2d(a, 2)))
        b = F.interpolate(self.up(b), size=a.shape[2:], mode="bilinear", align_corners=False)
        return torch.sigmoid(self.out(torch.cat([a, b], 1)))


class Functional(nn.Module):
    """Functions of many kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.weight = nn.Linear(6, 6), nn.Parameter(torch.randn(4, 6))

    def forward(self, x: Any, y: Any) -> Any:
        a, b = torch.chunk(self.fc(x), 2, dim=-1)
        z = torch.stack([torch.tanh(a), b.sigmoid()], dim=1).mean(dim=1, keepdim=True).squeeze(1)
        z = torch.cat([z, a * b], -1) - y.clamp(-1, 1) / 2
        z = F.linear(z, self.weight).unsqueeze(-1).expand(-1, -1, 3)
        z = torch.einsum("bij,bkj->bik", z, z) + torch.where(z.sum(-1, keepdim=True) > 0, 1.0, -1.0)
        z = F.normalize(z, dim=-1) + F.layer_norm(z, (4,)) + torch.bmm(z, z).pow(2).sqrt().log1p()
        return F.pad(z.max(dim=-1)[0], (1, 2)), {"norm": z.norm(dim=-1), "var": torch.var(z, -1)}


class Sides(nn.Module):
    """Two inputs, two outputs, a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, x: Any, y: Any) -> Any:
        a, b = self.embed(x), self.embed(y)
        return self.head(torch.cat((a, b), dim=1)), (a - b).abs()


class Tagger(nn.Module):
    """An embedding, an LSTM and a head on its last output."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.lstm = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(10, 3)

    def forward(self, tokens: Any) -> Any:
        out, (h, c) = self.lstm(self.embedding(tokens))
        return self.fc(out[:, -1, :]) + self.fc(torch.cat([h[-2], c[-1]], dim=1))


class OwnAttention(nn.Module):
    """A module of attention called by name, with its weights thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.attn, self.norm = nn.MultiheadAttention(8, 2, batch_first=True), nn.LayerNorm(8)

    def forward(self, x: Any) -> Any:
        y, _ = self.attn(x, x, x, need_weights=False)
        return self.norm(x + y)


class SqueezeExcite(nn.Module):
    """Channels weighed by what is in them; size, view and expand_as."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.down, self.up = nn.Linear(4, 2), nn.Linear(2, 4)

    def forward(self, x: Any) -> Any:
        x = F.silu(self.norm(self.conv(x)))
        b, c, _, _ = x.size()
        weights = self.up(F.relu(self.down(F.adaptive_avg_pool2d(x, 1).view(b, c)))).sigmoid().view(b, c, 1, 1)
        return x * weights.expand_as(x)


class WaveNet(nn.Module):
    """Dilated causal convolutions with gates, in a list; their skips are stacked."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(1, 4, 1)
        self.gates = nn.ModuleList(nn.Conv1d(4, 8, 2, dilation=2**i) for i in range(3))
        self.skips = nn.ModuleList(nn.Conv1d(4, 4, 1) for _ in range(3))

    def forward(self, x: Any) -> Any:
        x, kept = self.first(x), []
        for i, (gate, skip) in enumerate(zip(self.gates, self.skips, strict=True)):
            a, b = gate(F.pad(x, (2**i, 0))).chunk(2, dim=1)
            x = x + torch.tanh(a) * torch.sigmoid(b)
            kept.append(skip(x))
        return F.relu(torch.stack(kept).sum(0))


class Autoencoder(nn.Module):
    """A decoder with the encoder's weight turned round."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.back = nn.Parameter(torch.randn(4, 6) / 2), nn.Parameter(torch.zeros(6))

    def forward(self, x: Any) -> Any:
        return F.linear(torch.sigmoid(F.linear(x, self.weight)), self.weight.t(), self.back)


class Rotary(nn.Module):
    """Features turned by angles that a buffer and the places give."""

    speeds: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(8, 8)
        self.register_buffer("speeds", 100 ** -(torch.arange(0, 8, 2).float() / 8), persistent=False)

    def forward(self, x: Any) -> Any:
        x = self.fc(x)
        turns = torch.outer(torch.arange(x.shape[1]).type_as(self.speeds), self.speeds)
        angles = torch.cat((turns, turns), -1)
        a, b = x.chunk(2, -1)
        return x * angles.cos() + torch.cat((-b, a), -1) * angles.sin()


class Translator(nn.Module):
    """Two recurrent layers, the second of which starts from what the first ends with."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.fc = nn.Embedding(11, 6), nn.Linear(10, 5)
        self.encoder = nn.GRU(6, 5, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(6, 5, batch_first=True)

    def forward(self, words: Any, others: Any) -> Any:
        _, h = self.encoder(self.embedding(words))
        h = torch.tanh(self.fc(torch.cat((h[0], h[1]), dim=1))).unsqueeze(0)
        return self.decoder(self.embedding(others), h)[0]


class Graph(nn.Module):
    """A graph convolution with the adjacency as an input."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Any, edges: Any) -> Any:
        edges = edges.abs() + torch.eye(edges.size(-1))
        scale = edges.sum(-1, keepdim=True).pow(-0.5)
        return torch.matmul(edges * scale * scale.transpose(-1, -2), F.relu(self.fc(x)))


class Elementwise(nn.Module):
    """Functions that few use."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Any) -> Any:
        y = torch.tanh(self.fc(x)) / 2
        y = torch.asin(y) + torch.acos(y) ** 2 + torch.atanh(y) + torch.asinh(y) + torch.acosh(2 + y)
        y = torch.lerp(x, y, 0.3) + torch.hypot(x, y) + torch.logaddexp(x, y) + torch.atan2(y, x)
        y = torch.addcdiv(y, x, 4 + y, value=0.5)
        return torch.baddbmm(y[:, None], y[:, None], y[:, :, None] * y[:, None], beta=0.5, alpha=0.2)


def tied_convolutions() -> nn.Module:
    one, other = nn.Conv2d(3, 3, 3, padding="same"), nn.Conv2d(3, 3, 3, padding=1)
    up, down = nn.ConvTranspose2d(3, 3, 3, stride=2, output_padding=1), nn.ConvTranspose2d(3, 3, 3)
    other.weight, down.bias = one.weight, up.bias
    return nn.Sequential(one, other, up, down)


def tied() -> nn.Module:
    shared = nn.Linear(3, 3)
    return nn.Sequential(shared, nn.ReLU(), shared)


def tied_parameters() -> nn.Module:
    one, other = nn.Linear(3, 3), nn.Linear(3, 3)
    other.weight = one.weight
    return nn.Sequential(one, nn.ReLU(), other)


class Other(nn.Module):
    """Calls another module with options."""

    def __init__(self, module: nn.Module, **options: Any) -> None:
        super().__init__()
        self.module, self.options = module, options

    def forward(self, q: Any, k: Any, v: Any) -> Any:
        return self.module(q, k, v, **self.options)


def wn_old() -> nn.Module:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Conv1d(3, 4, 3))


P = nn.utils.parametrizations
SEQ, IMG = (2, 5, 8), (2, 3, 7, 8)
TOKENS = ("int", 11, (2, 5))
Maker = Callable[[], nn.Module]

MODELS: dict[str, tuple[Maker, Any]] = {
    # modules with a forward of their own
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
    "a module twice": (tied, (2, 3)),
    "a parameter twice": (tied_parameters, (2, 3)),
    "convolutions tied": (tied_convolutions, IMG),
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
    "weight_norm old": (wn_old, (2, 3, 7)),
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
"""What makes a module, and the shapes of its inputs."""


def made(name: str) -> nn.Module:
    """Make a module in testing, with norms that are not as they are at first."""
    torch.manual_seed(0)
    return stirred(MODELS[name][0]()).eval()


def stirred(module: Any) -> Any:
    """Give norms statistics, scales and shifts that are not their first ones."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for part in module.modules():
            if "Norm" in type(part).__name__ and type(part).__module__.startswith("torch.nn.modules."):
                for array in (*part.parameters(), *part.buffers()):
                    if array.is_floating_point():
                        array.copy_(torch.rand(array.shape, generator=generator) + 0.5)
    return module


def inputs_of(name: str) -> tuple[torch.Tensor, ...]:
    """Draw the inputs of a module."""
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
    """Return the arrays of an output in order, without the scores and carries that modules return beside them."""
    import luxport

    return [leaf for leaf in luxport.tree.leaves(y) if isinstance(leaf, torch.Tensor)]


def compared(module: Any, call: Callable[..., Any], name: str, parameters: Any = ()) -> tuple[float, list[Any]]:
    """Call, and return the outputs with the gradients of what is made of the first output."""
    inputs = inputs_of(name)
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


def table() -> None:
    """Print what is refused, wrong and right."""
    import collections
    import warnings

    import luxport

    warnings.simplefilter("ignore")
    found = collections.Counter()
    for name in MODELS:
        module = made(name)
        squares, wanted = compared(module, module, name, [p for p in module.parameters() if p.requires_grad])
        try:
            back = luxport.to_torch(*luxport.from_torch(module, backend="torch"))
        except (ValueError, TypeError) as error:
            said = f"refused  {str(error)[:110]}"
        except Exception as error:
            said = f"CRASHED  {type(error).__name__}: {str(error)[:110]}"
        else:
            try:
                mine, got = compared(back, back, name, list(back.parameters()))
                worst = max(float((a - b).abs().max()) for a, b in zip(got, wanted, strict=True))
                right = worst < 1e-5 and abs(mine - squares) <= 1e-4 * max(1, squares)
                said = f"{'right' if right else 'WRONG'}  {worst:.1e} {abs(mine - squares) / max(1, squares):.1e}"
            except Exception as error:
                said = f"FAILED  {type(error).__name__}: {str(error)[:110]}"
        found[said.split()[0]] += 1
        print(f"{name:32} {said}")
    print(dict(found))


if __name__ == "__main__":
    table()
