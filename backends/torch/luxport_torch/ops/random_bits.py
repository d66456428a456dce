"""PyTorch's overrides for random bits: the Threefry cipher as custom operators, which are not traced into.

To compile the cipher's twenty rounds, Inductor would take from twenty seconds to minutes; for a custom operator it
takes no time, and luxport's dropout is then faster than PyTorch's.
"""

from __future__ import annotations

import math
from typing import Any

import torch

from luxport.ops import threefry_on_host as host
from luxport.ops._random_bits import ROTATIONS

__all__ = ["random_bits", "threefry_2x32"]


def threefry_2x32(key: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """Call the operator."""
    return _threefry_2x32(key, counters)


def random_bits(key: torch.Tensor, counter: torch.Tensor, *, shape: tuple[int, ...]) -> torch.Tensor:
    """Call the operator for as many words as the shape has elements."""
    return _random_bits(key, counter, math.prod(shape)).reshape(shape)


@torch.library.custom_op("luxport::threefry_2x32", mutates_args=())
def _threefry_2x32(key: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    if key.device.type == "cpu":
        return torch.from_numpy(host.threefry_2x32(key.numpy(), counters.numpy()))
    return _encrypt(key, counters)


@torch.library.custom_op("luxport::random_bits", mutates_args=())
def _random_bits(key: torch.Tensor, counter: torch.Tensor, size: int) -> torch.Tensor:
    if key.device.type == "cpu":
        return torch.from_numpy(host.random_bits(key.numpy(), counter.numpy(), shape=(size,)))
    return _draw(key, counter, size)


@_threefry_2x32.register_fake
def _(key: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    return torch.empty_like(counters, memory_format=torch.contiguous_format)


@_random_bits.register_fake
def _(key: torch.Tensor, counter: torch.Tensor, size: int) -> torch.Tensor:
    return key.new_empty((size,))


@_threefry_2x32.register_vmap
def _(info: Any, in_dims: tuple[Any, ...], key: torch.Tensor, counters: torch.Tensor) -> tuple[torch.Tensor, int]:
    key = key if in_dims[0] is None else key.movedim(in_dims[0], 0)
    counters = (
        counters.expand(info.batch_size, *counters.shape) if in_dims[1] is None else counters.movedim(in_dims[1], 0)
    )
    if in_dims[0] is not None:
        key = key.reshape(info.batch_size, *(1,) * (counters.ndim - 2), 2)
    return _encrypt(key, counters), 0


@_random_bits.register_vmap
def _(
    info: Any, in_dims: tuple[Any, ...], key: torch.Tensor, counter: torch.Tensor, size: int
) -> tuple[torch.Tensor, int]:
    key = key if in_dims[0] is None else key.movedim(in_dims[0], 0)
    return _draw(key, counter, size), 0


def _draw(key: torch.Tensor, counter: torch.Tensor, size: int) -> torch.Tensor:
    """Return bits (..., size) for keys (..., 2) and counters (...), which broadcast."""
    blocks = torch.arange((size + 1) // 2, dtype=torch.int32, device=key.device)
    counter, blocks = torch.broadcast_tensors(counter[..., None] + torch.zeros_like(key[..., :1]), blocks)
    return _encrypt(key[..., None, :], torch.stack([counter, blocks], -1)).flatten(-2)[..., :size].contiguous()


def _encrypt(key: torch.Tensor, counters: torch.Tensor) -> torch.Tensor:
    """Encrypt counters (..., 2) with keys (..., 2), which broadcast; the 20 rounds work in place, on copies."""
    k0, k1 = key[..., 0], key[..., 1]
    keys = (k0, k1, k0 ^ k1 ^ 0x1BD11BDA)
    x0, x1 = counters[..., 0] + k0, counters[..., 1] + k1
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0.add_(x1)
            # A right shift of int32 fills with the sign bit, which the mask removes. Factor `alpha` shifts left.
            right = (x1 >> (32 - rotation)).bitwise_and_((1 << rotation) - 1)
            x1 = right.add_(x1, alpha=1 << rotation).bitwise_xor_(x0)
        x0.add_(keys[(group + 1) % 3])
        x1.add_(keys[(group + 2) % 3] + (group + 1))
    return torch.stack([x0, x1], -1)
