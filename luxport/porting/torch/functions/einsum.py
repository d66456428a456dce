"""`einsum` of any number of arrays, by products of matrices."""

from __future__ import annotations

import math
from typing import Any

from luxport.backend import Array, namespace

__all__ = ["einsum"]


def einsum(equation: str, *arrays: Any) -> Array:
    """Multiply arrays along axes of the same letter, and sum over the letters that the result does not have.

    The first array is multiplied by the others one after another, each time by one product of matrices. An axis that
    only one array has, and neither the result nor a later array, is summed first. An ellipsis stands for axes that
    broadcast.

    Raises: ValueError for an equation with a letter twice in one term
    """
    arrays = tuple(arrays[0]) if len(arrays) == 1 and isinstance(arrays[0], (tuple, list)) else arrays
    given, arrow, result = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    spelled = [_expand_ellipsis(term, len(x.shape)) for term, x in zip(terms, arrays, strict=True)]
    if not arrow:
        letters = "".join(spelled)
        result = "".join(sorted({c for c in letters if letters.count(c) == 1}))
    else:
        most = max((len(x.shape) - len(t.replace("...", "")) for t, x in zip(terms, arrays, strict=True)), default=0)
        result = result.replace("...", _ELLIPSIS_LETTERS[len(_ELLIPSIS_LETTERS) - most :])
    if any(len(set(term)) != len(term) for term in (*spelled, result)):
        raise ValueError(f"einsum {equation!r} has a letter twice in one term (a diagonal), which has no counterpart")
    total, names = arrays[0], spelled[0]
    for i, (x, term) in enumerate(zip(arrays[1:], spelled[1:], strict=True), start=1):
        later = set("".join(spelled[i + 1 :]) + result)
        total, names = _multiply_pair(total, names, x, term, later)
    total, names = _sum_axes(total, names, set(result))
    return namespace(total).permute_dims(total, tuple([names.index(c) for c in result]))


_ELLIPSIS_LETTERS = "ΑΒΓΔΕΖΗΘ"


def _expand_ellipsis(term: str, rank: int) -> str:
    """Return a term with letters in place of an ellipsis; the last axis of each ellipsis gets the same letter."""
    more = rank - len(term.replace("...", ""))
    return term.replace("...", _ELLIPSIS_LETTERS[len(_ELLIPSIS_LETTERS) - more :])


def _sum_axes(x: Array, names: str, kept: set[str]) -> tuple[Array, str]:
    axes = tuple(i for i, c in enumerate(names) if c not in kept)
    return (namespace(x).sum(x, axis=axes), "".join(c for c in names if c in kept)) if axes else (x, names)


def _multiply_pair(x: Array, xs: str, y: Array, ys: str, later: set[str]) -> tuple[Array, str]:
    """Return the product of two arrays and the letters of its axes.

    It is a batched product of matrices: the batch axes are those of both arrays that are needed later, the inner axes
    those of both that are not, and the rows and columns are the axes that only x or only y has.
    """
    x, xs = _sum_axes(x, xs, later | set(ys))
    y, ys = _sum_axes(y, ys, later | set(xs))
    both = [c for c in xs if c in ys]
    # Batch axes keep their own sizes in x and y, since axes of size 1 from an ellipsis broadcast.
    batch, inner = [c for c in both if c in later], [c for c in both if c not in later]
    rows, columns = [c for c in xs if c not in ys], [c for c in ys if c not in xs]
    xp = namespace(x, y)
    sizes = dict(zip(xs, x.shape, strict=True)) | {c: n for c, n in zip(ys, y.shape, strict=True) if c not in xs}
    x = xp.permute_dims(x, tuple([xs.index(c) for c in (*batch, *rows, *inner)]))
    y = xp.permute_dims(y, tuple([ys.index(c) for c in (*batch, *inner, *columns)]))
    left, right = x.shape[: len(batch)], y.shape[: len(batch)]
    count = math.prod([sizes[c] for c in inner])
    x = xp.reshape(x, (*left, math.prod([sizes[c] for c in rows]), count))
    y = xp.reshape(y, (*right, count, math.prod([sizes[c] for c in columns])))
    z = xp.matmul(x, y)
    z = xp.reshape(z, (*z.shape[: len(batch)], *[sizes[c] for c in (*rows, *columns)]))
    return z, "".join((*batch, *rows, *columns))
