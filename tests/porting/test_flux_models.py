"""Whole Flux models become layers: every generation of structs, anonymous functions, holes."""

# PyTorch is the second implementation: its kernels are not flipped and its weights are transposed.
# PyTorch's annotations are narrower than what it accepts:
# pyright: reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import bson_writer as bw
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from flux_files import IDENTITY, RELU, TANH, assert_close, chain, compute_outputs, draw, flux, ints, load, save_entries

import luxport as lp
from luxport.porting import FileFormatError, load_parameters
from luxport.porting.flux import Hole

WEIGHT, BIAS = draw(3, 2), draw(2)  # (in, out), as Julia's (out, in) reads
KERNEL, CHANNELS = draw(4, 3, 3, 2), draw(4)
IMAGES = draw(2, 3, 7, 6)


@pytest.mark.parametrize(
    ("bias", "want"),
    [(bw.array(BIAS), BIAS), (False, 0), (flux("Zeros", bw.tuple_of(2)), 0)],
    ids=["array", "false", "Zeros"],
)
def test_dense_is_read(bias, want, tmp_path):
    x = draw(5, 3)
    assert_close(compute_outputs(flux("Dense", bw.array(WEIGHT), bias, TANH), x, tmp_path), np.tanh(x @ WEIGHT + want))


def convolve(x, weight, bias, **options):
    flipped = torch.tensor(np.ascontiguousarray(weight[:, :, ::-1, ::-1]))
    return F.conv2d(torch.tensor(x), flipped, torch.tensor(bias), **options)


@pytest.mark.parametrize("rest", [(), (ints(1, 2),), (ints(1, 2), 1)], ids=["5 fields", "6 fields", "7 fields"])
def test_conv_of_every_generation_is_read(rest, tmp_path):
    # Julia's (1, 2) is along (w, h); four numbers of padding are (w low, w high, h low, h high).
    model = flux("Conv", RELU, bw.array(KERNEL), bw.array(CHANNELS), ints(2, 1), ints(1, 0, 2, 1), *rest)
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (2, 1), (1, 0)))
    dilation = (2, 1) if rest else (1, 1)
    assert_close(
        compute_outputs(model, IMAGES, tmp_path),
        convolve(padded, KERNEL, CHANNELS, stride=(1, 2), dilation=dilation).relu(),
    )


def test_grouped_conv_is_read(tmp_path):
    kernel, x = draw(4, 2, 3, 3), draw(2, 4, 5, 5)
    model = flux("Conv", IDENTITY, bw.array(kernel), bw.array(CHANNELS), ints(1, 1), ints(1, 1), ints(1, 1), 2)
    assert_close(compute_outputs(model, x, tmp_path), convolve(x, kernel, CHANNELS, padding=1, groups=2))


def test_cross_correlation_is_read(tmp_path):
    model = flux("CrossCor", IDENTITY, bw.array(KERNEL), bw.array(CHANNELS), ints(1, 1), ints(0, 0), ints(1, 1))
    assert_close(compute_outputs(model, IMAGES, tmp_path), F.conv2d(*map(torch.tensor, (IMAGES, KERNEL, CHANNELS))))


@pytest.mark.parametrize(("kind", "fields"), [("Conv", 6), ("Conv", 7), ("CrossCor", 6)])
def test_kernels_are_flipped_for_a_layer_that_does_not_flip_them(kind, fields, tmp_path):
    """Conv has groups only since Flux 0.12."""
    groups = [1] if fields == 7 else []
    model = flux(kind, IDENTITY, bw.array(KERNEL), bw.array(CHANNELS), ints(1, 1), ints(0, 0), ints(1, 1), *groups)
    out, channels, *window = KERNEL.shape
    layer = lp.CrossCor(tuple(window), channels, out)
    ps, st = load_parameters(save_entries({"model": model}, tmp_path), layer, backend="numpy")
    flip = torch.flip if kind == "Conv" else lambda kernel, axes: kernel
    want = F.conv2d(torch.tensor(IMAGES), flip(torch.tensor(KERNEL), (2, 3)), torch.tensor(CHANNELS))
    assert_close(layer(IMAGES, ps, st)[0], want)


