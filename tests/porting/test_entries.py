"""Parameters are found in a file beside states, inside other values and by dotted names, and never guessed."""

import bson_writer as bw
import numpy as np
import pytest

import luxport as lp
from luxport.porting import FileFormatError, load_parameters
from luxport.porting.julia.entries import find_entry_at

MODEL = lp.Chain(lp.Dense(2, 3), lp.BatchNorm(3))
WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)
VECTOR = np.array([1, 2, 3], np.float32)


def named(**entries):
    symbols = bw.tuple_of(*map(bw.symbol, entries))
    return bw.struct_of(bw.datatype("Core.NamedTuple", symbols, bw.datatype("Core.Tuple")), *entries.values())


def parameters(factor=1):
    norm = named(scale=bw.array(VECTOR), bias=bw.array(-VECTOR))
    return named(layer_1=named(weight=bw.array(factor * WEIGHT), bias=bw.array(VECTOR)), layer_2=norm)


def states(factor=2):
    return named(
        layer_1=named(), layer_2=named(running_mean=bw.array(factor * VECTOR), running_var=bw.array(3 * VECTOR))
    )


def load_fitted(entries, tmp_path, **options):
    path = tmp_path / "trained.bson"
    path.write_bytes(bw.bson(entries))
    return load_parameters(path, MODEL, backend="numpy", **options)


def assert_values(ps, st, factor=1, mean=2):
    np.testing.assert_array_equal(ps["layer_1"]["weight"], factor * WEIGHT)
    np.testing.assert_array_equal(st["layer_2"]["running_mean"], mean * VECTOR)


def test_states_beside_the_parameters_are_read(tmp_path):
    assert_values(*load_fitted({"ps": parameters(), "st": states()}, tmp_path))
    assert_values(
        *load_fitted({"ps": parameters(), "best": parameters(2), "st": states()}, tmp_path, name="best"), factor=2
    )


@pytest.mark.parametrize(
    "inside",
    [
        lambda: named(parameters=parameters(), states=states(), step=3),
        lambda: {"ps": parameters(), "st": states(), "opt": parameters()},
        lambda: {"run": {"ps": parameters(), "st": states()}},
    ],
    ids=["TrainState", "dictionary", "dictionaries"],
)
def test_parameters_and_states_inside_an_entry_are_read(inside, tmp_path):
    assert_values(*load_fitted({"checkpoint": inside(), "losses": [0.5, 0.25]}, tmp_path))


def test_a_file_may_be_the_parameters_themselves(tmp_path):
    norm = {"scale": bw.array(VECTOR), "bias": bw.array(-VECTOR)}
    layers = {"layer_1": {"weight": bw.array(WEIGHT), "bias": bw.array(VECTOR)}, "layer_2": norm}
    assert_values(*load_fitted(layers, tmp_path), mean=0)
    wrapped = {"ps": parameters()}
    for _ in range(9):
        wrapped = {"saved": wrapped}
    assert_values(*load_fitted(wrapped, tmp_path), mean=0)


def test_one_of_several_is_chosen_by_its_dotted_name(tmp_path):
    runs = {
        "first": {"ps": parameters(), "st": states()},
        "second": {"ps": parameters(4), "st": states(5)},
    }
    with pytest.raises(FileFormatError, match=r"more than one entry fits: first\.ps, second\.ps; choose one by name"):
        load_fitted(runs, tmp_path)
    assert_values(*load_fitted(runs, tmp_path, name="second.ps"), factor=4, mean=5)
    with pytest.raises(FileFormatError, match="no entry 'third.ps'; its entries are first, second"):
        load_fitted(runs, tmp_path, name="third.ps")


def test_part_of_other_parameters_is_named_but_not_taken(tmp_path):
    whole = {"p": named(network=parameters(), rate=bw.array(VECTOR))}
    with pytest.raises(FileFormatError, match=r"Inside, p\.network would fit: choose it by name"):
        load_fitted(whole, tmp_path)
    assert_values(*load_fitted(whole, tmp_path, name="p.network"), mean=0)


def test_a_name_may_continue_after_a_dot_in_another():
    assert find_entry_at({"a": {"x": 1}, "a.b": {"c": 2}}, "a.b.c")[0] == 2
