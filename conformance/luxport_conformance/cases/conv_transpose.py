"""Cases of `ConvTranspose`, of `DepthwiseConv`, and of what `Conv` says of itself and its padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import Conv, ConvTranspose, CrossCor, DepthwiseConv, SamePad, initializers, ops, relu
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import answer, counting
from luxport_conformance.cases.declare import at, computation, draw, fact, fails, forward, function
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:conv.jl"

SETTINGS: dict[str, dict[str, Any]] = {
    "": {},
    "_stride": {"stride": 2},
    "_dil": {"dilation": 2},
    "_pad": {"padding": 1},
    "_flip": {"cross_correlation": True},
}


def _back(rank: int) -> Case:
    """NNlib pins what comes of pulling a convolution's output back to its input: a transposed convolution of it."""
    x, weight = (counting(*answer("conv", rank, name).shape) for name in ("dx", "dw"))
    layers, outputs = {}, {}
    for name, options in SETTINGS.items():
        outputs[name], _ = Conv((2,) * rank, 1, 1, use_bias=False, **options)(x, {"weight": weight}, {})
        # A stride leaves over what a window does not reach: the output's padding says that it was there.
        reach = [2 * n for n in outputs[name].shape[2:]]
        more = tuple(n - r for n, r in zip(x.shape[2:], reach, strict=True)) if name == "_stride" else 0
        layers[name] = ConvTranspose((2,) * rank, 1, 1, use_bias=False, output_padding=more, **options)
    return computation(
        f"conv_transpose.counting_{rank}d",
        at(OP, 356, 363, 369, 375, 381, 387),
        "ConvTranspose",
        lambda weight, *ys: {
            name: layers[name](y, {"weight": weight}, {})[0] for name, y in zip(SETTINGS, ys, strict=True)
        },
        {"weight": weight} | {f"y{name}": y for name, y in outputs.items()},
        expected={name: answer("conv", rank, f"dx{name}") for name in SETTINGS},
        tolerance=Tolerance(reduction=2**rank),
    )


UNEVEN = ConvTranspose(
    *((3, 2), 4, 2), stride=(2, 3), padding=((2, 0), (0, 1)), output_padding=(1, 2), dilation=(1, 2), groups=2
)


def _laid_down(x: Any, ps: Any, st: Any) -> Any:
    """Compute UNEVEN element by element: each of x lays its kernel down, flipped, and padding is cut away."""
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


def _shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape that is told, if it is also the one that comes out."""
    ps, st = luxport.setup(0, layer, backend="numpy")
    computed = layer(np.ones(shape, np.float32), ps, st)[0].shape
    return computed if luxport.output_shape(layer, shape) == computed else ()


def _weights_and_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return luxport.setup(0, layer, backend="numpy")[0]["weight"].size, _shape(layer, shape)


def _same_pad(layer: Any, kernel: tuple[int, ...]) -> bool:
    shape = (1, 1, *(k + 3 for k in kernel))
    dilation = tuple(max(k // 2, 1) for k in kernel)
    plain, dilated = (layer(kernel, 1, 1, padding=SamePad(), dilation=d) for d in (1, dilation))
    strided = layer(kernel, 1, 1, padding=SamePad(), stride=3)
    wanted = [3 * n if layer is ConvTranspose else -(-n // 3) for n in shape[2:]]
    return _shape(plain, shape) == _shape(dilated, shape) == shape and _shape(strided, shape) == (1, 1, *wanted)


def _uneven_pads(layer: Any, rank: int) -> bool:
    pads, shape = tuple(range(1, rank + 1)), (1, 1, *[8] * rank)
    short, long = (layer((3,) * rank, 1, 1, padding=p) for p in (pads, tuple((n, n) for n in pads)))
    return _shape(short, shape) == _shape(long, shape) != ()


def _same_channels(*layers: Any) -> bool:
    """Say whether a layer that `from_weight` builds from each one's weight has the channels of the one."""
    weights = [luxport.setup(0, layer, backend="numpy")[0]["weight"] for layer in layers]
    built = [
        type(layer).from_weight(weight, groups=layer.groups)[0] for layer, weight in zip(layers, weights, strict=True)
    ]
    return [(b.in_channels, b.out_channels) for b in built] == [(a.in_channels, a.out_channels) for a in layers]


MANY = tuple(
    layer(kernel, 3 * groups, 2 * groups, groups=groups)
    for layer in (Conv, ConvTranspose)
    for groups, kernel in ((1, (2,)), (4, (1, 3)), (7, (2, 1, 2)))
)
RELU = Conv((2, 2), 3, 3, relu, stride=2)
STILL = Conv((2, 2), 1, 3, use_bias=False)


