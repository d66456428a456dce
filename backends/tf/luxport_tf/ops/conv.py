"""TensorFlow's overrides of convolutions, with channels last: its CPU kernels for other layouts lack dtypes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from luxport import ops
from luxport.ops.shapes import read_sizes
from luxport.ops.windows import Pairs, Sizes, find_transposed_padding
from luxport_tf.ops.affine import add_bias
from luxport_tf.ops.layout import pad_spatial, put_channels_first, put_channels_last

__all__ = ["conv_nd", "conv_transpose_nd"]


def _accept_native(op: Callable[..., Any], *, most_axes: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that calls the definition for inputs for which TensorFlow's function fails.

    Those are mixed or other dtypes, more spatial axes, and empty batches. Half types are convolved in float32, so that
    all sums, also in gradients, are in float32.
    """
    definition = ops.definition_of(op)

    def wrap(convolve: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(convolve)
        def function(x: Any, weight: Any, bias: Any, **options: Any) -> Any:
            one_dtype = all([array is None or array.dtype == x.dtype for array in (weight, bias)])
            if len(x.shape) - 2 > most_axes or not one_dtype or not x.dtype.is_floating or x.shape[0] == 0:
                return definition(x, weight, bias, **options)
            if x.dtype.size >= 4:
                return convolve(x, weight, bias, **options)
            wide = [None if array is None else tf.cast(array, tf.float32) for array in (x, weight, bias)]
            return tf.cast(convolve(*wide, **options), x.dtype)

        return function

    return wrap


@_accept_native(ops.conv_nd, most_axes=3)
def conv_nd(
    x: Any, weight: Any, bias: Any, *, stride: Sizes, padding: Pairs, dilation: Sizes, groups: int, flip: bool
) -> Any:
    """Call TensorFlow's convolution; padding and dilation that it does not support become zeros in x and weight."""
    rank = len(stride)
    weight = _put_kernel_first(weight, dilation, flip)

    def correlate(x: Any) -> Any:
        if rank == 1:
            y = tf.squeeze(_conv2d(x[:, None], weight[None], (1, *stride), ((0, 0), *padding), groups), 1)
        elif rank == 2:
            y = _conv2d(x, weight, stride, padding, groups)
        else:
            y = _conv3d(x, weight, stride, padding, groups)
        return y if bias is None else add_bias(y, bias)

    return put_channels_first(_convolve_samples(correlate, put_channels_last(x)))


@_accept_native(ops.conv_transpose_nd, most_axes=2)
def conv_transpose_nd(
    x: Any,
    weight: Any,
    bias: Any,
    *,
    stride: Sizes,
    padding: Pairs,
    dilation: Sizes,
    output_padding: Sizes,
    groups: int,
    flip: bool,
) -> Any:
    """Call TensorFlow's function for one or two axes without padding, and crop or pad the result."""
    rank = len(stride)
    weight = _put_kernel_first(weight, dilation, flip)
    around = find_transposed_padding(padding, output_padding)
    if rank == 1:
        weight, stride, around = weight[None], (1, *stride), ((0, 0), *around)
    kept = [slice(max(-low, 0), high if high < 0 else None) for low, high in around]

    def spread(x: Any) -> Any:
        x = x[:, None] if rank == 1 else x
        y = _convolve_by_group(lambda part, kernel: _conv2d_transpose(part, kernel, stride), x, weight, groups)
        y = pad_spatial(y, tuple((max(low, 0), max(high, 0)) for low, high in around))[:, kept[0], kept[1]]
        y = tf.squeeze(y, 1) if rank == 1 else y
        return y if bias is None else add_bias(y, bias)

    return put_channels_first(_convolve_samples(spread, put_channels_last(x)))


def _convolve_samples(convolve: Any, x: Any) -> Any:
    """Convolve a batch of unknown size, which may be empty when the graph runs: for an empty one TensorFlow fails.

    An empty batch is padded by one sample, which is removed from the result. For any other batch, padding and slicing
    do nothing: neither they nor their gradients copy memory.
    """
    if x.shape[0] is not None:
        return convolve(x)
    samples, others = tf.shape(x)[0], len(x.shape) - 1
    more = tf.cast(tf.equal(samples, 0), tf.int32)
    # Padded by ones: TensorFlow would fuse padding by zeros into the convolution, and drop the added sample.
    enough = tf.pad(x, more * [[0, 1], *[[0, 0]] * others], constant_values=1)
    enough.set_shape(x.shape)
    y = convolve(enough)
    kept = tf.slice(y, [0] * len(x.shape), tf.stack([samples, *[-1] * others]))
    kept.set_shape((None, *y.shape[1:]))
    return kept


def _conv2d(x: Any, weight: Any, stride: Sizes, padding: Pairs, groups: int) -> Any:
    if 1 < groups == x.shape[3] and stride[0] == stride[1]:
        per_channel = tf.reshape(weight, (*weight.shape[:2], groups, weight.shape[3] // groups))
        # Padded before: with padding as an option and a bias after it, a graph's fused kernel aborts the process.
        return tf.nn.depthwise_conv2d(pad_spatial(x, padding), per_channel, (1, *stride, 1), "VALID")
    if not _is_same(x, weight, stride, padding):
        x, how = pad_spatial(x, padding), "VALID"
    else:
        how = "SAME"
    return _convolve_by_group(lambda part, kernel: tf.nn.conv2d(part, kernel, stride, how), x, weight, groups)


def _is_same(x: Any, weight: Any, stride: Sizes, padding: Pairs) -> bool:
    """Return whether this is TensorFlow's "SAME" padding.

    It is preferred, because explicit padding has slow gradients, and padding before the convolution copies memory.
    """
    if not any(map(any, padding)) or None in x.shape[1:3]:
        return False
    for n, k, s, (low, high) in zip(x.shape[1:3], weight.shape[:2], stride, padding, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        if (low, high) != (total // 2, total - total // 2):
            return False
    return True


def _conv2d_transpose(x: Any, weight: Any, stride: Sizes) -> Any:
    def find_covered(places: Any) -> list[Any]:
        return [
            None if n is None else (n - 1) * s + k for n, s, k in zip(places, stride, weight.shape[:2], strict=True)
        ]

    # Some sizes may be known only when the graph runs.
    samples, *places, _ = read_sizes(x)
    y = tf.nn.conv2d_transpose(x, weight, (samples, *find_covered(places), weight.shape[2]), stride, "VALID")  # type: ignore[arg-type]
    return tf.ensure_shape(y, (x.shape[0], *find_covered(x.shape[1:3]), weight.shape[2]))


def _conv3d(x: Any, weight: Any, stride: Sizes, padding: Pairs, groups: int) -> Any:
    x, strides = pad_spatial(x, padding), (1, *stride, 1)
    return _convolve_by_group(lambda part, kernel: tf.nn.conv3d(part, kernel, strides, "VALID"), x, weight, groups)


def _convolve_by_group(correlate: Any, x: Any, weight: Any, groups: int) -> Any:
    if groups == 1:
        return correlate(x, weight)
    parts = zip(tf.split(x, groups, -1), tf.split(weight, groups, -1), strict=True)
    return tf.concat([correlate(part, kernel) for part, kernel in parts], -1)


def _put_kernel_first(weight: Any, dilation: Sizes, flip: bool) -> Any:
    """Transpose a weight (a, b, *kernel) to (*kernel, b, a), with zeros between a dilated kernel's entries.

    TensorFlow's own dilation does not support every dtype.
    """
    axes = list(range(2, len(weight.shape)))
    if flip:
        weight = tf.reverse(weight, axes)
    weight = tf.transpose(weight, [*axes, 1, 0])
    return _spread(weight, dilation) if any(d > 1 for d in dilation) else weight


def _spread(weight: Any, dilation: Sizes) -> Any:
    """Put zeros between a kernel's entries."""
    for axis, d in enumerate(dilation):
        shape = list(weight.shape)
        gaps = [[0, 0]] * (axis + 1) + [[0, d - 1]] + [[0, 0]] * (len(shape) - axis - 1)
        spread = tf.pad(tf.expand_dims(weight, axis + 1), gaps)
        size = d * (shape[axis] - 1) + 1
        shape[axis] *= d
        weight = tf.reshape(spread, shape)[(slice(None),) * axis + (slice(size),)]
    return weight
