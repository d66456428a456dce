"""Random files from the parts of sound files: their form is right, and their content often makes no sense."""

from __future__ import annotations

import random
import struct
from typing import Any

import bson_writer as bw
import jld2_writer as jw
import numpy as np

PATHS = [
    *("Core.Float32", "Core.Int64", "Core.Bool", "Core.Char", "Core.Int128", "Core.Any", "Core.Nothing", "Core.Array"),
    *("Core.Tuple", "Core.NamedTuple", "Core.Symbol", "Core.DataType", "Core.Union", "Core.UnionAll", "Core.TypeVar"),
    *("Core.Ptr", "Core.Pair", "Core.SimpleVector", "Core.Module", "Core.Method", "Core.CodeInfo", "Core.Expr"),
    *(
        "Base.Complex",
        "Base.Dict",
        "Base.IdDict",
        "Base.GMP.BigInt",
        "Base.Missing",
        "Base.UnitRange",
        "NTuple",
        "Tuple",
    ),
    *("BSON.Undef", "JLD2.InlineUnionEl", "JLD2.SerializedDict", "NNlib.#relu", "Main.#3#4", "#5", "Flux.Dense"),
    *("CUDA.CuArray", "BFloat16s.BFloat16", "Main", "."),
]
NAMES = ["weight", "bias", "1", "2", "name", "parameters", "re", "im", "first", "second", "kvvec", "datatype",
         "unionall", "description", "data", "σ", ""]  # fmt: skip


def bson_file(rng: random.Random) -> bytes:
    """Return a document of random tagged documents, with references between them."""
    document = {rng.choice(NAMES): _node(rng, 0) for _ in range(rng.randrange(1, 4))}
    document["_backrefs"] = [_node(rng, 0) for _ in range(4)]
    return bw.bson(document)


def _node(rng: random.Random, depth: int) -> Any:
    if depth > 5 or rng.random() < 0.3:
        leaves = [None, True, rng.randrange(-2, 70), 2**62, 0.5, "text", rng.randbytes(rng.choice((0, 1, 4, 8, 16)))]
        return rng.choice([*leaves, bw.Int32(3), bw.backref(rng.choice((1, 2, 3, 4))), bw.symbol(rng.choice(NAMES))])

    def nodes(most: int = 4) -> list[Any]:
        return [_node(rng, depth + 1) for _ in range(rng.randrange(most))]

    def type() -> Any:
        return bw.datatype(rng.choice(PATHS), *nodes(3)) if rng.random() < 0.9 else _node(rng, depth + 1)

    def names() -> Any:
        return bw.tuple_of(*(bw.symbol(rng.choice(NAMES)) for _ in range(rng.randrange(3))))

    match rng.randrange(14):
        case 0:
            return nodes()
        case 1:
            return {rng.choice(NAMES): _node(rng, depth + 1) for _ in range(rng.randrange(4))}
        case 2 | 3:
            return bw.struct_of(type(), *nodes())
        case 4:
            return {"tag": "struct", "type": type(), "data": _node(rng, depth + 1)}
        case 5 | 6:
            size = [rng.randrange(4) for _ in range(rng.randrange(4))]
            data = rng.randbytes(int(np.prod(size)) * rng.choice((0, 1, 4, 8))) if rng.random() < 0.6 else nodes(7)
            return {"tag": "array", "type": type(), "size": size if rng.random() < 0.9 else nodes(), "data": data}
        case 7:
            return bw.tuple_of(*nodes())
        case 8:
            return {"tag": rng.choice(("svec", "tuple", "ref", "symbol", "struct", "jl_anonymous")), "data": nodes()}
        case 9:
            return type()
        case 10:
            return {"tag": "unionall", "var": _node(rng, depth + 1), "body": _node(rng, depth + 1)}
        case 11:
            named = bw.datatype("Core.NamedTuple", names(), bw.datatype("Core.Tuple", *nodes(3)))
            return bw.struct_of(named, *nodes(3))
        case 12:
            typename = bw.anonymous("#1", nodes(), ["x"]) if rng.random() < 0.7 else _node(rng, depth + 1)
            return bw.struct_of({"tag": "jl_anonymous", "typename": typename, "params": nodes(2)}, *nodes(2))
        case _:
            return {"tag": "jl_bottom_type"} | {rng.choice(NAMES): 1}


