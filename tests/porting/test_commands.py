"""`luxport inspect` and `luxport convert`."""

import bson_writer as bw
import numpy as np
import pytest
import samples

import luxport
from luxport.cli import main
from luxport.porting import read
from luxport.porting.files import saving
from luxport.porting.inspect_command import describe
from luxport.porting.julia.flux_versions import describe_flux_generation


@pytest.fixture
def flux_file(tmp_path):
    """A whole model of Flux: a Dense with relu, and a function by its name."""
    dense = bw.struct_of(
        bw.datatype("Flux.Dense"), bw.array(samples.WEIGHT), bw.array(samples.BIAS), bw.function("NNlib.relu")
    )
    path = tmp_path / "model.bson"
    path.write_bytes(bw.bson({"model": bw.struct_of(bw.datatype("Flux.Chain"), bw.tuple_of(dense))}))
    return path


def make_flux_struct(name, count):
    return bw.bson({"m": bw.struct_of(bw.datatype(f"Flux.{name}"), *[None] * count)})


def test_inspect_prints_a_files_tree(tmp_path, capsys):
    path = tmp_path / "model.bson"
    path.write_bytes(samples.bson_model())
    assert main(["inspect", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{path}: BSON"
    assert lines[1].startswith("whole models: model")
    for line in (
        "  model: Flux.Chain",
        "      0: Flux.Dense",
        "        weight: float32 array (2, 3)",
        "        σ: function NNlib.relu",
    ):
        assert any(shown.startswith(line) for shown in lines), (line, lines)
    assert any(shown.strip() == "%1 = Main.softmax(x)" for shown in lines)


def test_inspect_prints_a_state_in_jld2(tmp_path, capsys):
    path = tmp_path / "state.jld2"
    path.write_bytes(samples.jld2_state())
    assert main(["inspect", str(path)]) == 0
    out = capsys.readouterr().out
    assert "JLD2, written by" in out
    assert "1 arrays of 6 numbers without their layers" in out
    assert "bias: False (bool)" in out


def test_long_lists_are_cut_and_cycles_end():
    many = bw.bson({"losses": list(range(100)), "runs": [{"a": i} for i in range(50)]})
    lines = describe(read(many))
    assert "  losses: vector of 100: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …, 99" in lines
    assert "    … 38 more …" in lines
    assert len(describe(read(many), longest=None)) > 100
    cycle = "\n".join(describe(read(samples.bson_cycle())))
    assert "the same as node" in cycle


def test_names_from_a_file_cannot_control_the_terminal():
    lines = describe(read(bw.bson({"a\x1b[2Jb": "\x07" + "x" * 500})))
    assert all(line.isprintable() and len(line) < 200 for line in lines)
    assert r"a\x1b[2Jb" in lines[-1]


@pytest.mark.parametrize(("name", "count", "versions"), [
    # the structs at these tags of Flux.jl
    ("Conv", 6, "Flux 0.6 to 0.12"), ("Conv", 7, "Flux 0.12 to 0.16"),  # v0.12.5, v0.12.10: src/layers/conv.jl
    ("BatchNorm", 7, "Flux 0.10"), ("BatchNorm", 11, "Flux 0.12 to 0.16"),  # v0.10.0, v0.12.0: normalise.jl
    ("Recur", 3, "Flux 0.6 to 0.11"), ("LSTMCell", 4, "Flux 0.12 to 0.14"),  # v0.11.0, v0.12.0: recurrent.jl
    ("ConvTranspose", 8, "Flux 0.14 to 0.16"),  # v0.14.25
])  # fmt: skip
def test_fields_tell_the_versions_of_flux(name, count, versions):
    found, reasons = describe_flux_generation(read(make_flux_struct(name, count)).values)
    assert found == versions
    assert reasons == [f"{name} has {count} fields"]


def test_tracker_dates_a_file():
    tracked = bw.struct_of(bw.datatype("Tracker.TrackedArray"), None, bw.array(samples.BIAS), None)
    found, reasons = describe_flux_generation(read(bw.bson({"b": tracked})).values)
    assert found == "Flux 0.8 to 0.9"
    assert "Tracker" in reasons[0]


def test_a_whole_model_is_converted(flux_file, tmp_path):
    output = tmp_path / "model.safetensors"
    assert main(["convert", str(flux_file), str(output)]) == 0
    model = luxport.Chain(luxport.Dense(2, 3, luxport.relu))
    ps, st = saving.load(output, model=model, backend="numpy")
    np.testing.assert_array_equal(ps["layer_1"]["weight"], samples.WEIGHT)
    np.testing.assert_array_equal(ps["layer_1"]["bias"], samples.BIAS)
    assert st == {"layer_1": {}}


def test_a_model_whose_formula_depends_on_the_version_is_converted(tmp_path, capsys):
    norm = bw.struct_of(
        bw.datatype("Flux.LayerNorm"),
        bw.struct_of(bw.datatype("Flux.Diagonal"), bw.array(samples.BIAS), bw.array(samples.BIAS)),
    )
    source, output = tmp_path / "norm.bson", str(tmp_path / "norm.safetensors")
    source.write_bytes(bw.bson({"model": norm}))
    assert main(["convert", str(source), output]) == 0
    error = capsys.readouterr().err
    assert error.startswith(
        "luxport convert: the model: the standard deviation of a LayerNorm divides by n - 1 until Flux 0.7.2"
    )
    assert error.count("\n") == 1
    assert main(["convert", str(source), output, "--flux", "0.9"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["convert", str(source), output, "--flux", "x"]) == 2


def test_parameters_whose_meaning_depends_on_the_version_are_converted(tmp_path, capsys, monkeypatch):
    """Flux 0.6 kept a standard deviation: src/layers/normalise.jl at v0.6.10."""
    (tmp_path / "norms_to_convert.py").write_text("import luxport\nmodel = luxport.BatchNorm(3)\n")
    monkeypatch.chdir(tmp_path)
    arrays = [bw.array(samples.BIAS)] * 3 + [bw.array(np.full(3, 2, np.float32))]
    function = bw.function("Base.identity")
    source = tmp_path / "norm.bson"
    source.write_bytes(bw.bson({"model": bw.struct_of(bw.datatype("Flux.BatchNorm"), function, *arrays, 0.5, 0.1, 1)}))
    convert = ["convert", str(source), "norm.safetensors", "--model", "norms_to_convert:model"]
    assert main(convert) == 0
    error = capsys.readouterr().err
    assert error.startswith("luxport convert: the model: a BatchNorm has a standard deviation until Flux 0.6")
    assert error.count("\n") == 1
    for version, variance in (("0.6", 3.5), ("0.9", 2)):
        assert main([*convert, "--flux", version]) == 0
        assert capsys.readouterr().err == ""
        assert saving.load("norm.safetensors", backend="numpy")[1]["running_var"].tolist() == [variance] * 3
    assert main([*convert, "--flux", "0.99"]) == 2
    assert "a version of Flux as flux, '0.6' to '0.16', got '0.99'" in capsys.readouterr().err
    again = ["convert", "norm.safetensors", "again.jld2", "--model", "norms_to_convert:model"]
    assert main([*again, "--flux", "0.6"]) == 2
    assert "--flux are for Julia files" in capsys.readouterr().err


def test_parameters_are_converted_for_a_model(flux_file, tmp_path, monkeypatch):
    (tmp_path / "networks_to_convert.py").write_text(
        "import luxport\nmodel = luxport.Chain(luxport.Dense(2, 3, luxport.relu))\nnumber = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    output = tmp_path / "out.safetensors"
    assert main(["convert", str(flux_file), str(output), "--model", "networks_to_convert:model"]) == 0
    ps, _ = saving.load(output, backend="numpy")
    np.testing.assert_array_equal(ps["layer_1"]["weight"], samples.WEIGHT)


def test_parameters_are_converted_for_julia_and_back(flux_file, tmp_path, monkeypatch):
    (tmp_path / "networks_for_julia.py").write_text(
        "import luxport\nmodel = luxport.Chain(luxport.Dense(2, 3, luxport.relu))\n"
    )
    monkeypatch.chdir(tmp_path)
    model = ["--model", "networks_for_julia:model"]
    assert main(["convert", str(flux_file), "whole.jld2"]) == 0
    assert main(["convert", str(flux_file), "model.jld2", *model]) == 0
    assert main(["convert", "model.jld2", "model.safetensors", *model]) == 0
    assert main(["convert", "model.safetensors", "again.jld2", *model]) == 0
    assert main(["convert", "model.safetensors", "again.jld2", *model, "--name", "ps"]) == 2
    for name in ("whole.jld2", "model.jld2", "again.jld2"):
        (state,) = read(name).values["model_state"]["layers"]
        np.testing.assert_array_equal(state["weight"], samples.WEIGHT)
        assert state.names == ("weight", "bias", "σ")


@pytest.mark.parametrize("place", ["networks", "no_such_module_here:model", "math:pi", "math:nothing.here"])
def test_models_that_cannot_be_imported_are_one_line(flux_file, tmp_path, capsys, place):
    output = tmp_path / "out.safetensors"
    assert main(["convert", str(flux_file), str(output), "--model", place]) == 2
    error = capsys.readouterr().err
    assert error.startswith("luxport convert: --model")
    assert error.count("\n") == 1
    assert not output.exists()


@pytest.mark.parametrize("command", [["inspect"], ["convert"]])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"version https://git-lfs", None])
def test_unreadable_files_are_one_line(command, content, tmp_path, capsys):
    path = tmp_path / "model.bson"
    if content is not None:
        path.write_bytes(content)
    more = [str(tmp_path / "out")] if command == ["convert"] else []
    assert main([*command, str(path), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"luxport {command[0]}: ")
    assert error.count("\n") == 1
    assert "model.bson" in error


@pytest.mark.parametrize("arguments", [["inspect"], ["convert", "x"], ["inspect", "x", "--color"]])
def test_wrong_arguments_end_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err
