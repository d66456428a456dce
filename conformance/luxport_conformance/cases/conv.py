"""Cases of `Conv` and `CrossCor`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import luxport
from luxport import Chain, Conv, CrossCor, Dense, FlattenLayer, MaxPool, SamePad, relu, sigmoid
from luxport_conformance.case import Case, Property, Shape
from luxport_conformance.cases.answers import count_up, read_answer
from luxport_conformance.cases.conv_shapes import check_sizes
from luxport_conformance.cases.declare import check_error, check_fact, check_output, check_program, cite, draw, set_up
from luxport_conformance.compare import Tolerance

LAYER = "flux:layers/conv.jl"
OP = "nnlib:conv.jl"

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stride": {"stride": 2},
    "dil": {"dilation": 2},
    "pad": {"padding": 1},
    "flip": {"cross_correlation": True},
}


def _make_layers(rank: int) -> dict[str, Conv]:
    return {name: Conv((2,) * rank, 1, 1, use_bias=False, **options) for name, options in SETTINGS.items()}


def _make_values(rank: int) -> Callable[..., Any]:
    layers = _make_layers(rank)
    return lambda x, weight: {name: layer(x, {"weight": weight}, {})[0] for name, layer in layers.items()}


def _make_gradients(rank: int) -> Callable[..., Any]:
    """Return a function that pulls the output itself back to x and weight, as NNlib's tests do."""
    layers = _make_layers(rank)

    def compute_gradients(x: Any, weight: Any) -> Any:
        xp = luxport.namespace(x)

        def make_loss(layer: Conv) -> Callable[..., Any]:
            def sum_squares(x: Any, weight: Any) -> Any:
                y, _ = layer(x, {"weight": weight}, {})
                return xp.sum(y * luxport.stop_gradient(y))

            return sum_squares

        return {name: luxport.grad(make_loss(layer), (0, 1))(x, weight) for name, layer in layers.items()}

    return compute_gradients


def _read_values(rank: int) -> dict[str, Any]:
    padded = read_answer("conv", rank, "y_pad")
    inner = tuple(slice(1, n - 1) for n in padded.shape[2:])
    every_other = tuple(slice(1, n - 1, 2) for n in padded.shape[2:])
    return {
        "plain": padded[(..., *inner)],
        "stride": padded[(..., *every_other)],
        "dil": read_answer("conv", rank, "y_dil"),
        "pad": padded,
        "flip": read_answer("conv", rank, "y_flip"),
    }


def _read_gradients(rank: int) -> dict[str, Any]:
    suffixes = {name: "" if name == "plain" else f"_{name}" for name in SETTINGS}
    return {
        name: (read_answer("conv", rank, f"dx{suffix}"), read_answer("conv", rank, f"dw{suffix}"))
        for name, suffix in suffixes.items()
    }


def _make_inputs(rank: int) -> dict[str, Any]:
    return {name: count_up(*read_answer("conv", rank, key).shape) for name, key in (("x", "dx"), ("weight", "dw"))}


SIX_DIGITS = Tolerance(reduction=64, rounding=5.0, reason="upstream gives 3-d weight gradients of 1e6 to six digits")


def _correlate_by_loops(x: Any, weight: Any, *, flip: bool) -> Any:
    """Correlate in two dimensions with stride 1 and no padding, by loops independent of luxport."""
    weight = weight[:, :, ::-1, ::-1] if flip else weight
    height, width = weight.shape[2:]
    y = np.zeros((x.shape[0], weight.shape[0], x.shape[2] - height + 1, x.shape[3] - width + 1))
    for i, j in np.ndindex(*y.shape[2:]):
        y[:, :, i, j] = np.einsum("nchw,ochw->no", x[:, :, i : i + height, j : j + width], weight)
    return y


