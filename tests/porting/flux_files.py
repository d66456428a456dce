"""Write files of Flux models for these tests, and read them."""

from __future__ import annotations

import bson_writer as bw
import numpy as np

import luxport as lp
from luxport.porting import load_model

DRAW = np.random.Generator(np.random.Philox(21))
IDENTITY, RELU, TANH = bw.function("Base.identity"), bw.function("NNlib.relu"), bw.function("Base.tanh")


def draw(*shape):
    return DRAW.normal(size=shape).astype(np.float32)


def flux(name, *fields, params=()):
    return bw.struct_of(bw.datatype(f"Flux.{name}", *params), *fields)


def chain(*layers):
    return flux("Chain", bw.tuple_of(*layers))


def ints(*values):
    return bw.tuple_of(*values)


def load(model, tmp_path, **options):
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson({"model": model}))
    return load_model(path, backend="numpy", **options)


def compute_outputs(model, x, tmp_path, **options):
    layer, ps, st = load(model, tmp_path, **options)
    return layer(x, ps, lp.test_mode(st))[0]


def assert_close(got, want):
    np.testing.assert_allclose(got, np.asarray(want), rtol=1e-5, atol=1e-5)


def save_entries(entries, tmp_path):
    path = tmp_path / "parameters.bson"
    path.write_bytes(bw.bson(entries))
    return path