def _error_and_slope(x: Any, weight: Any) -> Any:
    def error(weight: Any) -> Any:
        return luxport.namespace(x).mean((STILL(x, {"weight": weight}, {})[0] - 2.0) ** 2)

    return luxport.value_and_grad(error)(weight)


def _padded_by_numpy(mode: Any) -> Callable[..., Any]:
    return lambda x, ps, st: np.stack(
        [
            sum(
                np.correlate(np.pad(x[n, c], (2, 1), mode=mode), ps["weight"][o, c, ::-1], "valid")
                for c in range(x.shape[1])
            )
            for n in range(len(x))
            for o in range(2)
        ]
    ).reshape(len(x), 2, -1)


DEPTHWISE: tuple[tuple[int, tuple[int, int], dict[str, Any], tuple[int, int]], ...] = (
    (824, (2, 2), {}, (9, 9)),
    (825, (2, 2), {"stride": 2, "padding": 2}, (7, 7)),
    (826, (4, 3), {"stride": (2, 1), "padding": (3, 2)}, (7, 12)),
    (827, (4, 3), {"stride": (2, 1), "padding": (3, 2), "dilation": 2}, (5, 10)),
    (828, (4, 3), {"stride": (2, 1), "padding": (3, 2), "dilation": 2, "cross_correlation": True}, (5, 10)),
)
COMPLEX = tuple(
    np.arange(1.0, 5.0).reshape(1, 4, 1) + low + (np.arange(1.0, 5.0).reshape(1, 4, 1) + low + 1) * 1j for low in (0, 2)
)
POINT: dict[str, Any] = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1, "flip": True}

MODES: tuple[tuple[Any, str], ...] = (("reflect", "reflect"), ("edge", "edge"), ("circular", "wrap"))