@pytest.mark.parametrize("fields", [6, 7, 8])
def test_conv_transpose_of_every_generation_is_read(fields, tmp_path):
    weight, bias = draw(3, 4, 3, 2), draw(4)
    rest = {6: (ints(1, 1),), 7: (ints(1, 1), 1), 8: (ints(1, 0), ints(1, 1), 1)}[fields]
    model = flux("ConvTranspose", IDENTITY, bw.array(weight), bw.array(bias), ints(2, 2), ints(0, 1), *rest)
    flipped = torch.tensor(np.ascontiguousarray(weight[:, :, ::-1, ::-1]))
    outpad = (0, 1) if fields == 8 else 0
    want = F.conv_transpose2d(
        torch.tensor(IMAGES), flipped, torch.tensor(bias), stride=2, padding=(1, 0), output_padding=outpad
    )
    assert_close(compute_outputs(model, IMAGES, tmp_path), want)


def test_depthwise_conv_is_read(tmp_path):
    weight = draw(3, 2, 3, 3)  # (channels, multiplier, h, w)
    model = flux("DepthwiseConv", IDENTITY, bw.array(weight), bw.array(draw(6) * 0), ints(1, 1), ints(0, 0), ints(1, 1))
    want = convolve(IMAGES, weight.reshape(6, 1, 3, 3), np.zeros(6, np.float32), groups=3)
    assert_close(compute_outputs(model, IMAGES, tmp_path), want)


def test_pools_are_read(tmp_path):
    x = torch.tensor(IMAGES)
    model = flux("MaxPool", ints(2, 3), ints(0, 0, 0, 0), ints(2, 1))
    assert_close(compute_outputs(model, IMAGES, tmp_path), F.max_pool2d(x, (3, 2), stride=(1, 2)))
    model = flux("MeanPool", ints(2, 3), ints(1, 0), ints(2, 3))
    assert_close(compute_outputs(model, IMAGES, tmp_path), F.avg_pool2d(x, (3, 2), padding=(0, 1)))
    assert_close(compute_outputs(flux("GlobalMeanPool"), IMAGES, tmp_path), IMAGES.mean((2, 3), keepdims=True))
    assert_close(compute_outputs(flux("GlobalMaxPool"), IMAGES, tmp_path), IMAGES.max((2, 3), keepdims=True))
    assert_close(
        compute_outputs(flux("AdaptiveMaxPool", ints(3, 7)), IMAGES, tmp_path), F.adaptive_max_pool2d(x, (7, 3))
    )


SCALE, SHIFT, MEAN, VARIANCE = draw(3), draw(3), draw(3), np.abs(draw(3)) + 0.5
NORM = [bw.array(a) for a in (SHIFT, SCALE, MEAN, VARIANCE)]


@pytest.mark.parametrize("rest", [(), (None,), (True, True, None, 3)], ids=["0.10.0", "until 0.11", "since 0.12"])
def test_batch_norm_of_every_generation_is_read(rest, tmp_path):
    model = flux("BatchNorm", RELU, *NORM, bw.bits_of("Core.Float32", np.float32(1e-3).tobytes()), 0.1, *rest)
    want = F.batch_norm(*map(torch.tensor, (IMAGES, MEAN, VARIANCE, SCALE, SHIFT)), eps=1e-3).relu()
    assert_close(compute_outputs(model, IMAGES, tmp_path), want)


def test_group_norm_and_instance_norm_are_read(tmp_path):
    group = flux("GroupNorm", 3, IDENTITY, *NORM[:2], None, None, 1e-3, 0.1, True, False, None, 3)
    want = F.group_norm(torch.tensor(IMAGES), 3, torch.tensor(SCALE), torch.tensor(SHIFT), eps=1e-3)
    assert_close(compute_outputs(group, IMAGES, tmp_path), want)
    instance = flux("InstanceNorm", IDENTITY, *NORM[:2], None, None, 1e-3, 0.1, True, False, None, 3)
    assert_close(compute_outputs(instance, IMAGES, tmp_path), want)


