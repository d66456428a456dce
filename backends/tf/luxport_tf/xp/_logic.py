"""Logic, bits and shifts."""

from __future__ import annotations

import tensorflow as tf

from ._arrays import R, promote
from ._dtypes import BOOL, INTEGER, SIGNED_OF
from ._kernels import Kernel, make_binary, make_table, make_unary, make_zero, name_function, refuse

__all__ = [
    "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "logical_and", "logical_not", "logical_or", "logical_xor",
]  # fmt: skip


logical_and = make_binary("logical_and", "Where both are true.", R.LogicalAnd, BOOL)
logical_or = make_binary("logical_or", "Where either is true.", R.LogicalOr, BOOL)
logical_xor = make_binary("logical_xor", "Where exactly one is true.", R.NotEqual, BOOL)
logical_not = make_unary("logical_not", "Where ``x`` is false.", R.LogicalNot, BOOL)
bitwise_and = make_binary("bitwise_and", "``x1 & x2``.", R.BitwiseAnd, INTEGER, bool=R.LogicalAnd)
bitwise_or = make_binary("bitwise_or", "``x1 | x2``.", R.BitwiseOr, INTEGER, bool=R.LogicalOr)
bitwise_xor = make_binary("bitwise_xor", "``x1 ^ x2``.", R.BitwiseXor, INTEGER, bool=R.NotEqual)
bitwise_invert = make_unary("bitwise_invert", "``~x``.", R.Invert, INTEGER, bool=R.LogicalNot)


def _shift(name: str, doc: str, kernel: Kernel, exhausted: Kernel):
    # A shift by the width or more leaves only the sign. TensorFlow would shift by the width less one, XLA otherwise.
    kernels = make_table(kernel, INTEGER)

    def function(x1, x2, /) -> tf.Tensor:
        x, y, dtype = promote(x1, x2)
        if dtype not in kernels:
            refuse(name, dtype, kernels)
        width = 8 * dtype.size
        if isinstance(x2, int):
            return kernel(x=x, y=y) if 0 <= x2 < width else exhausted(x)
        within = R.LogicalAnd(x=R.GreaterEqual(x=y, y=make_zero(y)), y=R.Less(x=y, y=tf.constant(width, dtype)))
        safe = R.SelectV2(condition=within, t=y, e=make_zero(y))
        return R.SelectV2(condition=within, t=kernel(x=x, y=safe), e=exhausted(x))

    return name_function(function, name, doc)


def _shift_out(x):
    return R.ZerosLike(x=x)


def _sign_left(x):
    return R.ZerosLike(x=x) if x.dtype in SIGNED_OF else R.RightShift(x=x, y=tf.constant(8 * x.dtype.size - 1, x.dtype))


bitwise_left_shift = _shift("bitwise_left_shift", "``x1 << x2``.", R.LeftShift, _shift_out)
bitwise_right_shift = _shift("bitwise_right_shift", "``x1 >> x2``, keeping the sign.", R.RightShift, _sign_left)
