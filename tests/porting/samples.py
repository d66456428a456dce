"""Sound files of both formats for the readers' tests and the fuzzer."""

from __future__ import annotations

import base64
import struct
import zlib

import bson_writer as bw
import jld2_writer as jw
import numpy as np

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3) / 4
ZSTD_WAVES = """
D77#B07&%(0Ak7-9<Vjd0g$g=q{NCAYhW|LP^yL;DfxV0$Fb4#;6VxjBVY&=0>xsD42!pBh8M6LhtUC+<1iZ$p%B)aDR(nBWKd9U=SH|C
H{@n!ZkCv-*L(SSBjrveIm)SUI;X)YIUy%Aa-+mZecm4;001OFd4PxkrH}x1pkoA30o_56G6d)WR|w7v5+#rrkQ=B4!Fiy*1gC<UF+c*`V}LR!
paR*QnJYucH&nivnZ=&>5b|3p%g%hitds!""".replace("\n", "")
# One frame with one block that is not compressed, and one block of literals alone.
ZSTD = b"\x28\xb5\x2f\xfd\x20\x18" + struct.pack("<I", 24 << 3 | 1)[:3] + WEIGHT.tobytes()
LZ4 = struct.pack(">QII", 24, 24, 26) + b"\xf0\x09" + WEIGHT.tobytes()
BIAS = np.array([1, -1, 0.5], np.float32)


def bson_model() -> bytes:
    """A Dense with its bias at two places, a closure over a number, and names with and without Main."""
    dense = bw.struct_of(
        bw.datatype("Flux.Dense", bw.datatype("Main.NNlib.#relu"), bw.backref(1)),
        bw.array(WEIGHT),
        bw.backref(2),
        bw.function("Main.NNlib.relu"),
    )
    closure = bw.struct_of({"tag": "jl_anonymous", "typename": bw.backref(3), "params": [bw.datatype("Core.Int64")]}, 4)
    softmax = bw.struct_of(bw.datatype("Core.GlobalRef"), {"tag": "ref", "path": ["Main"]}, bw.symbol("softmax"))
    statements = [
        bw.expression("call", softmax, bw.struct_of(bw.datatype("Core.SlotNumber"), 2)),
        bw.expression("return", bw.struct_of(bw.datatype("Core.SSAValue"), 1)),
    ]
    return bw.bson(
        {
            "model": bw.struct_of(bw.datatype("Flux.Chain"), bw.tuple_of(dense, closure)),
            "bias": bw.backref(2),
            "epochs": 3,
            "history": {"tag": "array", "type": bw.datatype("Core.Any"), "size": [1, 2], "data": [[1, 2], [0.5, 0.25]]},
            "loss": [0.5, None, "text", bw.symbol("mse"), {"rate": 0.1}],
            "_backrefs": [
                bw.datatype("Core.Array", bw.datatype("Core.Float32"), 2),
                bw.array(BIAS),
                bw.anonymous("#1", statements, ["x"]),
            ],
        }
    )


def bson_cycle() -> bytes:
    """A mutable struct that contains itself, and one with an undefined field."""
    undefined = bw.struct_of(bw.datatype("BSON.Undef"))
    node = bw.struct_of(bw.datatype("Main.Node"), 1, bw.backref(1), undefined)
    return bw.bson({"node": bw.backref(1), "_backrefs": [node]})


def jld2_state(form: str = "new") -> bytes:
    """A state from Flux.state: named tuples, a Bool for a missing bias, and elements without data."""
    w = jw.JLD2Writer(form)
    float32 = w.type_value("Core.Float32")
    rank = w.scalar(jw.INT64, struct.pack("<q", 2))
    boolean = w.commit(w.type_record("Core.Bool"), jw.BOOL)
    symbol = w.commit(w.type_record("Core.Symbol"), jw.TEXT)
    names_type = w.type_record("NTuple", w.scalar(jw.INT64, struct.pack("<q", 3)), symbol)
    names_record = jw.compound([("1", jw.TEXT), ("2", jw.TEXT), ("3", jw.TEXT)])
    names_of = w.commit(names_type, names_record, fields=[("1", symbol), ("2", symbol), ("3", symbol)])
    names = w.scalar(jw.shared(names_of), w.text("weight") + w.text("bias") + w.text("σ"))
    array = w.type_value("Core.Array", float32, rank)
    empty = w.singleton("Core.Tuple")
    values = w.type_value("Core.Tuple", array, boolean, empty)
    record = jw.compound([("weight", jw.REFERENCE), ("bias", jw.BOOL)])
    fields = [("weight", 0), ("bias", boolean), *([("σ", empty)] if form == "new" else [])]
    state = w.commit(w.type_record("Core.NamedTuple", names, values), record, fields=fields)
    weight = w.array(WEIGHT, jw.FLOAT32)
    value = w.scalar(jw.shared(state), struct.pack("<QB", weight, 0))
    return w.finish(model_state=value)


