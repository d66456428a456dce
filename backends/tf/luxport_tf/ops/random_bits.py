"""TensorFlow's override for random bits: the Threefry cipher, compiled by XLA if the number of words is known."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops._operation import definition_of
from luxport.ops._random_bits import encrypt_words
from luxport.transforms.program_limit import MOST_PROGRAMS
from luxport_tf import xp
from luxport_tf.ops.int32_counts import expect_countable

__all__ = ["random_bits"]


def random_bits(key: Any, counter: Any, *, shape: tuple[Any, ...]) -> Any:
    """Run a program compiled for a rounded-up size; if a size is a tensor, run the cipher uncompiled."""
    if not all(isinstance(n, int) for n in shape):
        return _draw_bits_of_unknown_size(key, counter, shape)
    size = math.prod(shape)
    expect_countable("random numbers", size)
    with tf.device(key.device):
        bits = _make_program(_round_up(size))(tf.convert_to_tensor(key), tf.convert_to_tensor(counter))
    return tf.reshape(bits[:size], shape)


def _round_up(size: int) -> int:
    """Round up to three significant bits, so that varying sizes share a few programs."""
    step = 1 << max(6, size.bit_length() - 3)
    return -(-size // step) * step


@functools.lru_cache(maxsize=MOST_PROGRAMS)
def _make_program(size: int) -> Callable[..., Any]:
    def draw_bits(key: Any, counter: Any) -> Any:
        return definition_of(ops.random_bits)(key, counter, shape=(size,))

    signature = [tf.TensorSpec([2], tf.int32), tf.TensorSpec([], tf.int32)]
    return tf.function(draw_bits, input_signature=signature, autograph=False, jit_compile=True)


def _draw_bits_of_unknown_size(key: Any, counter: Any, shape: tuple[Any, ...]) -> Any:
    size = tf.reduce_prod(tf.stack(shape))
    blocks = tf.range((size + 1) // 2)
    words = encrypt_words(xp, key, tf.fill(tf.shape(blocks), counter), blocks)
    return tf.reshape(tf.reshape(tf.stack(words, -1), [-1])[:size], shape)