def jld2_file(rng: random.Random) -> bytes:
    """Return a file of random types, their values, arrays and groups, with references between them."""
    w = jw.JLD2Writer(rng.choice(("new", "old")))
    types: list[tuple[int, bytes]] = []
    objects = [w.scalar(jw.INT64, struct.pack("<q", rng.choice((0, 1, 2, 3, 70_000))))]

    def address() -> int:
        if rng.random() < 0.05:
            return rng.choice((0, 8, w._next(), w._next() + 200, jw.UNDEFINED))
        return rng.choice(objects + [at for at, _ in types])

    def content(datatype: bytes) -> bytes:
        """Return a value's bytes: heaps where the datatype has them, addresses where it has those."""
        if datatype == jw.TEXT:
            return w.text(rng.choice(NAMES)) if rng.random() < 0.9 else bytes(16)
        if datatype == jw.REFERENCES:
            return w.references(*(address() for _ in range(rng.randrange(4))))
        if datatype == jw.REFERENCE:
            return struct.pack("<Q", address())
        if datatype[0] == 0x36:
            return b"".join(content(part) for part in parts[datatype])
        return rng.randbytes(jw.size_of(datatype)) if rng.random() < 0.5 else bytes(jw.size_of(datatype))

    parts: dict[bytes, list[bytes]] = {jw.DATATYPE: [jw.TEXT, jw.REFERENCES]}
    plain = [jw.UINT8, jw.INT64, jw.BOOL, jw.FLOAT32, jw.FLOAT64, jw.REFERENCE, jw.TEXT, jw.REFERENCES, jw.DATATYPE]

    def datatype() -> bytes:
        if rng.random() < 0.6:
            return rng.choice([*plain, jw.opaque(rng.choice((1, 4, 8, 16))), jw.fixed_text(4)])
        members = [(name, rng.choice(plain)) for name in rng.sample(NAMES[:-1], rng.randrange(1, 4))]
        made = jw.compound(members)
        parts[made] = [part for _, part in members]
        return made

    def record() -> bytes:
        return w.type_record(rng.choice(PATHS), *(address() for _ in range(rng.choice((0, 0, 1, 2, 2)))))

    for _ in range(rng.randrange(3, 14)):
        match rng.randrange(6):
            case 0 | 1:
                how = datatype()
                fields = [(name, rng.choice((0, address()))) for name in rng.sample(NAMES, rng.randrange(4))]
                written = record() if rng.random() < 0.3 else None
                types.append((w.commit(record(), how, fields=fields, empty=rng.random() < 0.2, written=written), how))
            case 2:
                objects.append(w.type_value(rng.choice(PATHS), *(address() for _ in range(rng.randrange(3)))))
            case 3 if types:
                at, how = rng.choice(types)
                make = w.null if rng.random() < 0.1 else lambda t, h=how: w.scalar(t, content(h))
                objects.append(make(jw.shared(at)))
            case 4:
                at, how = rng.choice([*types, (0, jw.REFERENCE), (0, datatype())])
                shape = tuple(rng.randrange(4) for _ in range(rng.choice((0, 1, 1, 2))))
                data = b"".join(content(how) for _ in range(int(np.prod(shape, dtype=int))))
                layout = (0x08, 0, struct.pack("<BBH", 4, 0, len(data)) + data)
                dims = (
                    [w.attribute("dimensions", jw.INT64, jw.simple(1), struct.pack("<q", 3))]
                    if rng.random() < 0.1
                    else []
                )
                objects.append(w.dataset(jw.shared(at) if at else how, jw.simple(*shape), [layout], *dims))
            case _:
                objects.append(w.group({rng.choice(NAMES): address() for _ in range(rng.randrange(3))}))
    return w.finish(**{f"x{i}": at for i, at in enumerate(rng.sample(objects, min(4, len(objects))))})
