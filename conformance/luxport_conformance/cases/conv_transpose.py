"""Cases of `ConvTranspose`: values, shapes, numbers of parameters; and of the padding of layers with windows."""

from __future__ import annotations

from typing import Any

import numpy as np

import luxport
from luxport import Conv, ConvTranspose, CrossCor, DepthwiseConv, SamePad, ops
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import count_up, read_answer
from luxport_conformance.cases.conv import SETTINGS as CONV_SETTINGS
from luxport_conformance.cases.conv_shapes import COMPLEX, POINT, find_shape, has_same_channels
from luxport_conformance.cases.declare import check_fact, check_output, check_program, cite, draw, set_up
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:conv.jl"
SETTINGS = {"" if name == "plain" else f"_{name}": options for name, options in CONV_SETTINGS.items()}


def _check_pullback(rank: int) -> Case:
    """Check transposed convolution by NNlib's values of the pullback of a convolution's output to its input."""
    x, weight = (count_up(*read_answer("conv", rank, name).shape) for name in ("dx", "dw"))
    layers, outputs = {}, {}
    for name, options in SETTINGS.items():
        outputs[name], _ = Conv((2,) * rank, 1, 1, use_bias=False, **options)(x, {"weight": weight}, {})
        # With a stride, no window reaches the last elements of x: output_padding restores the size that they had.
        reach = [2 * n for n in outputs[name].shape[2:]]
        more = tuple(n - r for n, r in zip(x.shape[2:], reach, strict=True)) if name == "_stride" else 0
        layers[name] = ConvTranspose((2,) * rank, 1, 1, use_bias=False, output_padding=more, **options)
    return check_program(
        f"conv_transpose.counting_{rank}d",
        cite(OP, 356, 363, 369, 375, 381, 387),
        lambda weight, *ys: {
            name: layers[name](y, {"weight": weight}, {})[0] for name, y in zip(SETTINGS, ys, strict=True)
        },
        {"weight": weight} | {f"y{name}": y for name, y in outputs.items()},
        expected={name: read_answer("conv", rank, f"dx{name}") for name in SETTINGS},
        tolerance=Tolerance(reduction=2**rank),
    )


UNEVEN = ConvTranspose(
    *((3, 2), 4, 2), stride=(2, 3), padding=((2, 0), (0, 1)), output_padding=(1, 2), dilation=(1, 2), groups=2
)


def _lay_down(x: Any, ps: Any, st: Any) -> Any:
    """Compute UNEVEN element by element: add each element of x times the flipped kernel, and cut off the padding."""
    weight, bias = ps["weight"], ps["bias"]
    full = np.zeros((len(x), 2, (x.shape[2] - 1) * 2 + 3 + 1, (x.shape[3] - 1) * 3 + 3 + 2))
    for group, (h, w), (i, j) in (
        (g, p, k) for g in range(2) for p in np.ndindex(*x.shape[2:]) for k in np.ndindex(3, 2)
    ):
        kernel = weight[2 * group : 2 * group + 2, 0, 2 - i, 1 - j]
        full[:, group, 2 * h + i, 3 * w + 2 * j] += x[:, 2 * group : 2 * group + 2, h, w] @ kernel
    return full[:, :, 2:, :-1] + bias[:, None, None]


KERNELS = ((1,), (2,), (3,), (5, 4), (8, 7, 6))
SMALLER = (Conv, CrossCor, DepthwiseConv)


def _find_weights_and_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return set_up(layer)[0]["weight"].size, find_shape(layer, shape)


