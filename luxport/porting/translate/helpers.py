"""`HELPERS`: the source of Python functions that generated modules define where they need them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["HELPERS"]

HELPERS: Mapping[str, str] = {
    "not_ported": '''def not_ported(julia):
    """Say which Julia code has no counterpart here."""
    raise NotImplementedError(f"not ported: {julia}")''',
    "entries_in": '''def entries_in(x):
    """Count the entries of a list, or of an array along all its axes."""
    count = 1
    for size in (len(x),) if isinstance(x, (tuple, list)) else x.shape:
        count *= size
    return count''',
    "spatial": '''def spatial(sizes):
    """Sizes along spatial axes in our order: Julia's last axis comes first."""
    return tuple(sizes)[::-1] if isinstance(sizes, (tuple, list)) else sizes''',
    "padded": '''def padded(pad, window):
    """Padding of a window in our order, given in Julia as a number, or one or two numbers for each axis."""
    if not isinstance(pad, (tuple, list)):
        return pad
    if len(pad) == len(window):
        return tuple(pad)[::-1]
    if len(pad) != 2 * len(window):
        raise ValueError(f"padding {pad} for a window {window}")
    return tuple(zip(pad[::2], pad[1::2], strict=True))[::-1]''',
    "keywords": '''def keywords(given, window=()):
    """Keywords of Julia's layers as luxport's."""
    names = {"bias": "use_bias", "init": "init_weight", "initW": "init_weight", "pad": "padding"}
    names |= {"outpad": "output_padding", "eps": "epsilon", "ε": "epsilon", "ϵ": "epsilon"}
    found = {}
    for name, value in given.items():
        if name == "dims":
            raise NotImplementedError("not ported: dims in a variable")
        if name in ("stride", "dilation", "outpad"):
            value = spatial(value)
        found[names.get(name, name)] = padded(value, window) if name == "pad" else value
    return found''',
    "squared_epsilon": '''def squared_epsilon(options):
    """Flux's LayerNorm adds the square of its epsilon, 1e-5 by itself, to the variance."""
    return {**options, "epsilon": options["epsilon"] ** 2 if "epsilon" in options else 1e-10}''',
    "vcat": '''def vcat(*xs):
    """Join along Julia's first axis, our last."""
    return luxport.namespace(*xs).concat(xs, axis=-1)''',
    "hcat": '''def hcat(*xs):
    """Join along Julia's second axis, our second to last."""
    return luxport.namespace(*xs).concat(xs, axis=-2)''',
    "keep": '''def keep(x):
    """Julia's device: here a model is where its arrays are."""
    return x''',
    "entries": '''def entries(xs):
    """Take a tuple's entries; those of an array are other things in Julia."""
    if not isinstance(xs, (tuple, list)):
        raise TypeError(f"a tuple expected, got {type(xs).__name__}")
    return xs''',
    "item": '''def item(x, place):
    """Take what is at a place of a tuple or a chain, or of an array's entries in Julia's order, which is ours."""
    if isinstance(x, (tuple, list, luxport.StatefulLayer)):
        return x[place]
    return luxport.namespace(x).reshape(x, (-1,))[place]''',
    "product": '''def product(a, b):
    """Multiply as Julia's `a * b` does: numbers, or matrices, whose order reversed axes change."""
    if getattr(a, "ndim", 0) == 0 or getattr(b, "ndim", 0) == 0:
        return a * b
    if a.ndim != 2 or b.ndim > 2:
        raise ValueError(f"a product of arrays with {a.ndim} and {b.ndim} axes")
    return b @ a''',
    "adjoint": '''def adjoint(x):
    """Exchange the axes of a matrix, conjugated."""
    if x.ndim != 2:
        raise ValueError(f"a transpose of an array with {x.ndim} axes")
    xp = luxport.namespace(x)
    turned = xp.matrix_transpose(x)
    return xp.conj(turned) if xp.isdtype(x.dtype, "complex floating") else turned''',
    "transposed": '''def transposed(x):
    """Exchange the axes of a matrix."""
    if x.ndim != 2:
        raise ValueError(f"a transpose of an array with {x.ndim} axes")
    return luxport.namespace(x).matrix_transpose(x)''',
    "applied": '''def applied(part, *inputs):
    """Call a function with several inputs, a layer with one tuple of them."""
    return part(inputs) if isinstance(part, luxport.StatefulLayer) else part(*inputs)''',
    "untrained": '''def untrained(value):
    """A field that Flux does not train, a layer or an array: it is among the states here."""
    if isinstance(value, (tuple, list)):
        return [untrained(entry) for entry in value]
    if isinstance(value, luxport.Layer):
        return luxport.FrozenLayer(value)
    return luxport.non_trainable(value) if getattr(value, "trainable", False) else value''',
    "as_numbers": '''def as_numbers(mask, other):
    """Return 1 for true and 0 for false, of the dtype of what they are computed with."""
    xp = luxport.namespace(mask)
    return xp.astype(mask, getattr(other, "dtype", xp.float32))''',
    "at_places": '''def at_places(part, places, xp):
    """Call a layer with a range of whole numbers; those that an Embedding takes are counted from 0 here."""
    first = 1 if isinstance(getattr(part, "model", part), luxport.Embedding) else 0
    return part(xp.asarray([place - first for place in places]))''',
    "listed": '''def listed(*xs):
    """Join numbers and lists of them to one list."""
    found = []
    for x in xs:
        if luxport.backend.is_array(x):
            raise NotImplementedError("not ported: vcat of arrays where layers are made")
        found.extend(x if isinstance(x, (tuple, list, range)) else [x])
    return found''',
    "masked": '''def masked(part, mask, q, k=None, v=None):
    """Call an attention with a mask."""
    if not isinstance(getattr(part, "model", part), luxport.MultiHeadAttention):
        raise NotImplementedError("not ported: a mask for a layer that is no MultiHeadAttention")
    k = q if k is None else k
    return part((q, k, k if v is None else v, mask))''',
    "chunk": '''def chunk(x, count, axis):
    """Cut an axis into so many parts, of which the last may be smaller."""
    size = -(-x.shape[axis] // count)
    before = (slice(None),) * (axis % len(x.shape))
    return tuple([x[(*before, slice(i * size, (i + 1) * size))] for i in range(-(-x.shape[axis] // size))])''',
    "entries_of_batch": '''def entries_of_batch(batch):
    """Return what Flux hands a loss of a batch: the entries of a tuple, or the batch."""
    return batch if isinstance(batch, tuple) else (batch,)''',
    "quotient": '''def quotient(a, b):
    """Divide whole numbers and round toward zero, as Julia's ÷ does."""
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole''',
    "remainder": '''def remainder(a, b):
    """Return what ÷ leaves, with the sign of `a`, as Julia's % does."""
    left = abs(a) % abs(b)
    return left if a >= 0 else -left''',
    "elementwise": '''def elementwise(function, a, b):
    """Work on numbers, or entry by entry on tuples of them, as Julia's dot does."""
    several = [x for x in (a, b) if isinstance(x, (tuple, list))]
    if not several:
        return function(a, b)
    first = a if isinstance(a, (tuple, list)) else [a] * len(several[0])
    second = b if isinstance(b, (tuple, list)) else [b] * len(several[0])
    return tuple([function(x, y) for x, y in zip(first, second, strict=True)])''',
    "total": '''def total(xs):
    """Add the numbers of an array, or the arrays of a tuple one to the other, as Julia's sum does."""
    if isinstance(xs, (tuple, list)):
        return functools.reduce(operator.add, xs)
    return luxport.namespace(xs).sum(xs)''',
    "average": '''def average(xs):
    """Average the numbers of an array, or the arrays of a tuple, as Julia's mean does."""
    if isinstance(xs, (tuple, list)):
        return functools.reduce(operator.add, xs) / len(xs)
    return luxport.namespace(xs).mean(xs)''',
    "constant": '''def constant(value):
    """Make tuples of lists, which a layer could not hold."""
    return tuple([constant(entry) for entry in value]) if isinstance(value, list) else value''',
    "arrays_space": '''def arrays_space(*given):
    """Find the functions for the arrays in what is given, inside tuples or not."""
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
    "peeled": '''def peeled(xs):
    """Return the first of a sequence, and the others."""
    first, *others = xs
    return first, others''',
    "as_several": '''def as_several(inputs):
    """Return the inputs of a layer as a tuple, which several are anyway."""
    return inputs if isinstance(inputs, tuple) else (inputs,)''',
    "fits": '''def fits(given, least, most, *kinds):
    """Tell whether arguments are as many, and of such kinds, as a method of Julia's takes."""
    if len(given) < least or len(given) > most:
        return False
    for value, kind in zip(given, kinds, strict=False):
        if not is_a(value, kind):
            return False
    return True''',
    "is_a": '''def is_a(value, kind):
    """Tell whether a value is of a kind of Julia's types, or an array of so many axes."""
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
    """Add all."""
    return functools.reduce(operator.add, xs)''',
    "multiply": '''def multiply(*xs):
    """Multiply all, element by element."""
    return functools.reduce(operator.mul, xs)''',
}
"""The source of each helper, by its name."""
