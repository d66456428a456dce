"""Cases of convolution compared with loops over the kernel: settings, groups, depthwise, second derivatives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import luxport
from luxport import Conv, DepthwiseConv, ops
from luxport.layers._windows import Windows
from luxport_conformance.case import Case
from luxport_conformance.cases.answers import count_up, read_answer
from luxport_conformance.cases.conv import SETTINGS, SIX_DIGITS
from luxport_conformance.cases.declare import check_error, check_fact, check_function, check_program, cite, draw
from luxport_conformance.compare import Tolerance

OP = "nnlib:conv.jl"


class Pulled(NamedTuple):
    """A convolution y of x and weight, and the pullbacks dx and dw of a cotangent of y."""

    y: Any
    dx: Any
    dw: Any


def convolve_by_loops(x: Any, weight: Any, dy: Any = None, **options: Any) -> Pulled:
    """Convolve (N, C, *spatial) with the flipped weight, group by group and element by element of the kernel.

    Without a cotangent dy, y itself is the cotangent.
    """
    layer = Conv(weight.shape[2:], x.shape[1], weight.shape[0], **options)
    windows, groups, kernel = layer._windows, layer.groups, weight.shape[2:]
    padded = np.pad(x, ((0, 0), (0, 0), *windows.padding))
    spans = [d * (k - 1) + 1 for d, k in zip(windows.dilation, kernel, strict=True)]
    places = [(n - span) // s + 1 for n, span, s in zip(padded.shape[2:], spans, windows.stride, strict=True)]
    y, dx, dw = np.zeros((len(x), len(weight), *places)), np.zeros(padded.shape), np.zeros(weight.shape)

    def iterate() -> Any:
        for group, k in itertools.product(range(groups), np.ndindex(*kernel)):
            seen = slice(group * weight.shape[1], (group + 1) * weight.shape[1])
            made = slice(group * len(weight) // groups, (group + 1) * len(weight) // groups)
            steps = zip(k, places, windows.dilation, windows.stride, strict=True)
            place = [slice(d * i, d * i + s * (n - 1) + 1, s) for i, n, d, s in steps]
            element = k if options.get("cross_correlation") else [n - 1 - i for n, i in zip(kernel, k, strict=True)]
            yield (slice(None), seen, *place), made, (made, slice(None), *element)

    for window, made, element in iterate():
        y[:, made] += np.einsum("nc...,oc->no...", padded[window], weight[element])
    dy = y if dy is None else dy
    for window, made, element in iterate():
        seen, pulled = [a.reshape(*a.shape[:2], -1) for a in (padded[window], dy[:, made])]
        dw[element] += np.einsum("nci,noi->oc", seen, pulled)
        dx[window] += np.einsum("no...,oc->nc...", dy[:, made], weight[element])
    inner = [slice(low, low + n) for (low, _), n in zip(windows.padding, x.shape[2:], strict=True)]
    return Pulled(y, dx[(..., *inner)], dw)


def _make_pullback(layer: Any) -> Callable[..., Any]:
    """Return a function that pulls a layer's output back to x and weight, with a view as the cotangent."""

    def program(x: Any, weight: Any) -> Any:
        xp = luxport.namespace(x)

        def sum_products(x: Any, weight: Any) -> Any:
            y, _ = layer(x, {"weight": weight}, {})
            return xp.sum(y * xp.stack([luxport.stop_gradient(y)] * 2)[1, ...])

        dx, dw = luxport.grad(sum_products, (0, 1))(x, weight)
        return {"y": layer(x, {"weight": weight}, {})[0], "dx": dx, "dw": dw}

    return program