def _keeps_shape(layer: Any, kernel: tuple[int, ...]) -> bool:
    shape = (1, 1, *(k + 3 for k in kernel))
    dilation = tuple(max(k // 2, 1) for k in kernel)
    plain, dilated = (layer(kernel, 1, 1, padding=SamePad(), dilation=d) for d in (1, dilation))
    strided = layer(kernel, 1, 1, padding=SamePad(), stride=3)
    wanted = [3 * n if layer is ConvTranspose else -(-n // 3) for n in shape[2:]]
    return find_shape(plain, shape) == find_shape(dilated, shape) == shape and find_shape(strided, shape) == (
        1,
        1,
        *wanted,
    )


def _gives_one_shape(layer: Any, rank: int) -> bool:
    pads, shape = tuple(range(1, rank + 1)), (1, 1, *[8] * rank)
    short, long = (layer((3,) * rank, 1, 1, padding=p) for p in (pads, tuple((n, n) for n in pads)))
    return find_shape(short, shape) == find_shape(long, shape) != ()


CASES: list[Case] = [
    *map(_check_pullback, (1, 2, 3)),
    check_output(
        "conv_transpose.uneven",
        ("the sum that defines it, element by element",),
        UNEVEN,
        draw(2, 4, 3, 2),
        ps={"weight": draw(4, 1, 3, 2, seed=1), "bias": draw(2, seed=2)},
        y=_lay_down,
        tolerance=Tolerance(reduction=12),
    ),
    check_fact(
        "conv_transpose.undoes_the_size",
        cite(LAYER, 169),
        lambda: [find_shape(ConvTranspose((3, 3), 1, 1, use_bias=b), (1, 1, 3, 3)) for b in (True, False)],
        [(1, 1, 5, 5)] * 2,
    ),
    *(
        check_fact(
            f"conv_transpose.groups_line_{lines[0]}",
            cite(LAYER, *lines),
            lambda layer=layer, shape=shape: _find_weights_and_shape(layer, shape),
            expected,
        )
        for lines, layer, shape, expected in (
            ((182, 183), ConvTranspose((3, 3), 2, 4, padding=SamePad()), (3, 2, 10, 10), (72, (3, 4, 10, 10))),
            (
                (185, 186),
                ConvTranspose((3, 3), 2, 4, groups=2, padding=SamePad()),
                *((3, 2, 10, 10), (36, (3, 4, 10, 10))),
            ),
            ((191, 192), ConvTranspose((3,), 2, 4, padding=SamePad(), groups=2), (1, 2, 10), (12, (1, 4, 10))),
            (
                (196, 197),
                ConvTranspose((5, 3), 4, 4, padding=SamePad(), groups=4),
                *((2, 4, 11, 10), (60, (2, 4, 11, 10))),
            ),
            (
                (201, 202),
                ConvTranspose((3, 5, 3), 3, 6, padding=SamePad(), groups=3),
                *((2, 3, 12, 11, 10), (270, (2, 6, 12, 11, 10))),
            ),
        )
    ),
    check_fact(
        "conv_transpose.output_padding_2d",
        cite(LAYER, 211),
        lambda: [
            find_shape(ConvTranspose((5, 3), 3, 6, stride=3, output_padding=more), (2, 3, 11, 10))
            for more in (0, (0, 1))
        ],
        [(2, 6, 35, 30), (2, 6, 35, 31)],
    ),
    check_fact(
        "conv_transpose.output_padding_3d",
        cite(LAYER, 216),
        lambda: [
            luxport.output_shape(ConvTranspose((3, 5, 3), 3, 6, stride=3, output_padding=more), (2, 3, 12, 11, 10))
            for more in (0, (1, 0, 1))
        ],
        [(2, 6, 36, 35, 30), (2, 6, 37, 35, 31)],
    ),
    *(
        check_fact(
            f"conv_transpose.channels_{rank}d",
            cite(LAYER, 106 + rank, 109 + rank),
            lambda layers=layers: has_same_channels(*layers),
        )
        for rank, layers in (
            (1, (ConvTranspose((3,), 1, 4), ConvTranspose((3,), 2, 1))),
            (2, (ConvTranspose((6, 5), 2, 4), ConvTranspose((6, 5), 2, 2))),
            (3, (ConvTranspose((3, 2, 1), 3, 4), ConvTranspose((3, 2, 1), 2, 3))),
        )
    ),
    check_fact(
        "conv_transpose.channels_in_groups",
        cite(LAYER, 114, 115, 116, 118, 119, 120),
        lambda: has_same_channels(
            ConvTranspose((6,), 8, 4, groups=4),
            ConvTranspose((6, 5), 2, 4, groups=2),
            ConvTranspose((3, 2, 1), 3, 6, groups=3),
            ConvTranspose((1,), 10, 15, groups=5),
            ConvTranspose((2, 3), 10, 15, groups=5),
            ConvTranspose((6, 5), 2, 2, groups=2),
        ),
    ),
    *(
        check_fact(
            f"{layer.__name__}.same_pad",
            cite(LAYER, 282, 285, *((290,) if layer is ConvTranspose else (292,))),
            lambda layer=layer: all(_keeps_shape(layer, kernel) for kernel in KERNELS),
        )
        for layer in (ConvTranspose, *SMALLER)
    ),
    *(
        check_fact(
            f"{layer.__name__}.one_pad_per_axis",
            cite(LAYER, 276),
            lambda layer=layer: all(_gives_one_shape(layer, rank) for rank in (1, 2, 3)),
        )
        for layer in (ConvTranspose, *SMALLER)
    ),
    check_program(
        "conv_transpose.complex",
        ("numpy.convolve",),
        lambda x, weight: ops.conv_transpose(x, weight, None, output_padding=(0,), **{**POINT, "flip": False}),
        {"x": COMPLEX[0].reshape(1, 1, 4), "weight": COMPLEX[1].reshape(1, 1, 4)},
        subject="conv_transpose",
        expected=np.convolve(COMPLEX[0].ravel(), COMPLEX[1].ravel()).reshape(1, 1, 7),
        tolerance=Tolerance(reduction=8),
    ),
]
