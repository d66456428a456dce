"""Cases of the initializers: upstream's tests of their shapes and statistics."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import Conv, ConvTranspose, CrossCor, Dense, SamePad, initializers
from luxport.initializers import fans, identity_init, orthogonal, sparse_init
from luxport_conformance.case import Case
from luxport_conformance.cases.declare import check_error, check_fact, check_function, check_output, cite, draw, set_up

FILE = "flux:utils.jl"
ANY_SHAPE = {
    name: getattr(initializers, name)
    for name in (
        *("glorot_uniform", "glorot_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "truncated_normal"),
        *("lecun_normal", "identity_init", "uniform", "normal"),
    )
}
EVERY = ANY_SHAPE | {"sparse_init": sparse_init(sparsity=0.5)}


def _check_initializer(id: str, lines: tuple[int, ...], program: Callable[[], Any], expected: Any = True) -> Case:
    subject = id.partition(".")[0]
    source = cite(FILE, *lines)
    return check_fact(f"initializers.{id}", source, program, expected, subject=_SUBJECTS.get(subject, subject))


_SUBJECTS = {"identity": "identity_init", "kaiming": "kaiming_uniform", "sparse": "sparse_init"}


def _check_basics(name: str, init: Any) -> list[Case]:
    cases = [
        _check_initializer(f"{name}.shape", (79,), lambda: init(0, (4, 3)).shape == (4, 3)),
        # A call without arguments binds options alone: the generator is always an argument of the second call.
        _check_initializer(f"{name}.generator", (84, 86), lambda: init()(luxport.rng(1), (4, 3)).shape == (4, 3)),
        _check_initializer(f"{name}.dtype", (89,), lambda: str(init(0, (4, 3)).dtype), "float32"),
    ]
    if name in ANY_SHAPE:
        cases.append(_check_initializer(f"{name}.vector", (76,), lambda: init(0, (3,)).shape == (3,)))
        cases.append(_check_initializer(f"{name}.kernel", (77,), lambda: init(0, (5, 4, 3)).shape == (5, 4, 3)))
    return cases


def _has_glorot_variance(init: Any) -> bool:
    """Return whether the variance is 2 / (fan_in + fan_out), with a relative error below 0.1."""
    shapes = ((1000,), (100, 100), (400, 100), (64, 32, 3, 2), (64, 32, 4, 3, 2))
    return all(0.9 < init(0, shape).var() * sum(fans(shape)) / 2 < 1.1 for shape in shapes)


def _has_kaiming_spread() -> tuple[bool, bool, bool]:
    """Return whether the least and largest uniform numbers and the deviation of normal ones are right to 10%."""
    found = []
    for fan_in, fan_out in ((100, 100), (400, 100)):
        shape = (fan_in, fan_out)
        values, bound = luxport.initializers.kaiming_uniform(0, shape), math.sqrt(6 / fan_in)
        deviation = luxport.initializers.kaiming_normal(0, shape).std() / math.sqrt(2 / fan_in)
        found.append((-1 < values.min() / bound < -0.9, 0.9 < values.max() / bound < 1, 0.9 < deviation < 1.1))
    return tuple(all(column) for column in zip(*found, strict=True))  # type: ignore[return-value]


def _is_orthonormal(shape: tuple[int, ...]) -> bool:
    matrix = orthogonal(0, shape).reshape(shape[0], -1)
    square = matrix @ matrix.T if shape[0] < matrix.shape[1] else matrix.T @ matrix
    return np.allclose(square, np.eye(len(square)), atol=1e-6)  # entries of at most 1 have rounding errors of 6e-8


def _is_sparse(rows: int, columns: int, sparsity: float, std: float) -> tuple[bool, bool]:
    values = sparse_init(0, (rows, columns), sparsity=sparsity, std=std)
    zeros = (values == 0).sum(1)
    return bool((zeros == math.ceil(columns * sparsity)).all()), bool(0.9 < values[values != 0].std() / std < 1.1)


def _draw_truncated(mean: float, std: float, low: float, high: float) -> Any:
    return luxport.initializers.truncated_normal(0, (10, 100, 100), mean=mean, std=std, low=low, high=high)


def _is_within() -> tuple[bool, bool, bool, bool]:
    checks = []
    for mean, std, low, high, middle in ((0.0, 1, -2, 3, 0.0), (1, 2, -4.0, 5.0, 1.0)):
        v = _draw_truncated(mean, std, low, high)
        checks.append(
            (abs(v.mean() - middle) < 0.1, abs(v.min() - low) < 1e-2, abs(v.max() - high) < 1e-2, v.dtype == "f4")
        )
    return tuple(all(column) for column in zip(*checks, strict=True))  # type: ignore[return-value]


def _is_wide() -> tuple[bool, bool]:
    checks = []
    for mean, std in ((6, 2), (-7.0, 10)):
        v = _draw_truncated(mean, std, -100.0, 100)
        checks.append((abs(v.mean() - mean) < 0.1, abs(v.std() - std) < 0.1))
    return tuple(all(column) for column in zip(*checks, strict=True))  # type: ignore[return-value]


def _find_largest(init: Any, **options: float) -> float:
    return float(init(0, (8, 8), **options).max())


def _is_gained(init: Any) -> tuple[bool, bool]:
    return _find_largest(init) > 1e9 / 2, _find_largest(init, gain=1) < 1e9 / 2


def _check_identity(kind: Any, kernel: tuple[int, ...]) -> Case:
    x = draw(3, 3, *kernel)
    return check_output(
        f"initializers.identity.{kind.__name__}_{'x'.join(map(str, kernel))}",
        cite(FILE, 232),
        kind(kernel, 3, 3, init_weight=identity_init, padding=SamePad()),
        x,
        y=x,
        dtypes=("float32",),
    )


PATHS = (
    Conv((3, 1), 7, 2, init_weight=identity_init, padding=SamePad()),
    Conv((5, 3), 7, 3, init_weight=identity_init(shift=(0, 2, 0, 0)), padding=SamePad()),
    Conv((7, 5), 7, 2, init_weight=identity_init(shift=(0, 5, 0, 0)), padding=SamePad()),
)


def _check_inception() -> Case:
    weights = [set_up(path)[0] for path in PATHS]

    def program(x: Any, *leaves: Any) -> Any:
        pairs = zip(PATHS, leaves[::2], leaves[1::2], strict=True)
        parts = [path(x, {"weight": weight, "bias": bias}, {})[0] for path, weight, bias in pairs]
        return luxport.namespace(x).concat(parts, axis=1)

    leaves = [leaf for ps in weights for leaf in (ps["weight"], ps["bias"])]
    return check_function(
        "initializers.identity.inception",
        cite(FILE, 242),
        program,
        *(draw(2, 7, 9, 9), *leaves),
        subject="identity_init",
        expected=lambda *arrays: arrays[0],
        dtypes=("float32",),
    )


CASES: list[Case] = [
    _check_initializer(
        "fans",
        (54, 55, 56, 57, 58, 59),
        lambda: [
            fans(shape) == wanted
            for shape, wanted in (
                ((), (1, 1)),
                ((100,), (1, 100)),
                ((200, 100), (200, 100)),
                ((40, 30, 2), (2 * 30, 2 * 40)),
                ((50, 40, 3, 2), (2 * 3 * 40, 2 * 3 * 50)),
                ((60, 50, 4, 3, 2), (2 * 3 * 4 * 50, 2 * 3 * 4 * 60)),
            )
        ],
        [True] * 6,
    ),
    *[case for name, init in EVERY.items() for case in _check_basics(name, init)],
    *[
        _check_initializer(f"{name}.variance", (102,), lambda init=ANY_SHAPE[name]: _has_glorot_variance(init))
        for name in ("glorot_uniform", "glorot_normal")
    ],
    *[
        _check_initializer(
            f"{name}.gain_dtype", lines, lambda name=name: str(ANY_SHAPE[name](0, (4, 3), gain=1.5).dtype), "float32"
        )
        for name, lines in (
            *(("glorot_uniform", (104,)), ("glorot_normal", (104,)), ("kaiming_uniform", (120,))),
            *(("kaiming_normal", (121,)), ("orthogonal", (137,))),
        )
    ],
    _check_initializer("kaiming", (113, 114, 118), _has_kaiming_spread, (True, True, True)),
    *[
        _check_initializer(
            f"orthogonal.{id}", (line,), lambda shapes=shapes: [_is_orthonormal(shape) for shape in shapes], [True] * 2
        )
        for id, line, shapes in (("matrices", 128, ((3, 5), (5, 3))), ("kernels", 135, ((5, 4, 3), (5, 2, 2))))
    ],
    check_error(
        "initializers.sparse.kernels",
        cite(FILE, 147),
        lambda: sparse_init(0, (100, 100, 100), sparsity=0.1),
        subject="sparse_init",
        raises=ValueError,
        message=r"sparse_init expects the shape of a matrix, got \(100, 100, 100\)",
    ),
    _check_initializer("sparse.none", (149,), lambda: int((sparse_init(0, (100, 100), sparsity=-0.1) == 0).sum()), 0),
    _check_initializer("sparse.all", (151,), lambda: int((sparse_init(0, (100, 100), sparsity=1.1) != 0).sum()), 0),
    _check_initializer(
        "sparse.part",
        (156, 157),
        lambda: _is_sparse(100, 100, 0.25, 0.1) + _is_sparse(400, 100, 0.75, 0.01),
        (True,) * 4,
    ),
    _check_initializer(
        "sparse.dtype", (160,), lambda: str(sparse_init(0, (4, 3), std=1.5, sparsity=0.5).dtype), "float32"
    ),
    _check_initializer(
        "truncated_normal.bounds",
        (165, 166, 167),
        lambda: [
            abs(f(luxport.initializers.truncated_normal(0, (100, 100))) - wanted) < margin
            for f, wanted, margin in ((np.min, -2, 0.05), (np.max, 2, 0.05), (np.mean, 0, 0.1))
        ],
        [True] * 3,
    ),
    _check_initializer("truncated_normal.within", (172, 173, 174, 175), _is_within, (True,) * 4),
    _check_initializer("truncated_normal.wide", (179, 180), _is_wide, (True,) * 2),
    _check_initializer(
        "lecun_normal.deviation",
        (185, 186),
        lambda: [
            abs(luxport.initializers.lecun_normal(0, shape).std() / wanted - 1) < 0.1
            for shape, wanted in (((1000, 10), 0.032), ((10, 1000), 0.317))
        ],
        [True] * 2,
    ),
    *[
        _check_initializer(
            f"{name}.in_part", lines, lambda name=name: _is_gained(ANY_SHAPE[name](gain=1e9)), (True, True)
        )
        for name, lines in (("kaiming_uniform", (191, 192)), ("kaiming_normal", (195, 196)))
    ],
    _check_initializer(
        "sparse.in_part",
        (199, 200),
        lambda: (_find_largest(sparse_init(sparsity=1)) == 0, _find_largest(sparse_init(sparsity=1), sparsity=0) > 0),
        (True, True),
    ),
    _check_initializer(
        "identity.gain",
        (206,),
        lambda: (
            identity_init(gain=3)(0, (3, 3)).tolist()
            == identity_init(0, (3, 3), gain=3).tolist()
            == [[3, 0, 0], [0, 3, 0], [0, 0, 3]]
        ),
    ),
    _check_initializer("identity.dtype", (207,), lambda: str(identity_init(0, (4, 3), gain=1.5).dtype), "float32"),
    _check_initializer(
        "identity.not_square",
        (210, 211, 212, 213, 214),
        lambda: [
            identity_init(0, shape, **options).any() and not identity_init(0, shape, **options)[part].any()
            for shape, options, part in (
                ((3, 2), {}, -1),
                ((2, 3), {"shift": 1}, (slice(None), 0)),
                ((4, 3, 1, 1), {}, -1),
                ((3, 3, 1, 2), {}, (..., -1)),
                ((3, 3, 2, 1), {}, (..., -1, slice(None))),
            )
        ],
        [True] * 5,
    ),
    check_output(
        "initializers.identity.Dense",
        cite(FILE, 220),
        Dense(3, 3, init_weight=identity_init),
        np.arange(1.0, 10.0).reshape(3, 3),
        y=np.arange(1.0, 10.0).reshape(3, 3),
    ),
    *[
        _check_identity(kind, kernel)
        for kind in (Conv, ConvTranspose, CrossCor)
        for kernel in ((1,), (3,), (3, 1), (5, 3), (7, 5, 3))
    ],
    _check_inception(),
]