CASES: list[Case] = [
    *map(_back, (1, 2, 3)),
    forward(
        "conv_transpose.uneven",
        ("the sum that defines it, element by element",),
        UNEVEN,
        draw(2, 4, 3, 2),
        ps={"weight": draw(4, 1, 3, 2, seed=1), "bias": draw(2, seed=2)},
        y=_laid_down,
        tolerance=Tolerance(reduction=12),
    ),
    fact(
        "conv_transpose.undoes_the_size",
        at(LAYER, 169),
        "ConvTranspose",
        lambda: [_shape(ConvTranspose((3, 3), 1, 1, use_bias=b), (1, 1, 3, 3)) for b in (True, False)],
        [(1, 1, 5, 5)] * 2,
    ),
    *(
        fact(
            f"conv_transpose.groups_line_{lines[0]}",
            at(LAYER, *lines),
            "ConvTranspose",
            lambda layer=layer, shape=shape: _weights_and_shape(layer, shape),
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
    fact(
        "conv_transpose.output_padding_2d",
        at(LAYER, 211),
        "ConvTranspose",
        lambda: [
            _shape(ConvTranspose((5, 3), 3, 6, stride=3, output_padding=more), (2, 3, 11, 10)) for more in (0, (0, 1))
        ],
        [(2, 6, 35, 30), (2, 6, 35, 31)],
    ),
    fact(
        "conv_transpose.output_padding_3d",
        at(LAYER, 216),
        "ConvTranspose",
        lambda: [
            luxport.output_shape(ConvTranspose((3, 5, 3), 3, 6, stride=3, output_padding=more), (2, 3, 12, 11, 10))
            for more in (0, (1, 0, 1))
        ],
        [(2, 6, 36, 35, 30), (2, 6, 37, 35, 31)],
    ),
    *(
        fact(
            f"conv_transpose.channels_{rank}d",
            at(LAYER, 106 + rank, 109 + rank),
            "ConvTranspose",
            lambda layers=layers: _same_channels(*layers),
        )
        for rank, layers in (
            (1, (ConvTranspose((3,), 1, 4), ConvTranspose((3,), 2, 1))),
            (2, (ConvTranspose((6, 5), 2, 4), ConvTranspose((6, 5), 2, 2))),
            (3, (ConvTranspose((3, 2, 1), 3, 4), ConvTranspose((3, 2, 1), 2, 3))),
        )
    ),
    fact(
        "conv_transpose.channels_in_groups",
        at(LAYER, 114, 115, 116, 118, 119, 120),
        "ConvTranspose",
        lambda: _same_channels(
            ConvTranspose((6,), 8, 4, groups=4),
            ConvTranspose((6, 5), 2, 4, groups=2),
            ConvTranspose((3, 2, 1), 3, 6, groups=3),
            ConvTranspose((1,), 10, 15, groups=5),
            ConvTranspose((2, 3), 10, 15, groups=5),
            ConvTranspose((6, 5), 2, 2, groups=2),
        ),
    ),
    fact("conv.channels_in_groups", at(LAYER, 128, 129), "Conv", lambda: _same_channels(*MANY)),
    *(
        fact(
            f"{layer.__name__}.same_pad",
            at(LAYER, 282, 285, *((290,) if layer is ConvTranspose else (292,))),
            layer.__name__,
            lambda layer=layer: all(_same_pad(layer, kernel) for kernel in KERNELS),
        )
        for layer in (ConvTranspose, *SMALLER)
    ),
    *(
        fact(
            f"{layer.__name__}.one_pad_per_axis",
            at(LAYER, 276),
            layer.__name__,
            lambda layer=layer: all(_uneven_pads(layer, rank) for rank in (1, 2, 3)),
        )
        for layer in (ConvTranspose, *SMALLER)
    ),
    *(
        fact(
            f"depthwise_conv.line_{line}",
            at(LAYER, line),
            "DepthwiseConv",
            lambda layer=layer: _shape(layer, (5, 3, 28, 28))[1],
            channels,
        )
        for line, layer, channels in (
            (152, DepthwiseConv((2, 2), 3, 15), 15),
            (155, DepthwiseConv((3, 2), 3, 9), 9),
            (158, DepthwiseConv((3, 2), 3, 9, use_bias=False), 9),
        )
    ),
    fails(
        "depthwise_conv.no_whole_multiple",
        at(LAYER, 161),
        lambda: DepthwiseConv((2, 2), 3, 10),
        subject="DepthwiseConv",
        raises=ValueError,
        message="channels that groups divides",
    ),
    *(
        fact(
            f"depthwise_conv.size_line_{line}",
            at(OP, line),
            "DepthwiseConv",
            lambda kernel=kernel, options=options: luxport.output_shape(
                DepthwiseConv(kernel, 3, 9, **options), (10, 3, 10, 10)
            ),
            (10, 9, *places),
        )
        for line, kernel, options, places in DEPTHWISE
    ),
    fails(
        "conv.weight_of_another_shape",
        at(LAYER, 89),
        lambda: luxport.setup(0, Conv((3, 3), 1, 1, init_weight=lambda rng, shape: initializers.ones(rng, (1, 3, 3)))),
        subject="Conv",
        raises=ValueError,
        message=r"expects init_weight to return \(1, 1, 3, 3\), got \(1, 3, 3\)",
    ),
    computation(
        "conv.no_bias_learns_nothing_from_zeros",
        at(LAYER, 64),
        "Conv",
        _error_and_slope,
        {"x": np.zeros((1, 1, 28, 28)), "weight": draw(3, 1, 2, 2)},
        expected=(4.0, np.zeros((3, 1, 2, 2))),
        differentiates=True,
    ),
    *(
        forward(
            f"conv.padding_mode_{mode}",
            ("numpy.pad and numpy.correlate",),
            Conv((3,), 2, 2, padding=((2, 1),), padding_mode=mode, use_bias=False),
            draw(2, 2, 4),
            ps={"weight": draw(2, 2, 3, seed=1)},
            y=_padded_by_numpy(by_numpy),
            tolerance=Tolerance(reduction=6),
        )
        for mode, by_numpy in MODES
    ),
    function(
        "conv.bias_then_activation",
        at("nnlib:conv_bias_act.jl", 6),
        "Conv",
        lambda x, weight, bias: RELU(x, {"weight": weight, "bias": bias}, {})[0],
        *(draw(3, 3, 4, 4), draw(3, 3, 2, 2, seed=1), draw(3, seed=2)),
        expected=lambda x0, x1, x2: np.maximum(
            np.einsum("nchiwj,ocij->nohw", x0.reshape(3, 3, 2, 2, 2, 2), x1[:, :, ::-1, ::-1]) + x2[:, None, None], 0
        ),
        tolerance=Tolerance(reduction=12),
    ),
    computation(
        "conv.complex",
        at(OP, 463),
        "conv",
        lambda x, weight: ops.conv(x, weight, None, **POINT),
        {"x": COMPLEX[0], "weight": COMPLEX[1]},
        expected=np.sum(COMPLEX[0] * COMPLEX[1]).reshape(1, 1, 1),
        tolerance=Tolerance(reduction=8),
    ),
    computation(
        "conv_transpose.complex",
        ("numpy.convolve",),
        "conv_transpose",
        lambda x, weight: ops.conv_transpose(x, weight, None, output_padding=(0,), **{**POINT, "flip": False}),
        {"x": COMPLEX[0].reshape(1, 1, 4), "weight": COMPLEX[1].reshape(1, 1, 4)},
        expected=np.convolve(COMPLEX[0].ravel(), COMPLEX[1].ravel()).reshape(1, 1, 7),
        tolerance=Tolerance(reduction=8),
    ),
]
