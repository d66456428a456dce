"""`HELPERS`: the source of Python functions that generated modules define where they need them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["HELPERS"]

HELPERS: Mapping[str, str] = {
    "not_ported": '''def not_ported(julia):
    """Raise NotImplementedError for Julia code that was not translated."""
    raise NotImplementedError(f"not ported: {julia}")''',
    "count_entries": '''def count_entries(x):
    """Return the number of entries of a list, or of an array along all its axes."""
    count = 1
    for size in (len(x),) if isinstance(x, (tuple, list)) else x.shape:
        count *= size
    return count''',
    "reverse_sizes": '''def reverse_sizes(sizes):
    """Return sizes along spatial axes in our order: Julia's last axis comes first."""
    return tuple(sizes)[::-1] if isinstance(sizes, (tuple, list)) else sizes''',
    "reverse_padding": '''def reverse_padding(pad, window):
    """Return a window's padding in our order, from a number, or one or two numbers for each axis."""
    if not isinstance(pad, (tuple, list)):
        return pad
    if len(pad) == len(window):
        return tuple(pad)[::-1]
    if len(pad) != 2 * len(window):
        raise ValueError(f"padding {pad} for a window {window}")
    return tuple(zip(pad[::2], pad[1::2], strict=True))[::-1]''',
    "translate_keywords": '''def translate_keywords(given, window=()):
    """Return keywords of Julia's layers under luxport's names."""
    names = {"bias": "use_bias", "init": "init_weight", "initW": "init_weight", "pad": "padding"}
    names |= {"outpad": "output_padding", "eps": "epsilon", "ε": "epsilon", "ϵ": "epsilon"}
    found = {}
    for name, value in given.items():
        if name == "dims":
            raise NotImplementedError("not ported: dims in a variable")
        if name in ("stride", "dilation", "outpad"):
            value = reverse_sizes(value)
        found[names.get(name, name)] = reverse_padding(value, window) if name == "pad" else value
    return found''',
    "square_epsilon": '''def square_epsilon(options):
    """Return options with epsilon squared: Flux's LayerNorm adds epsilon ** 2, by default 1e-10, to the variance."""
    return {**options, "epsilon": options["epsilon"] ** 2 if "epsilon" in options else 1e-10}''',
    "vcat": '''def vcat(*xs):
    """Join arrays along Julia's first axis, our last."""
    return luxport.namespace(*xs).concat(xs, axis=-1)''',
    "hcat": '''def hcat(*xs):
    """Join arrays along Julia's second axis, our second to last."""
    return luxport.namespace(*xs).concat(xs, axis=-2)''',
    "keep": '''def keep(x):
    """Return the argument, in place of Julia's device: here arrays stay where they are."""
    return x''',
    "expect_tuple": '''def expect_tuple(xs):
    """Return a tuple. Arrays are refused: iterating over one yields numbers in Julia, but rows here."""
    if not isinstance(xs, (tuple, list)):
        raise TypeError(f"a tuple expected, got {type(xs).__name__}")
    return xs''',
    "get_item": '''def get_item(x, place):
    """Return an entry of a tuple, of a chain, or of a flattened array, whose order is the same in Julia."""
    if isinstance(x, (tuple, list, luxport.StatefulLayer)):
        return x[place]
    return luxport.namespace(x).reshape(x, (-1,))[place]''',
    "matmul": '''def matmul(a, b):
    """Multiply as Julia's `a * b`: numbers, or matrices, which change places because their axes are reversed."""
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return a * b
    if a.ndim != 2 or b.ndim > 2:
        raise ValueError(f"a product of arrays with {a.ndim} and {b.ndim} axes")
    return b @ a''',
    "adjoint": '''def adjoint(x):
    """Return the conjugate transpose of a matrix."""
    if x.ndim != 2:
        raise ValueError(f"a transpose of an array with {x.ndim} axes")
    xp = luxport.namespace(x)
    turned = xp.matrix_transpose(x)
    return xp.conj(turned) if xp.isdtype(x.dtype, "complex floating") else turned''',
    "transpose": '''def transpose(x):
    """Return the transpose of a matrix."""
    if x.ndim != 2:
        raise ValueError(f"a transpose of an array with {x.ndim} axes")
    return luxport.namespace(x).matrix_transpose(x)''',
    "call_part": '''def call_part(part, *inputs):
    """Call a function with several inputs, or a layer with one tuple of them."""
    return part(inputs) if isinstance(part, luxport.StatefulLayer) else part(*inputs)''',
    "freeze_field": '''def freeze_field(value):
    """Return a field that Flux does not train, a layer or an array, among the states."""
    if isinstance(value, (tuple, list)):
        return [freeze_field(entry) for entry in value]
    if isinstance(value, luxport.Layer):
        return luxport.FrozenLayer(value)
    return luxport.non_trainable(value) if getattr(value, "trainable", False) else value''',
    "convert_mask": '''def convert_mask(mask, other):
    """Return a mask as numbers 0 and 1, of the dtype of the array that it is computed with."""
    xp = luxport.namespace(mask)
    return xp.astype(mask, getattr(other, "dtype", xp.float32))''',
    "call_at_places": '''def call_at_places(part, places, xp):
    """Call a layer with a range of integers; an Embedding's indices count from 0 here."""
    first = 1 if isinstance(getattr(part, "model", part), luxport.Embedding) else 0
    return part(xp.asarray([place - first for place in places]))''',
    "join_lists": '''def join_lists(*xs):
    """Join numbers and lists to one list."""
    found = []
    for x in xs:
        if luxport.backend.is_array(x):
            raise NotImplementedError("not ported: vcat of arrays where layers are made")
        found.extend(x if isinstance(x, (tuple, list, range)) else [x])
    return found''',
    "call_attention": '''def call_attention(part, mask, q, k=None, v=None):
    """Call a MultiHeadAttention with a mask."""
    if not isinstance(getattr(part, "model", part), luxport.MultiHeadAttention):
        raise NotImplementedError("not ported: a mask for a layer that is no MultiHeadAttention")
    k = q if k is None else k
    return part((q, k, k if v is None else v, mask))''',
    "chunk": '''def chunk(x, count, axis):
    """Split an axis into `count` parts, of which the last may be smaller."""
    size = -(-x.shape[axis] // count)
    before = (slice(None),) * (axis % len(x.shape))
    return tuple([x[(*before, slice(i * size, (i + 1) * size))] for i in range(-(-x.shape[axis] // size))])''',
    "unpack_batch": '''def unpack_batch(batch):
    """Return what Flux passes to a loss: the entries of a tuple, or the batch itself."""
    return batch if isinstance(batch, tuple) else (batch,)''',
    "quotient": '''def quotient(a, b):
    """Divide integers and round toward zero, as Julia's ÷ does."""
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole''',
    "remainder": '''def remainder(a, b):
    """Return the remainder with the sign of `a`, as Julia's % does."""
    left = abs(a) % abs(b)
    return left if a >= 0 else -left''',
    "apply_elementwise": '''def apply_elementwise(function, a, b):
    """Apply a function to numbers, or to the entries of tuples, as Julia's dot does."""
    several = [x for x in (a, b) if isinstance(x, (tuple, list))]
    if not several:
        return function(a, b)
    first = a if isinstance(a, (tuple, list)) else [a] * len(several[0])
    second = b if isinstance(b, (tuple, list)) else [b] * len(several[0])
    return tuple([function(x, y) for x, y in zip(first, second, strict=True)])''',
    "sum_entries": '''def sum_entries(xs):
    """Add the numbers of an array, or the arrays of a tuple, as Julia's sum does."""
    if isinstance(xs, (tuple, list)):
        return functools.reduce(operator.add, xs)
    return luxport.namespace(xs).sum(xs)''',
    "mean_entries": '''def mean_entries(xs):
    """Average the numbers of an array, or the arrays of a tuple, as Julia's mean does."""
    if isinstance(xs, (tuple, list)):
        return functools.reduce(operator.add, xs) / len(xs)
    return luxport.namespace(xs).mean(xs)''',
    "make_tuples": '''def make_tuples(value):
    """Return nested lists as tuples, because fields of layers cannot be lists."""
    return tuple([make_tuples(entry) for entry in value]) if isinstance(value, list) else value''',
    "find_namespace": '''def find_namespace(*given):
    """Return the namespace of the arrays in the arguments, which may be nested."""
    pending, found = list(given), []
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(value.values())
        elif isinstance(value, (tuple, list)):
            pending.extend(value)
        elif getattr(value, "shape", None) is not None:
            found.append(value)
    return luxport.namespace(*found)''',
    "split_first": '''def split_first(xs):
    """Return the first entry of a sequence, and the list of the others."""
    first, *others = xs
    return first, others''',
    "make_tuple": '''def make_tuple(inputs):
    """Return the inputs of a layer as a tuple."""
    return inputs if isinstance(inputs, tuple) else (inputs,)''',
    "can_take": '''def can_take(given, least, most, *kinds):
    """Return whether the number and the kinds of arguments match a method of Julia's."""
    if len(given) < least or len(given) > most:
        return False
    for value, kind in zip(given, kinds, strict=False):
        if not is_kind(value, kind):
            return False
    return True''',
    "is_kind": '''def is_kind(value, kind):
    """Return whether a value is of a kind of Julia's types, or an array with this number of axes."""
    axes = len(value.shape) if luxport.backend.is_array(value) else -1
    if isinstance(kind, int):
        return axes == kind or (kind == 1 and isinstance(value, list))
    flag, whole = isinstance(value, bool), isinstance(value, int)
    if kind == "flag":
        return flag
    if kind == "whole":
        return whole and not flag
    if kind == "fraction":
        return isinstance(value, float) or axes == 0
    if kind == "number":
        return whole or isinstance(value, float) or axes == 0
    if kind == "text":
        return isinstance(value, str)
    if kind == "tuple":
        return isinstance(value, tuple)
    if kind == "names":
        return isinstance(value, dict)
    if kind == "nothing":
        return value is None
    if kind == "layer":
        return isinstance(value, luxport.Layer)
    if kind == "vector or matrix":
        return axes in (1, 2)
    if kind == "array":
        return isinstance(value, list) or axes >= 0
    if kind == "function":
        return axes < 0 and not isinstance(value, (int, float, str, tuple, list, dict, luxport.Layer))
    return kind == "any" or isinstance(value, kind)''',
    "add": '''def add(*xs):
    """Add all arguments."""
    return functools.reduce(operator.add, xs)''',
    "multiply": '''def multiply(*xs):
    """Multiply all arguments elementwise."""
    return functools.reduce(operator.mul, xs)''',
}
"""The source of each helper, by its name."""
