"""Layers of Lux in the forms that its versions wrote to files: old, new and in between."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportIndexIssue=false, reportCallIssue=false
from __future__ import annotations

import numpy as np
from lux_writer import NOTHING, NT, Obj, Type, function, static

RNG = np.random.default_rng(0)
ZEROS, GLOROT = function("WeightInitializers.zeros32"), function("WeightInitializers.glorot_uniform")
DRAWN = {"init_weight": GLOROT, "init_bias": ZEROS}
EMPTY = NT()
IDENTITY, RELU, TANH, GELU = map(function, ("Base.identity", "NNlib.relu", "Base.tanh", "NNlib.gelu"))


def draw(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def lux(name, fields, params=(), module="Lux"):
    return Obj(Type(f"{module}.{name}", tuple(params)), fields)


class Old:
    """Lux 0.4 and 0.5: flags are parameters of types."""

    form = "old"

    @staticmethod
    def dense(sizes, act=IDENTITY, bias=True):
        fields = {
            "activation": act,
            "in_dims": sizes[0],
            "out_dims": sizes[1],
            "init_weight": GLOROT,
            "init_bias": ZEROS,
        }
        return lux("Dense", fields, (bias, act, GLOROT, ZEROS))

    @staticmethod
    def conv(kind, kernel, channels, act=IDENTITY, bias=True, pad=(1, 1)):
        n = len(kernel)
        fields = {"activation": act, "in_chs": channels[0], "out_chs": channels[1], "kernel_size": kernel}
        fields |= {"stride": (1,) * n, "pad": pad, "dilation": (1,) * n, "groups": 1}
        fields |= DRAWN
        if kind == "CrossCor":
            del fields["groups"]
        return lux(kind, fields, (n, bias, len(pad), act, GLOROT, ZEROS))

    @staticmethod
    def batch_norm(channels, act=IDENTITY, affine=True, tracks=True):
        fields = {"activation": act, "epsilon": 1e-3, "momentum": 0.25, "chs": channels}
        return lux(
            "BatchNorm", fields | {"init_bias": ZEROS, "init_scale": GLOROT}, (affine, tracks, act, ZEROS, GLOROT)
        )

    @staticmethod
    def cell(kind, sizes, act=None, bias=True, train=False):
        fields = {} if act is None else {"activation": act}
        fields |= {"in_dims": sizes[0], "out_dims": sizes[1], "init_bias": ZEROS, "init_weight": GLOROT}
        flags = (bias, train, False) if kind == "LSTMCell" else (bias, train)
        return lux(kind, fields | {"init_state": ZEROS}, (*flags, *([act] if act else []), ZEROS, GLOROT, ZEROS))

    @staticmethod
    def recurrence(cell):
        order = Type("Lux.BatchLastIndex")
        return lux("Recurrence", {"cell": cell, "ordering": order}, (True, Type(cell.type.path), order))

    @staticmethod
    def layer_norm(shape, dims):
        fields = {"shape": shape, "activation": IDENTITY, "epsilon": 1e-3, "init_bias": ZEROS, "init_scale": GLOROT}
        return lux("LayerNorm", fields | {"dims": dims}, (True, len(shape), IDENTITY, Type("Core.Float32"), ZEROS))

    @staticmethod
    def max_pool(window):
        return lux("MaxPool", {"k": window, "pad": (0,) * len(window), "stride": window}, (len(window), len(window)))


class New:
    """Lux 1: flags are fields whose types have no data."""

    form = "new"

    @staticmethod
    def dense(sizes, act=IDENTITY, bias=True):
        old = Old.dense(sizes, act)
        types = (act, Type("Core.Int64"), Type("Core.Int64"), GLOROT, ZEROS, static(bias))
        return lux("Dense", old.fields | {"use_bias": static(bias)}, types)

    @staticmethod
    def conv(kind, kernel, channels, act=IDENTITY, bias=True, pad=(1, 1)):
        fields = Old.conv("Conv", kernel, channels, act, bias, pad).fields | {"use_bias": static(bias)}
        if kind == "ConvTranspose":
            fields["outpad"] = (0,) * len(kernel)
        crossing = static(kind == "CrossCor")
        name = "Conv" if kind == "CrossCor" else kind
        return lux(name, fields | {"cross_correlation": crossing}, (act, GLOROT, ZEROS, static(bias), crossing))

    @staticmethod
    def batch_norm(channels, act=IDENTITY, affine=True, tracks=True):
        fields = Old.batch_norm(channels, act).fields | {"affine": static(affine), "track_stats": static(tracks)}
        return lux("BatchNorm", fields, (Type("Core.Float32"), act, ZEROS, GLOROT, static(affine), static(tracks)))

    @staticmethod
    def cell(kind, sizes, act=None, bias=True, train=False):
        flags = {"train_state": static(train)} | ({"train_memory": static(False)} if kind == "LSTMCell" else {})
        fields = flags | Old.cell(kind, sizes, act).fields | {"use_bias": static(bias)}
        return lux(kind, fields, (*flags.values(), *([act] if act else []), ZEROS, GLOROT, ZEROS, static(bias)))

    @staticmethod
    def recurrence(cell):
        order = Type("Lux.BatchLastIndex")
        fields = {"cell": cell, "ordering": order, "return_sequence": static(True)}
        return lux("Recurrence", fields, (static(True), Type(cell.type.path), order))

    @staticmethod
    def layer_norm(shape, dims):
        return lux("LayerNorm", Old.layer_norm(shape, dims).fields | {"affine": static(True)}, (IDENTITY, static(True)))

    @staticmethod
    def max_pool(window):
        zeros, ones = (0,) * len(window), (1,) * len(window)
        fields = {"kernel_size": window, "stride": window, "pad": zeros, "dilation": ones}
        layer = lux("PoolingLayer", {"mode": lux("GenericPoolMode", fields), "op": Type("Lux.MaxPoolOp")})
        return lux("MaxPool", {"layer": layer})


class Between(New):
    """Lux 1 in a file of an older JLD2, which leaves out fields without data."""

    form = "old"


def chain(**layers):
    return lux("Chain", {"layers": NT(layers), "name": NOTHING}, (NOTHING,))