@pytest.mark.parametrize("rest", [(), (None,), (None, None)])
def test_dropout_is_read(rest, tmp_path):
    model, _, _ = load(flux("Dropout", 0.25, bw.struct_of(bw.datatype("Base.Colon")), *rest), tmp_path)
    assert model == lp.Dropout(0.25)


def test_containers_are_read(tmp_path):
    dense = flux("Dense", bw.array(draw(2, 2)), False, IDENTITY)
    layer, ps, _ = load(flux("SkipConnection", dense, bw.function("Base.+")), tmp_path)
    x = draw(4, 2)
    assert_close(layer(x, ps, {})[0], x @ ps["weight"] + x)
    layer, ps, st = load(flux("Parallel", bw.function("Base.vcat"), bw.tuple_of(dense, dense)), tmp_path)
    weights = ps["layer_1"]["weight"], ps["layer_2"]["weight"]
    assert_close(layer(x, ps, st)[0], np.concatenate([x @ weight for weight in weights], -1))
    layer, ps, st = load(flux("Maxout", bw.tuple_of(dense, dense)), tmp_path)
    assert_close(layer(x, ps, st)[0], x @ weights[0])


def test_embedding_and_bilinear_are_read(tmp_path):
    table = draw(5, 3)
    indices = np.array([0, 4, 2], np.int32)
    assert_close(compute_outputs(flux("Embedding", bw.array(table)), indices, tmp_path), table[indices])
    weight, x1, x2 = draw(4, 3, 2), draw(5, 3), draw(5, 4)
    model = flux("Bilinear", bw.array(weight), bw.array(BIAS), IDENTITY)
    assert_close(compute_outputs(model, (x1, x2), tmp_path), np.einsum("ni,nj,jio->no", x1, x2, weight) + BIAS)


WI, WH, GATES = draw(3, 8), draw(2, 8), draw(8)


def run_torch_lstm(x):
    cell = torch.nn.LSTM(3, 2, batch_first=True)
    weights = (WI.T, WH.T, GATES, np.zeros(8, np.float32))
    for parameter, value in zip(cell.parameters(), weights, strict=True):
        parameter.data = torch.tensor(np.ascontiguousarray(value))
    return cell(torch.tensor(x))[0].detach()


def test_lstm_since_0_15_is_read(tmp_path):
    model = flux("LSTM", flux("LSTMCell", *map(bw.array, (WI, WH, GATES))))
    x = draw(4, 5, 3)
    assert_close(compute_outputs(model, x, tmp_path), run_torch_lstm(x))


@pytest.mark.parametrize("state", [1, 2], ids=["state0", "h and c"])
def test_recur_remembers(state, tmp_path):
    zeros = bw.array(np.zeros((1, 2), np.float32))
    cell = flux(
        "LSTMCell", *map(bw.array, (WI, WH, GATES)), *([bw.tuple_of(zeros, zeros)] if state == 1 else [zeros] * 2)
    )
    layer, ps, st = load(flux("Recur", cell, bw.tuple_of(zeros, zeros)), tmp_path)
    x, steps = draw(4, 5, 3), []
    for i in range(5):
        y, st = layer(x[:, i], ps, st)
        steps.append(y)
    assert_close(np.stack(steps, 1), run_torch_lstm(x))


SLOT_X = bw.struct_of(bw.datatype("Core.SlotNumber"), 2)


def name(path):
    module, _, last = path.rpartition(".")
    return bw.struct_of(bw.datatype("Core.GlobalRef"), {"tag": "ref", "path": [module]}, bw.symbol(last))


def result(number):
    return bw.struct_of(bw.datatype("Core.SSAValue"), number)


def call(function, *args):
    return bw.expression("call", name(function), *args)


def lambda_of(*statements):
    statements = [*statements, bw.expression("return", result(len(statements)))]
    typename = bw.anonymous("#7#8", statements, ["x"])
    return bw.struct_of({"tag": "jl_anonymous", "typename": typename, "params": []})


