"""Saved trees read back bit for bit on every backend; a file is whole or absent; parts that do not fit are named."""

import builtins
import dataclasses
import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import luxport
from luxport.porting import FileFormatError
from luxport.tree import leaves, structure

MODEL = luxport.Chain(
    luxport.Dense(3, 4, luxport.relu), luxport.BatchNorm(4), luxport.Dropout(0.5), luxport.Dense(4, 2, use_bias=False)
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def list_bits(trees):
    def of(leaf):
        if isinstance(leaf, (bool, int, float, str)):
            return type(leaf), leaf
        host = luxport.backend_of(leaf).to_numpy(leaf)
        return host.dtype.name, host.shape, host.tobytes()

    return [of(leaf) for leaf in leaves(trees)]


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_trees_read_back_bit_for_bit(backend, path):
    ps, st = luxport.setup(3, MODEL, backend=backend)
    extra = {
        "flags": luxport.asarray(np.array([True, False]), backend=backend),
        "half": luxport.asarray([0.1, -2.5], dtype="bfloat16" if backend != "numpy" else "float16", backend=backend),
        "numbers": (luxport.asarray(np.array([-128, 127], np.int8), backend=backend), None, 3, 0.5, "text", True),
        "none": luxport.asarray(np.zeros((0, 3), np.float32), backend=backend),
        "odd": [luxport.asarray(np.array([np.nan, -0.0, np.inf], np.float32), backend=backend)],
        "static": luxport.Static((1, True, None, ("a", 2.5))),
        "empty": {},
    }
    luxport.save(path, ps, {**luxport.test_mode(st), "extra": extra})
    found_ps, found_st = luxport.load(path, backend=backend)
    assert list_bits((found_ps, found_st)) == list_bits((ps, {**st, "extra": extra}))
    assert structure(found_ps) == structure(ps)
    assert structure(found_st) == structure({**luxport.test_mode(st), "extra": extra})
    assert luxport.backend_of(*leaves(found_ps), *leaves(found_st["layer_2"])).name == backend


@pytest.mark.parametrize("backend", ["jax", "torch", "tf"])
def test_one_backend_reads_anothers_files(backend, path):
    ps, st = luxport.setup(3, MODEL)
    luxport.save(path, *luxport.to((ps, st), backend=backend))
    assert list_bits(luxport.load(path, backend="numpy")) == list_bits((ps, st))
    assert list_bits(luxport.load(path, backend="numpy", dtype="float64")[0]) == list_bits(
        luxport.to(ps, dtype="float64")
    )
    for dtype in ("float16", "bfloat16"):
        half = luxport.to(ps, backend=backend, dtype=dtype)
        luxport.save(path, half)
        assert list_bits(luxport.load(path, backend=backend, dtype="float32")[0]) == list_bits(
            luxport.to(half, dtype="float32")
        )


def test_other_readers_find_arrays_by_dotted_names(path):
    luxport.save(path, *luxport.setup(3, MODEL), model=MODEL)
    found = load_file(path)
    assert set(found) == {
        *("ps.layer_1.weight", "ps.layer_1.bias", "ps.layer_2.scale", "ps.layer_2.bias", "ps.layer_4.weight"),
        *("st.layer_2.running_mean", "st.layer_2.running_var", "st.layer_3.rng.key", "st.layer_3.rng.counter"),
    }
    header = path.read_bytes()
    metadata = json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]
    assert (metadata["luxport"], metadata["model"]) == (luxport.__version__, repr(MODEL))


def test_states_may_be_missing(path):
    ps, st = luxport.setup(3, MODEL)
    luxport.save(path, ps)
    assert luxport.load(path)[1] == {}
    assert structure(luxport.load(path, model=MODEL)[1]) == structure(st)


def test_strided_arrays_and_flat_parameters_are_saved(path):
    ps = {"weight": np.arange(6.0).reshape(2, 3).T, "big": np.arange(3, dtype=">i4")}
    luxport.save(path, ps)
    found = luxport.load(path, backend="numpy")[0]
    assert found["weight"].tolist() == ps["weight"].tolist() and found["big"].tolist() == [0, 1, 2]
    ps, _ = luxport.setup(3, MODEL)
    vector, layout = luxport.flatten(ps)
    luxport.save(path, luxport.FlatParameters(vector, layout))
    assert list_bits(luxport.load(path, backend="numpy")[0]) == list_bits(ps)