def jld2_values() -> bytes:
    """Strings, symbols, functions, complex numbers, vectors of objects, a dictionary, compressed arrays, a group."""
    w = jw.JLD2Writer()
    float32 = w.type_value("Core.Float32")
    symbol = w.commit(w.type_record("Core.Symbol"), jw.TEXT)
    pair_type = w.commit(
        w.type_record("Core.Pair", symbol, w.type_value("Core.Any")),
        jw.compound([("first", jw.TEXT), ("second", jw.REFERENCE)]),
        fields=[("first", symbol), ("second", 0)],
    )
    text = w.scalar(jw.fixed_text(5), b"naive")
    pair = w.scalar(jw.shared(pair_type), w.text("name") + struct.pack("<Q", text))
    dictionary = w.commit(
        w.type_record("Base.Dict", symbol), jw.REFERENCE, written=w.type_record("Core.Array", w.type_value("Core.Pair"))
    )
    complex_type = w.commit(
        w.type_record("Base.Complex", float32), jw.compound([("re", jw.FLOAT32), ("im", jw.FLOAT32)])
    )
    node = w.commit(w.type_record("Main.Node"), jw.compound([("value", jw.INT64), ("next", jw.REFERENCE)]))
    relu = w.singleton("NNlib.#relu")
    ghosts = w.null(
        jw.shared(w.singleton("Core.Nothing")),
        w.attribute("dimensions", jw.INT64, jw.simple(1), struct.pack("<q", 4)),
    )
    shuffled = np.frombuffer(WEIGHT.tobytes(), np.uint8).reshape(-1, 4).T.tobytes()
    first = w.scalar(jw.shared(node), struct.pack("<qQ", 7, 0))
    return w.finish(
        text=text,
        symbol=w.scalar(jw.shared(symbol), w.text("adam")),
        activation=w.null(jw.shared(relu)),
        complex=w.array(np.array([1 + 2j, -0.5j], np.complex64), jw.shared(complex_type)),
        bools=w.array(np.array([True, False]), jw.BOOL, compact=True),
        objects=w.vector_of_references(text, first, w.array(BIAS, jw.FLOAT32)),
        settings=w.scalar(jw.shared(dictionary), struct.pack("<Q", w.vector_of_references(pair))),
        ghosts=ghosts,
        deflated=w.chunked(WEIGHT, jw.FLOAT32, zlib.compress(WEIGHT.tobytes()), [(1, (5,))]),
        shuffled=w.chunked(WEIGHT, jw.FLOAT32, zlib.compress(shuffled), [(2, (4,)), (1, (5,))]),
        packed=w.chunked(WEIGHT, jw.FLOAT32, ZSTD, [(32015, (3,))]),
        lz4=w.chunked(WEIGHT, jw.FLOAT32, LZ4, [(32004, ())]),
        group=w.group({"scalar": w.scalar(jw.FLOAT64, struct.pack("<d", 2.5))}),
        node=first,
    )


def jld2_zstd() -> bytes:
    """An array compressed by the program zstd, with Huffman codes and tables of its own (see test_zstd.py)."""
    w = jw.JLD2Writer()
    waves = np.round(np.sin(np.arange(400) / 7) * 50).astype(np.float32)
    return w.finish(waves=w.chunked(waves, jw.FLOAT32, base64.b85decode(ZSTD_WAVES), [(32015, (3,))]))


FILES = {
    "bson_model": bson_model(),
    "bson_cycle": bson_cycle(),
    "jld2_state_new": jld2_state("new"),
    "jld2_state_old": jld2_state("old"),
    "jld2_values": jld2_values(),
    "jld2_zstd": jld2_zstd(),
}

CONVNET = """
using Flux
using Flux: flatten
function LeNet5(; imgsize=(28, 28, 1), nclasses=10)
    out_conv_size = (imgsize[1] ÷ 4 - 3, imgsize[2] ÷ 4 - 3, 16)
    return Chain(
        Conv((5, 5), imgsize[end] => 6, relu),   # 28 to 24
        MaxPool((2, 2)),
        Conv((5, 5), 6 => 16, relu), MaxPool((2, 2)),
        flatten,
        Dense(prod(out_conv_size), 120, relu),
        Dense(120 => 84, relu),
        Dense(84 => nclasses),
    )
end
model = LeNet5() |> gpu
"""