PATTERNS = {
    "x -> reshape(x, :, size(x, 4))": (
        [call("Main.size", SLOT_X, 4), call("Main.reshape", SLOT_X, name("Main.:"), result(1))],
        lambda x: x.reshape(x.shape[0], -1),
    ),
    "x -> reshape(x, (21, :))": (
        [call("Core.tuple", 21, name("Main.:")), call("Main.reshape", SLOT_X, result(1))],
        lambda x: x.reshape(-1, 21),
    ),
    "x -> maxpool(x, (2, 3))": (
        [call("Core.tuple", 2, 3), call("Main.maxpool", SLOT_X, result(1))],
        lambda x: F.max_pool2d(torch.tensor(x), (3, 2)),
    ),
    "x -> softmax(x)": ([call("Main.softmax", SLOT_X)], lambda x: torch.tensor(x).softmax(-1)),
    "x -> relu.(x) ./ 2": (
        [
            call("Base.broadcasted", name("Main.relu"), SLOT_X),
            call("Base.broadcasted", name("Main./"), result(1), 2),
            call("Base.materialize", result(2)),
        ],
        lambda x: np.maximum(x, 0) / 2,
    ),
    "x -> param(2.0) .* x": (
        [
            call("Tracker.param", 2.0),
            call("Base.broadcasted", name("Main.*"), result(1), SLOT_X),
            call("Base.materialize", result(2)),
        ],
        lambda x: 2 * x,
    ),
    "x -> x .* x": (
        [call("Base.broadcasted", name("Main.*"), SLOT_X, SLOT_X), call("Base.materialize", result(1))],
        lambda x: x * x,
    ),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_anonymous_functions_are_read(pattern, tmp_path):
    statements, want = PATTERNS[pattern]
    x = draw(2, 3, 6, 7)
    assert_close(compute_outputs(chain(lambda_of(*statements)), x, tmp_path), want(x))


def test_a_function_that_is_not_read_is_a_hole(tmp_path):
    model = chain(lambda_of(call("Main.my_layer", SLOT_X)))
    layer, ps, st = load(model, tmp_path)
    assert isinstance(layer[0], Hole)
    with pytest.raises(lp.LayerError, match=r"Hole at layer_1 is a function .*#7#8.*functions=.*my_layer\(x\)"):
        layer(draw(2, 3), ps, st)
    magic = chain(bw.struct_of(bw.datatype("MyPackage.Magic"), 1))
    assert_close(compute_outputs(magic, WEIGHT, tmp_path, functions={"MyPackage.Magic": lambda x: 2 * x}), 2 * WEIGHT)
    x = draw(2, 3)
    for key in ("layer_1", "##7#8#2"):
        assert_close(compute_outputs(model, x, tmp_path, functions={key: lambda x: 3 * x}), 3 * x)


def test_a_value_that_is_not_a_layer_is_refused(tmp_path):
    with pytest.raises(FileFormatError, match=r"layer_1: MyPackage.Magic is no Flux layer"):
        load(chain(bw.struct_of(bw.datatype("MyPackage.Magic"), 1)), tmp_path)
    with pytest.raises(FileFormatError, match=r"layer_1: MyPackage.Dense is no Flux layer"):
        load(chain(bw.struct_of(bw.datatype("MyPackage.Dense"), bw.array(WEIGHT), False, IDENTITY)), tmp_path)
    with pytest.raises(FileFormatError, match=r"layer_1: int is no Flux layer"):
        load(chain(1), tmp_path)
    with pytest.raises(FileFormatError, match=r"a Flux.Dense with 2 fields; in Flux 0.6 to 0.16 it has 3"):
        load(flux("Dense", bw.array(WEIGHT), bw.array(BIAS)), tmp_path)
    with pytest.raises(FileFormatError, match=r"bias of Dense\(3, 2.*shape \(2,\) expected, got \(3,\)"):
        load(flux("Dense", bw.array(WEIGHT), bw.array(draw(3)), IDENTITY), tmp_path)
    with pytest.raises(FileFormatError, match="expected one model, got none; it has no array of floating numbers"):
        load(1, tmp_path)