def test_every_mismatch_is_named_at_once(path):
    luxport.save(path, *luxport.setup(0, MODEL), model=MODEL)
    other = luxport.Chain(luxport.Dense(3, 5), luxport.BatchNorm(4, track_stats=False), luxport.NoOpLayer())
    with pytest.raises(ValueError) as caught:
        luxport.load(path, model=other)
    message = str(caught.value)
    for part in (
        "ps.layer_1.weight: shape (3, 5) expected, got shape (3, 4)",
        "ps.layer_1.bias: shape (5,) expected, got shape (4,)",
        "ps.layer_4 is left over",
        "st.layer_2.running_mean is left over",
        "st.layer_3.rng is left over",
        "saved from Chain(",
    ):
        assert part in message
    assert "\n" not in message


def test_a_carry_that_appeared_in_training_is_loaded(path):
    model = luxport.StatefulRecurrentCell(luxport.RNNCell(3, 2))
    ps, st = luxport.setup(0, model)
    _, st = model(np.ones((4, 3), np.float32), ps, st)
    luxport.save(path, ps, st)
    found = luxport.load(path, model=model, backend="numpy")[1]
    assert isinstance(found["carry"], tuple) and list_bits(found) == list_bits(st)


def test_no_partial_file_is_left(path, monkeypatch):
    luxport.save(path, {"a": np.ones(2)})
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space left on device")

    for function in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, function, fail)
            with pytest.raises(OSError, match="no space"):
                luxport.save(path, {"a": np.zeros(2)})
        assert os.listdir(path.parent) == [path.name] and path.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        luxport.save(path.parent / "nowhere" / "file", {"a": np.zeros(2)})


def test_a_link_stays_a_link(path):
    path.with_name("link").symlink_to(path)
    luxport.save(path.with_name("link"), {"a": np.ones(2)})
    assert path.with_name("link").is_symlink() and luxport.load(path)[0]["a"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("entry", "error", "text"),
    [
        ({"a": object()}, TypeError, "object at ps.a"),
        ({"a": luxport.Static(frozenset())}, TypeError, "at ps.a"),
        ({"a": {1: np.ones(1)}}, TypeError, "got 1 at ps.a"),
        ({"a": np.ones(1, np.complex128)}, TypeError, "complex128 at ps.a"),
        ({"a.b": np.ones(1), "a": {"b": np.ones(1)}}, ValueError, "two at ps.a.b"),
    ],
)
def test_values_that_cannot_be_saved_are_refused(entry, error, text, path):
    with pytest.raises(error, match=text):
        luxport.save(path, entry)
    assert not path.exists()


@pytest.mark.parametrize(
    ("start", "told"),
    [
        (b"PK\x03\x04", "a zip archive .* luxport.from_torch"),
        (b"\x80\x04", "a Python pickle"),
        (b"\x89HDF\r\n\x1a\n", "HDF5: porting.load_model"),
    ],
)
def test_files_of_other_programs_are_named(path, start, told):
    path.write_bytes(start + bytes(40))
    with pytest.raises(FileFormatError, match=f"load expects a safetensors file, this is {told}"):
        luxport.load(path)


