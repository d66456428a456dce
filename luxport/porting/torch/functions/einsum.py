"""Einstein's sums of one array or several: axes with names, those left out are summed over."""

from __future__ import annotations

from typing import Any

from luxport.backend import Array, namespace

__all__ = ["einsum"]


def einsum(equation: str, *arrays: Any) -> Array:
    """Multiply arrays along axes of the same letter and sum over those that the result does not name.

    Arrays are joined one after the other, each pair by one product of matrices; an axis that only one array has,
    and nothing after it, is summed before. An ellipsis stands for axes that broadcast, in front or behind.

    Raises: ValueError for an equation with a letter twice in one place
    """
    arrays = tuple(arrays[0]) if len(arrays) == 1 and isinstance(arrays[0], (tuple, list)) else arrays
    given, arrow, result = equation.replace(" ", "").partition("->")
    terms = given.split(",")
    spelled = [_write_out(term, len(x.shape)) for term, x in zip(terms, arrays, strict=True)]
    if not arrow:
        letters = "".join(spelled)
        result = "".join(sorted({c for c in letters if letters.count(c) == 1}))
    else:
        most = max((len(x.shape) - len(t.replace("...", "")) for t, x in zip(terms, arrays, strict=True)), default=0)
        result = result.replace("...", _MORE[len(_MORE) - most :])
    if any(len(set(term)) != len(term) for term in (*spelled, result)):
        raise ValueError(f"einsum {equation!r} takes a diagonal, which has no counterpart")
    total, names = arrays[0], spelled[0]
    for i, (x, term) in enumerate(zip(arrays[1:], spelled[1:], strict=True), start=1):
        later = set("".join(spelled[i + 1 :]) + result)
        total, names = _product(total, names, x, term, later)
    total, names = _sum(total, names, set(result))
    return namespace(total).permute_dims(total, tuple([names.index(c) for c in result]))


_MORE = "ΑΒΓΔΕΖΗΘ"


def _write_out(term: str, rank: int) -> str:
    """Give the axes of an ellipsis letters of their own, the same for the last one of each array."""
    more = rank - len(term.replace("...", ""))
    return term.replace("...", _MORE[len(_MORE) - more :])


def _sum(x: Array, names: str, kept: set[str]) -> tuple[Array, str]:
    axes = tuple(i for i, c in enumerate(names) if c not in kept)
    return (namespace(x).sum(x, axis=axes), "".join(c for c in names if c in kept)) if axes else (x, names)


def _product(x: Array, xs: str, y: Array, ys: str, later: set[str]) -> tuple[Array, str]:
    """Join two arrays by a product of matrices: axes of both that are kept, of x alone, summed over, of y alone."""
    x, xs = _sum(x, xs, later | set(ys))
    y, ys = _sum(y, ys, later | set(xs))
    both = [c for c in xs if c in ys]
    # Sizes of 1 in an ellipsis broadcast, which a sum over the axis would not.
    batch, inner = [c for c in both if c in later], [c for c in both if c not in later]
    rows, columns = [c for c in xs if c not in ys], [c for c in ys if c not in xs]
    xp = namespace(x, y)
    sizes = dict(zip(xs, x.shape, strict=True)) | {c: n for c, n in zip(ys, y.shape, strict=True) if c not in xs}
    x = xp.permute_dims(x, tuple([xs.index(c) for c in (*batch, *rows, *inner)]))
    y = xp.permute_dims(y, tuple([ys.index(c) for c in (*batch, *inner, *columns)]))
    left, right = x.shape[: len(batch)], y.shape[: len(batch)]
    count = _count(sizes, inner)
    x = xp.reshape(x, (*left, _count(sizes, rows), count))
    y = xp.reshape(y, (*right, count, _count(sizes, columns)))
    z = xp.matmul(x, y)
    return xp.reshape(z, (*z.shape[: len(batch)], *[sizes[c] for c in rows], *[sizes[c] for c in columns])), "".join(
        (*batch, *rows, *columns)
    )


def _count(sizes: dict[str, Any], names: list[str]) -> int:
    total = 1
    for name in names:
        total *= sizes[name]
    return total