def _check_fuzzed(id: str, lines: tuple[int, ...], *layers_and_sizes: tuple[Any, tuple[int, ...]], seed: int) -> Case:
    """Check layers without bias, and the pullbacks of their own outputs, for inputs of sizes (N, *spatial)."""
    programs, inputs, options = [], {}, []
    for i, (layer, sizes) in enumerate(layers_and_sizes):
        weight = (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel)
        x = (sizes[0], layer.in_channels, *sizes[1:])
        programs.append(_make_pullback(layer))
        inputs[f"arrays_{i}"] = (draw(*x, seed=seed + i), draw(*weight, seed=seed - i - 1))
        names = ("groups", "stride", "padding", "dilation", "cross_correlation")
        options.append({name: getattr(layer, name) for name in names})

    def expected(*arrays: Any) -> Any:
        return tuple(
            [convolve_by_loops(*pair, **options)._asdict() for pair, options in zip(arrays, options, strict=True)]
        )

    return check_program(
        id,
        cite(OP, *lines),
        lambda *arrays: tuple([program(*pair) for program, pair in zip(programs, arrays, strict=True)]),
        inputs,
        subject=type(layers_and_sizes[0][0]).__name__,
        expected=expected,
        differentiates=True,
        tolerance=Tolerance(reduction=64),
    )


# Some of the sizes, strides, paddings and dilations that NNlib's tests combine, axes reversed.
FUZZ: tuple[tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]], ...] = (
    ((7,), (3,), {"stride": 2, "padding": 1, "dilation": 2}),
    ((3,), (1,), {"stride": 4, "padding": 2}),
    ((3, 3), (3, 1), {"stride": (2, 1), "padding": ((0, 3), (0, 3)), "dilation": (2, 1)}),
    ((3, 12), (4, 3), {"stride": (1, 4), "padding": ((4, 2), (4, 1)), "dilation": (2, 3)}),
    ((4, 5, 3), (3, 4, 3), {"stride": (4, 1, 2), "padding": ((5, 6), (3, 4), (1, 2)), "dilation": (3, 2, 1)}),
    ((3, 1, 1), (3, 1, 1), {"padding": 2}),
)


def _list_fuzzed() -> list[Case]:
    dense, each = [], []
    for i, (sizes, kernel, options) in enumerate(FUZZ):
        (into, out), batch = ((1, 4), 5) if i % 2 else ((3, 2), 1)
        dense.append((Conv(kernel, into, out, use_bias=False, **options), (batch, *sizes)))
        each.append((DepthwiseConv(kernel, into, into * out, use_bias=False, **options), (batch, *sizes)))
    return [
        _check_fuzzed("conv.fuzzed", (543, 552, 559), *dense, seed=100),
        _check_fuzzed("depthwise_conv.fuzzed", (747, 752, 755), *each, seed=200),
    ]


def _check_depthwise(rank: int) -> Case:
    layers = {
        name: _make_pullback(DepthwiseConv((2,) * rank, 1, 1, use_bias=False, **options))
        for name, options in SETTINGS.items()
    }
    padded = read_answer("conv", rank, "y_pad")
    inside = {"plain": [slice(1, -1)] * rank, "stride": [slice(1, -1, 2)] * rank, "pad": [slice(None)] * rank}
    ys = {name: padded[(..., *part)] for name, part in inside.items()}
    ys |= {name: read_answer("conv", rank, f"y_{name}") for name in ("dil", "flip")}
    ends = {name: "" if name == "plain" else f"_{name}" for name in SETTINGS}
    return check_program(
        f"depthwise_conv.counting_{rank}d",
        cite(OP, *(605, 609, 613, 617, 621, 625), *range(637, 639), *(641, 642, 644, 645))
        + cite(OP, 650, 651, 656, 657, 662, 663, 668, 669),
        lambda x, weight: {name: pulled(x, weight) for name, pulled in layers.items()},
        {"x": count_up(*read_answer("conv", rank, "dx").shape), "weight": count_up(1, 1, *(2,) * rank)},
        expected={
            name: {
                "y": ys[name],
                "dx": read_answer("conv", rank, f"dx{end}"),
                "dw": read_answer("conv", rank, f"dw{end}"),
            }
            for name, end in ends.items()
        },
        differentiates=True,
        tolerance=Tolerance(reduction=64) if rank < 3 else SIX_DIGITS,
    )


def _check_views(rank: int, line: int, layer: Any) -> Case:
    """Check a layer on every other sample of a batch, which is a view where arrays have views."""
    x, padded = count_up(*read_answer("conv", rank, "dx").shape), read_answer("conv", rank, "y_pad")
    return check_function(
        f"{'conv' if line == 287 else 'depthwise_conv'}.view_{rank}d",
        cite(OP, line),
        lambda x, weight: layer(x[::2, ...], {"weight": weight}, {})[0],
        *(np.concatenate([x, 0 * x]), count_up(1, 1, *(2,) * rank)),
        subject=type(layer).__name__,
        expected=padded[(..., *[slice(1, -1)] * rank)],
        tolerance=Tolerance(reduction=2**rank),
    )


