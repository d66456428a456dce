"""Modules of PyTorch with a `forward` of their own, as people write them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


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
    """Many kinds of functions."""

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
    """Two inputs, two outputs, and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(3, 4), nn.Linear(8, 2)

    def forward(self, x: Any, y: Any) -> Any:
        a, b = self.embed(x), self.embed(y)
        return self.head(torch.cat((a, b), dim=1)), (a - b).abs()


class Tagger(nn.Module):
    """An embedding, an LSTM and a head on the last output."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.lstm = nn.LSTM(4, 5, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(10, 3)

    def forward(self, tokens: Any) -> Any:
        out, (h, c) = self.lstm(self.embedding(tokens))
        return self.fc(out[:, -1, :]) + self.fc(torch.cat([h[-2], c[-1]], dim=1))


class SqueezeExcite(nn.Module):
    """Channels weighted by their content; uses `size`, `view` and `expand_as`."""

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
    """Dilated causal convolutions with gates, in a list; their skip outputs are stacked."""

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
    """A decoder that uses the encoder's weight transposed."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.back = nn.Parameter(torch.randn(4, 6) / 2), nn.Parameter(torch.zeros(6))

    def forward(self, x: Any) -> Any:
        return F.linear(torch.sigmoid(F.linear(x, self.weight)), self.weight.t(), self.back)


class Translator(nn.Module):
    """Two recurrent layers; the second starts from the first's final state."""

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
    """A graph convolution; the adjacency is an input."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 4)

    def forward(self, x: Any, edges: Any) -> Any:
        edges = edges.abs() + torch.eye(edges.size(-1))
        scale = edges.sum(-1, keepdim=True).pow(-0.5)
        return torch.matmul(edges * scale * scale.transpose(-1, -2), F.relu(self.fc(x)))


class Elementwise(nn.Module):
    """Functions that are rarely used."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: Any) -> Any:
        y = torch.tanh(self.fc(x)) / 2
        y = torch.asin(y) + torch.acos(y) ** 2 + torch.atanh(y) + torch.asinh(y) + torch.acosh(2 + y)
        y = torch.lerp(x, y, 0.3) + torch.hypot(x, y) + torch.logaddexp(x, y) + torch.atan2(y, x)
        y = torch.addcdiv(y, x, 4 + y, value=0.5)
        return torch.baddbmm(y[:, None], y[:, None], y[:, :, None] * y[:, None], beta=0.5, alpha=0.2)


def tie_convolutions() -> nn.Module:
    one, other = nn.Conv2d(3, 3, 3, padding="same"), nn.Conv2d(3, 3, 3, padding=1)
    up, down = nn.ConvTranspose2d(3, 3, 3, stride=2, output_padding=1), nn.ConvTranspose2d(3, 3, 3)
    other.weight, down.bias = one.weight, up.bias
    return nn.Sequential(one, other, up, down)


def tie_layers() -> nn.Module:
    shared = nn.Linear(3, 3)
    return nn.Sequential(shared, nn.ReLU(), shared)


def tie_parameters() -> nn.Module:
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


def make_old_weight_norm() -> nn.Module:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nn.utils.weight_norm(nn.Conv1d(3, 4, 3))