def _softmax(x: Any) -> Any:
    xp = luxport.namespace(x)
    e = xp.exp(x - xp.max(x, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def _make_network(convolution: Any, **last: Any) -> Chain:
    return Chain(
        *(convolution((2, 2), 1, 16, relu), MaxPool((2, 2)), convolution((2, 2), 16, 8, relu, **last)),
        *(MaxPool((2, 2)), FlattenLayer(), Dense(288, 10), _softmax),
    )


def _check_groups(
    lines: tuple[int, int], kernel: tuple[int, ...], sizes: tuple[int, ...], places: tuple[int, ...]
) -> Any:
    layer = Conv(kernel, 100, 25, groups=5)
    rank = len(kernel)
    yield check_fact(
        f"conv.grouped_weight_{rank}d",
        cite(LAYER, lines[0]),
        lambda: tuple(set_up(layer)[0]["weight"].shape),
        (25, 20, *kernel),
    )
    yield check_output(
        f"conv.grouped_{rank}d", cite(LAYER, lines[1]), layer, np.ones((2, 100, *sizes)), y=Shape(2, 25, *places)
    )


def _check_impulse(line: int, kernel: tuple[int, int], size: tuple[int, int], where: tuple[Any, Any]) -> Case:
    """Check that the response to an impulse is the kernel itself, as it is in a true convolution."""
    impulse = np.zeros((1, 1, 7, 7))
    impulse[0, 0, 3, 3] = 1.0

    def expect_response(x: Any, ps: Any, st: Any) -> Any:
        y = np.zeros((1, 1, *size))
        y[(0, 0, *where)] = ps["weight"].reshape(y[(0, 0, *where)].shape)
        return y

    return check_output(
        f"conv.impulse_{kernel[0]}_{kernel[1]}", cite(LAYER, line), Conv(kernel, 1, 1), impulse, y=expect_response
    )


def _expect_corners(x: Any, weight: Any, bias: Any) -> Any:
    y = ASYMMETRIC(x, {"weight": weight, "bias": bias}, {})[0][0, 0, ...]
    picked = {"first": (0, 0), "inner": (1, 1), "right": (0, -1), "below": (-1, 0), "above": (-2, 0), "last": (-1, -1)}
    return {"y": y} | {name: y[place] for name, place in picked.items()}


ASYMMETRIC = Conv((3, 3), 1, 1, relu, padding=((1, 2), (0, 1)))
IMAGE, SMALL = np.abs(draw(1, 1, 28, 28)), np.abs(draw(1, 1, 2, 2, seed=1))
NO_BIAS = Conv((2, 2), 1, 3, use_bias=False)


DEPTHWISE = Conv((3,), 2, 2, groups=2, padding=1, use_bias=False)
PAIR = (Conv((2, 2), 1, 1, use_bias=False), CrossCor((2, 2), 1, 1, use_bias=False))


def _has_same_shape(layer: Any, kernel: tuple[int, ...], stride: int) -> bool:
    sizes = tuple(k + 3 for k in kernel)
    shape = (1, 1, *sizes)
    ps, st = set_up(layer)
    wanted = (1, 1, *(-(-n // stride) for n in sizes))
    computed = layer(np.ones(shape, np.float32), ps, st)[0].shape
    return luxport.output_shape(layer, shape) == computed == wanted


SIZES: tuple[tuple[int, tuple[int, int], dict[str, Any], tuple[int, int]], ...] = (
    (802, (2, 2), {}, (9, 9)),
    (803, (2, 2), {"stride": 2, "padding": 2}, (7, 7)),
    (804, (4, 3), {"stride": (2, 1), "padding": (3, 2)}, (7, 12)),
    (805, (2, 2), {"stride": (2, 1), "padding": (3, 2), "dilation": 2}, (7, 12)),
    (806, (2, 2), {"stride": (2, 1), "padding": (3, 2), "dilation": 2, "cross_correlation": True}, (7, 12)),
)
KERNELS = ((1,), (2,), (3,), (5, 4), (8, 7, 6))

CASES: list[Case] = [
    *(
        check_program(
            f"conv.counting_{rank}d",
            cite(OP, 284, 288, 292, 296, 300, 304),
            _make_values(rank),
            _make_inputs(rank),
            expected=_read_values(rank),
            tolerance=Tolerance(reduction=2**rank),
        )
        for rank in (1, 2, 3)
    ),
    *(
        check_program(
            f"conv.counting_gradients_{rank}d",
            cite(OP, 355, 356, 362, 363, 368, 369, 374, 375, 380, 381, 386, 387),
            _make_gradients(rank),
            _make_inputs(rank),
            expected=_read_gradients(rank),
            differentiates=True,
            tolerance=Tolerance(reduction=64) if rank < 3 else SIX_DIGITS,
        )
        for rank in (1, 2, 3)
    ),
    check_program(
        "conv.depthwise",
        cite(OP, 680),
        lambda x, weight: DEPTHWISE(x, {"weight": weight}, {})[0],
        {"x": count_up(1, 2, 1), "weight": count_up(2, 1, 3)},
        expected=[[[2.0], [10.0]]],
    ),
    *(
        check_sizes(f"conv.size_line_{line}", cite(OP, line), Conv(kernel, 3, 16, **options), places)
        for line, kernel, options, places in SIZES
    ),
    check_output("conv.network", cite(LAYER, 32), _make_network(Conv), np.zeros((5, 1, 28, 28)), y=Shape(5, 10)),
    check_output(
        "conv.bias_alone",
        cite(LAYER, 39),
        Conv((2, 2), 1, 3, init_weight=luxport.initializers.ones, init_bias=luxport.initializers.ones),
        np.zeros((1, 1, 28, 28)),
        y=np.ones((1, 3, 27, 27)),
    ),
    check_output("conv.no_bias", cite(LAYER, 44), NO_BIAS, np.zeros((1, 1, 28, 28)), y=np.zeros((1, 3, 27, 27))),
    check_program(
        "conv.no_bias_gradient",
        cite(LAYER, 46),
        lambda x, weight: (
            list(luxport.grad(lambda ps: luxport.namespace(x).sum(NO_BIAS(x, ps, {})[0]))({"weight": weight}))
            == ["weight"]
        ),
        {"x": np.zeros((1, 1, 28, 28)), "weight": draw(3, 1, 2, 2)},
        expected=True,
        differentiates=True,
        compiles=False,  # the result is a list of names
        dtypes=("float32",),
    ),
    *_check_groups((70, 71), (3,), (28,), (26,)),
    *_check_groups((75, 76), (3, 3), (28, 28), (26, 26)),
    *_check_groups((80, 81), (5, 4, 3), (12, 11, 10), (8, 8, 8)),
    check_output(
        "conv.groups_in_order",
        ("definition: the outputs of a group are neighbors, and see the input channels of their group",),
        Conv((1,), 4, 6, groups=2, use_bias=False),
        draw(2, 4, 3),
        y=lambda x, ps, st: np.concatenate(
            [np.einsum("ncl,oc->nol", x[:, 2 * g : 2 * g + 2], ps["weight"][3 * g : 3 * g + 3, :, 0]) for g in (0, 1)],
            1,
        ),
        tolerance=Tolerance(reduction=2),
    ),
    *(
        check_error(
            f"conv.groups_line_{line}",
            cite(LAYER, line),
            lambda channels=channels: Conv((2, 2), *channels, groups=2),
            raises=ValueError,
            message="channels that groups divides",
        )
        for line, channels in ((84, (3, 10)), (85, (2, 9)))
    ),
    *(
        check_fact(
            f"conv.channels_{len(kernel)}d",
            cite(LAYER, 100 + i, 103 + i),
            lambda kernel=kernel: (Conv(kernel, 2, 4).in_channels, Conv(kernel, 2, 4).out_channels),
            (2, 4),
        )
        for i, kernel in enumerate(((3,), (6, 5), (3, 2, 1)))
    ),
    check_program(
        "conv.asymmetric_padding",
        cite(LAYER, 140, 141, 142, 143, 144, 145, 146),
        _expect_corners,
        {"x": np.ones((1, 1, 28, 28)), "weight": np.ones((1, 1, 3, 3)), "bias": np.zeros(1)},
        expected={
            "y": Shape(29, 27),
            "first": 6.0,
            "inner": 9.0,
            "right": 4.0,
            "below": 3.0,
            "above": 6.0,
            "last": 2.0,
        },
    ),
    check_program(
        "cross_cor.first_window",
        cite(LAYER, 224),
        lambda x, weight: PAIR[1](x, {"weight": weight}, {})[0],
        {"x": IMAGE, "weight": SMALL},
        expected=lambda x, weight: _correlate_by_loops(x, weight, flip=False),
        tolerance=Tolerance(reduction=4),
    ),
    check_output(
        "cross_cor.network",
        cite(LAYER, 235),
        _make_network(CrossCor, use_bias=False),
        np.zeros((5, 1, 28, 28)),
        y=Shape(5, 10),
    ),
    check_program(
        "cross_cor.is_not_conv",
        cite(LAYER, 236),
        lambda x, weight: PAIR[0](x, {"weight": weight}, {})[0] - PAIR[1](x, {"weight": weight}, {})[0],
        {"x": IMAGE, "weight": SMALL},
        expected=Property("something other than zeros", lambda d: bool(np.abs(d).max() > 0.1)),
    ),
    check_program(
        "cross_cor.flipped_is_conv",
        cite(LAYER, 237),
        lambda x, weight: {
            "conv": PAIR[0](x, {"weight": weight}, {})[0],
            "cross_cor": PAIR[1](x, {"weight": luxport.namespace(x).flip(weight, axis=(2, 3))}, {})[0],
        },
        {"x": IMAGE, "weight": SMALL},
        expected=lambda x, weight: dict.fromkeys(("conv", "cross_cor"), _correlate_by_loops(x, weight, flip=True)),
        tolerance=Tolerance(reduction=4),
    ),
    _check_impulse(247, (3, 3), (5, 5), (slice(1, -1), slice(1, -1))),
    _check_impulse(252, (1, 3), (7, 5), (3, slice(1, -1))),
    _check_impulse(257, (3, 1), (5, 7), (slice(1, -1), 3)),
    check_output(
        "conv.same_pad_low",
        ("flux: SamePad puts the odd one low (src/layers/conv.jl, calc_padding)",),
        Conv((2,), 1, 1, padding=SamePad(), use_bias=False),
        [[[1.0, 2.0, 3.0]]],
        ps={"weight": np.array([[[1.0, 10.0]]])},
        y=[[[1.0, 12.0, 23.0]]],
    ),
    check_output(
        "conv.wide_window", cite(LAYER, 259), Conv((1, 6), 1, 1, sigmoid), draw(1, 1, 10, 10), y=Shape(1, 1, 10, 5)
    ),
    *(
        check_fact(
            f"{convolution.__name__.lower()}.same_pad_stride_{'_'.join(map(str, kernel))}",
            cite(LAYER, 292),
            lambda convolution=convolution, kernel=kernel: _has_same_shape(
                convolution(kernel, 1, 1, padding=SamePad(), stride=3), kernel, 3
            ),
            subject=convolution.__name__,
        )
        for convolution in (Conv, CrossCor)
        for kernel in KERNELS
    ),
]