def _check_derivatives(rank: int) -> Case:
    """Check gradients of convolution, of transposed convolution and of the weight gradient, with the cotangent c."""
    ones, none = (1,) * rank, ((0, 0),) * rank
    options: dict[str, Any] = {"stride": ones, "padding": none, "dilation": ones, "flip": True}

    def transpose(y: Any, weight: Any, groups: int) -> Any:
        return ops.conv_transpose(y, weight, None, output_padding=(0,) * rank, groups=groups, **options)

    def make_gradients(f: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that computes the gradients of sum(f(a, b) * c) and of sum(f(a, b))."""

        def program(a: Any, b: Any, c: Any) -> Any:
            xp = luxport.namespace(a)
            return {
                "dotted": luxport.grad(lambda a, b: xp.sum(f(a, b) * c), (0, 1))(a, b),
                "summed": luxport.grad(lambda a, b: xp.sum(f(a, b)), (0, 1))(a, b),
            }

        return program

    def expect_both(of: Callable[..., Any]) -> Callable[..., Any]:
        return lambda a, b, c: {"dotted": of(a, b, c), "summed": of(a, b, np.ones(c.shape))}

    def differentiate_by_weight(x: Any, y: Any) -> Any:
        xp = luxport.namespace(x)
        weight = xp.zeros((3, 3, *(3,) * rank), dtype=x.dtype)
        return luxport.grad(lambda w: xp.sum(ops.conv(x, w, None, groups=1, **options) * y))(weight)

    x, weight = draw(2, 3, *(5,) * rank), draw(3, 3, *(3,) * rank, seed=1)
    y, each, nine = draw(2, 3, *(3,) * rank, seed=2), draw(9, 1, *(3,) * rank, seed=3), draw(2, 9, *(3,) * rank, seed=4)

    def make_expected_of_transpose(groups: int) -> Callable[..., Any]:
        # <transposed(y, w), c> = <y, conv(c, w)>
        def expected(y: Any, weight: Any, c: Any) -> Any:
            pulled = convolve_by_loops(c, weight, y, groups=groups)
            return pulled.y, pulled.dw

        return expected

    # name: (f, its arguments and c, the expected gradients)
    parts: dict[str, tuple[Callable[..., Any], tuple[Any, ...], Callable[..., Any]]] = {
        "conv": (
            lambda x, w: ops.conv(x, w, None, groups=1, **options),
            (x, weight, y),
            lambda x, w, c: convolve_by_loops(x, w, c)[1:],
        ),
        "by_channel": (
            lambda x, w: ops.conv(x, w, None, groups=3, **options),
            (x, each, nine),
            lambda x, w, c: convolve_by_loops(x, w, c, groups=3)[1:],
        ),
        "transpose": (lambda y, w: transpose(y, w, 1), (y, weight, x), make_expected_of_transpose(1)),
        "transpose_by_channel": (lambda y, w: transpose(y, w, 3), (nine, each, x), make_expected_of_transpose(3)),
        # <weight gradient(x, y), c> = <conv(x, c), y>
        "weight_gradient": (
            differentiate_by_weight,
            (x, y, weight),
            lambda x, y, c: (convolve_by_loops(x, c, y).dx, convolve_by_loops(x, c).y),
        ),
    }
    return check_program(
        f"conv.derivatives_{rank}d",
        cite(OP, 887, 888, 891, 892, 893, 894, 897, 900, 901),
        lambda *arrays: {
            name: make_gradients(f)(*given) for (name, (f, _, _)), given in zip(parts.items(), arrays, strict=True)
        },
        {name: arrays for name, (_, arrays, _) in parts.items()},
        subject="conv",
        expected=lambda *arrays: {
            name: expect_both(expected)(*given)
            for (name, (_, _, expected)), given in zip(parts.items(), arrays, strict=True)
        },
        differentiates=True,
        tolerance=Tolerance(reduction=128, magnitude=10.0),
    )


GROUPED = Conv((3, 3), 100, 15, groups=5, use_bias=False)
MIXED: tuple[tuple[int, dict[str, Any]], ...] = (
    (814, {}),
    (815, {"stride": 2, "padding": 2}),
    (816, {"stride": (2, 1), "padding": (3, 2), "dilation": 2}),
    (817, {"stride": (2, 1), "padding": (3, 2), "dilation": 2, "cross_correlation": True}),
)


def _check_promotion(line: int, options: dict[str, Any]) -> Case:
    windows = Windows.of(
        "Conv", (2, 2), *(options.get(name, n) for name, n in (("stride", 1), ("padding", 0), ("dilation", 1)))
    )

    def program(x: Any, weight: Any) -> Any:
        xp = luxport.namespace(x)
        return ops.conv(
            *(xp.astype(x, xp.float32), weight, None),
            stride=windows.stride,
            padding=windows.padding,
            dilation=windows.dilation,
            groups=2,
            flip="cross_correlation" not in options,
        )

    # Multiples of 1/8 and 1/4, whose products are exact in float32.
    x, weight = np.round(8 * draw(2, 8, 6, 6)) / 8, np.round(4 * draw(4, 4, 2, 2, seed=1)) / 4
    return check_function(
        f"conv.promoted_line_{line}",
        cite(OP, line),
        program,
        *(x, weight),
        subject="conv",
        expected=lambda x0, x1: convolve_by_loops(x0, x1, groups=2, **options).y,
        dtypes=("float64",),
        tolerance=Tolerance(reduction=16),
    )


def _compute_complex_pullback(x: Any, weight: Any) -> Any:
    """Differentiate by real and imaginary parts, which depends on no convention for complex gradients."""
    xp = luxport.namespace(x)
    options: dict[str, Any] = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1, "flip": True}
    dy = ops.conv(x, weight, None, **options)

    def sum_real_products(*parts: Any) -> Any:
        dx, dw = [xp.astype(re, x.dtype) + xp.astype(im, x.dtype) * 1j for re, im in (parts[:2], parts[2:])]
        return xp.sum(xp.real(xp.conj(dy) * ops.conv(x + dx, weight + dw, None, **options)))

    zeros = [xp.real(a) * 0 for a in (x, x, weight, weight)]
    return dict(
        zip(("re_x", "im_x", "re_w", "im_w"), luxport.grad(sum_real_products, (0, 1, 2, 3))(*zeros), strict=True)
    )


def _expect_complex_pullback(x: Any, weight: Any) -> Any:
    dy = np.sum(x * weight)
    dx, dw = dy * np.conj(weight), np.conj(x) * dy
    return {"re_x": dx.real, "im_x": dx.imag, "re_w": dw.real, "im_w": dw.imag}


COUNT = np.arange(1.0, 5.0).reshape(1, 4, 1)

CASES: list[Case] = [
    *_list_fuzzed(),
    *map(_check_depthwise, (1, 2, 3)),
    *(_check_views(rank, 287, Conv((2,) * rank, 1, 1, use_bias=False)) for rank in (1, 2, 3)),
    *(_check_views(rank, 608, DepthwiseConv((2,) * rank, 1, 1, use_bias=False)) for rank in (1, 2, 3)),
    *map(_check_derivatives, (1, 2, 3)),
    check_error("conv.groups_not_given", cite(OP, 769), Conv((3, 3), 20, 15), np.ones((2, 100, 5, 5)), message="20"),
    check_fact("conv.groups_counted", cite(OP, 772), lambda: GROUPED.groups, 5),
    _check_fuzzed("conv.five_groups", (784, 785, 786), (GROUPED, (2, 6, 6)), seed=5),
    _check_fuzzed("conv.two_groups", (795,), (Conv((3, 3), 4, 4, groups=2, use_bias=False), (2, 6, 6)), seed=6),
    *(_check_promotion(line, options) for line, options in MIXED),
    check_program(
        "conv.complex_gradients",
        cite(OP, 473, 474),
        _compute_complex_pullback,
        {"x": COUNT + 1j * (COUNT + 1), "weight": (COUNT + 2) + 1j * (COUNT + 3)},
        subject="conv",
        expected=_expect_complex_pullback,
        differentiates=True,
        tolerance=Tolerance(reduction=8),
    ),
]