def test_files_of_other_programs_are_refused(path):
    path.write_bytes(b"no such thing")
    with pytest.raises(FileFormatError, match="not a complete safetensors file"):
        luxport.load(path)
    luxport.save(path, {"a": np.ones(200)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileFormatError, match="not a complete safetensors file"):
        luxport.load(path)
    with pytest.raises(FileNotFoundError):
        luxport.load(path.with_name("nothing"))
    a = {"ps.a": np.ones(2)}
    for metadata, text in (
        ({}, "metadata are missing"),
        ({"format": "3", "trees": "{}"}, "newer"),
        ({"format": "1", "trees": "{"}, "damaged"),
        ({"format": "1", "trees": "{}"}, "damaged"),
        ({"format": "1", "trees": '{"ps": []}'}, "damaged"),
        ({"format": "1", "trees": '{"ps": {"dict": 1}}'}, "damaged"),
        ({"format": "1", "trees": '{"ps": {"static": {"tuple": [[]]}}}'}, "damaged"),
        ({"format": "1", "trees": '{"ps": {"dict": {"b": "array"}}}'}, "ps.b is missing"),
        ({"format": "1", "trees": "[" * 100_000}, "nested too deep"),
    ):
        save_file(a, path, metadata)
        with pytest.raises(FileFormatError, match=text):
            luxport.load(path)


def test_the_safetensors_library_is_not_needed(path, monkeypatch):
    real_import = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "safetensors":
            raise ModuleNotFoundError(name)
        return real_import(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    luxport.save(path, {"a": np.ones(2)})
    assert luxport.load(path)[0]["a"].tolist() == [1, 1]


def train_with_stop(path, rule, backend, other, steps=9, stop=4):
    """Train with and without a stop in between, and return both results."""
    grads = np.random.default_rng(0).normal(size=(steps, 5)).astype(np.float32)
    ps = {"w": luxport.asarray(np.arange(3, dtype=np.float32), backend=backend)}
    ps = {"b": ps["w"], "a": (luxport.asarray([0.5, -0.1], backend=backend), {"w": ps["w"]})}
    state = luxport.optimizers.setup(rule, ps)

    def run(state, ps, first, last):
        for row in grads[first:last]:
            like = luxport.backend_of(ps["b"]).name
            dx = luxport.to({"b": row[:3], "a": (row[3:], {"w": row[:3]})}, backend=like)
            state, ps = luxport.optimizers.update(state, ps, dx)
        return state, ps

    state, ps = run(state, ps, 0, stop)
    luxport.save(path, ps, optimizer=state)
    again, _, kept = luxport.load(path, optimizer=True, backend=other)
    assert structure(kept) == structure(state) and again["b"] is again["a"][1]["w"]
    return run(state, ps, stop, steps), run(kept, again, stop, steps)


o = luxport.optimizers
RULES = [
    o.OptimizerChain(o.ClipNorm(1.0), o.AccumGrad(2), o.AdamW(lambda_=0.1)),
    o.MixedPrecision(o.Scheduler(o.Adam(beta=(0.8, 0.99)), eta=luxport.schedules.Exp(start=0.1, decay=0.9))),
]


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_a_run_continues_from_a_file_bit_for_bit(backend, path):
    for rule in RULES:
        went_on, came_back = train_with_stop(path, rule, backend, backend)
        assert list_bits(came_back) == list_bits(went_on)


def test_a_run_continues_on_another_backend(path):
    went_on, came_back = train_with_stop(path, RULES[1], "torch", "numpy")
    for one, other in zip(leaves(luxport.to_numpy(came_back)), leaves(luxport.to_numpy(went_on)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)  # one crosses 0


def test_rules_of_ones_own_are_found_by_their_class(path):
    luxport.save(path, {}, optimizer={"rule": luxport.Static(Own(0.5)), "state": None})
    with pytest.raises(FileFormatError, match="its rule 'Own' is none of luxport's"):
        luxport.load(path, optimizer=True)
    assert luxport.load(path, optimizer=True, classes=[Own])[2]["rule"] == luxport.Static(Own(0.5))
    assert luxport.load(path)[0] == {}
    luxport.save(path, {})
    with pytest.raises(ValueError, match="optimizer's state"):
        luxport.load(path, optimizer=True)


@dataclasses.dataclass(frozen=True)
class Own:
    eta: float


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch", "tf"])
def test_one_array_at_several_places_is_loaded_as_one(backend, path):
    tied = luxport.asarray([[1.0, 2.0]], backend=backend)
    equal = luxport.asarray([[1.0, 2.0]], backend=backend)
    luxport.save(path, {"z": tied, "a": [tied, {"w": equal}]}, {"seen": tied})
    assert list(load_file(path)) == ["ps.a.1.w", "ps.z"]
    for other in ("numpy", "jax", "torch", "tf"):
        ps, st = luxport.load(path, backend=other)
        assert ps["z"] is ps["a"][0] is st["seen"] and ps["z"] is not ps["a"][1]["w"] and list(ps) == ["z", "a"]
        moved = luxport.to({"b": tied, "a": (tied, equal)}, backend=other, dtype="float16")
        assert moved["b"] is moved["a"][0] and moved["b"] is not moved["a"][1]


def test_files_of_the_first_format_are_still_written_and_read(path):
    """A file without newer features is readable by earlier versions; that time's writer made the sample."""
    trees = '{"ps": {"dict": {"w": "array", "n": {"value": 2}, "t": {"static": {"tuple": [1, null]}}}}}'
    save_file({"ps.w": np.ones(2)}, path, {"format": "1", "trees": trees})
    ps, _ = luxport.load(path, backend="numpy")
    assert ps["w"].tolist() == [1.0, 1.0] and (ps["n"], ps["t"]) == (2, luxport.Static((1, None)))
    luxport.save(path, ps)
    header = path.read_bytes()
    assert json.loads(header[8 : 8 + int.from_bytes(header[:8], "little")])["__metadata__"]["format"] == "1"


def test_every_dtype_of_the_format_is_saved(path):
    from luxport.porting.files.safetensors_writer import DTYPES, write_safetensors

    arrays = {name: np.ones((2, 3), name) for name in DTYPES if "float8" not in name and name != "bfloat16"}
    with open(path, "wb") as file:
        write_safetensors(file, {**arrays, "none": np.zeros((0, 2)), "scalar": np.array(1.5)}, {"a": "b"})
    found = load_file(path)
    for name, array in arrays.items():
        assert found[name].dtype == name and (found[name] == array).all()
    assert found["none"].shape == (0, 2) and found["scalar"] == 1.5
