"""The command `luxport port`: the files it reads and writes, the marks it leaves, and its trial."""

import bson_writer as bw
import numpy as np
import pytest
from execution import execute_python
from samples import CONVNET

import luxport
from luxport.cli import main
from luxport.porting.translate import translate


@pytest.mark.parametrize(("julia", "raises"), [
    ("Dense(2 => 3; initW=weird)", "initW=weird"),
    ("Dense(weight, bias)", "weight"),
    ("Chain(Custom(2 => 3))", "Custom(2 => 3)"),
    ("Dense(2 => 3; precision=4)", "precision=4"),
    ("Chain(Dense(2 => 3), [x -> x .+ i for i in 1:3]...)", "x -> x .+ i"),
    ("MaxPool((2, 2); pad=p)", "p"),
    ("Parallel(-, Dense(2 => 3), Dense(2 => 3), Dense(2 => 3))", "-"),
    ("GRUCell(2 => 3)", "GRUCell"),
])  # fmt: skip
def test_code_that_is_not_understood_raises_at_its_place(julia, raises):
    translation = translate(f"model = {julia}")
    assert translation.holes and "# TODO: not ported: " in translation.python
    with pytest.raises(NotImplementedError) as error:
        execute_python(translation.python)
    assert raises in str(error.value)


def test_functions_that_are_not_understood_raise_when_called():
    source = "using Flux\nmodel = Chain(Dense(2 => 3), x -> magic(x), x -> x ^ x)"
    translation = translate(source)
    model = execute_python(translation.python)["model"]
    assert [hole.julia for hole in translation.holes] == ["magic(x)", "x ^ x"]
    with pytest.raises(NotImplementedError, match=r"magic\(x\)"):
        model[1].function(np.ones(3))


def test_training_code_is_left_out_and_counted():
    source = """
    using Flux
    model = Dense(2 => 3)
    data = load("x")
    for epoch in 1:10
        train!(model, data)
    end
    broken = Chain(model, wrap(data))
    """
    translation = translate(source)
    assert [hole.line for hole in translation.holes] == [4, 5, 8]
    with pytest.raises(NotImplementedError, match="wrap"):
        execute_python(translation.python)


def test_syntax_errors_are_marked():
    translation = translate("using Flux\ngood = Dense(2 => 3)\nbad = Chain(Dense(2 => , 3)\n")
    assert translation.holes
    assert "good = luxport.Dense(2, 3)" in translation.python


def test_the_command_writes_a_file_and_prints_its_marks(tmp_path, capsys):
    source, output = tmp_path / "lenet.jl", tmp_path / "lenet.py"
    source.write_text(CONVNET, encoding="utf-8")
    assert main(["port", str(source), "-o", str(output)]) == 0
    assert capsys.readouterr() == ("", "")
    assert luxport.parameter_length(execute_python(output.read_text(encoding="utf-8"))["model"]) == 44_426
    source.write_text("model = Chain(Dense(2 => 3), Other())", encoding="utf-8")
    assert main(["port", str(source)]) == 1
    out, err = capsys.readouterr()
    assert "not_ported('Other()')" in out
    assert err.endswith("1 piece not ported\n")


def test_the_command_tries_its_output(tmp_path, capsys):
    source, trained = tmp_path / "net.jl", tmp_path / "trained.safetensors"
    source.write_text(
        "using Flux\nmlp(n=4; k=n) = Chain(Dense(n => 3), Dense(3 => k))\nmodel = Dense(2 => 3)\n"
        "images(n=9) = Chain(x -> reshape(x, :, size(x, 4)), Dense(n => 2))\n"
        "needs(n) = Dense(n => 2)\nbroken = Chain(weird(2))\nloops(n=1) = loops(n)\n"
    )
    assert main(["port", str(source), "--run"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "model: Dense with 9 parameters, (2, 2) -> (2, 3)",
        "mlp(): Chain with 31 parameters, (2, 4) -> (2, 4)",
        "images(): Chain with 20 parameters, (2, 1, 3, 3) -> (2, 2)",
        "needs(8), sizes made up: Dense with 18 parameters, (2, 8) -> (2, 2)",
    ]
    assert "weird(2)" in err
    trained = tmp_path / "trained.bson"
    weight = {"weight": bw.array(np.ones((2, 3), np.float32)), "bias": bw.array(np.ones(3, np.float32))}
    trained.write_bytes(bw.bson({"state": weight}))
    assert main(["port", str(source), "--check", str(trained)]) == 1
    model, mlp, *_ = capsys.readouterr().out.splitlines()
    assert model.endswith("trained.bson fit") and "fit" not in mlp.partition(";")[0] and "trained.bson: " in mlp
    source.write_text("x = 3")
    assert main(["port", str(source), "--run"]) == 0
    assert capsys.readouterr().out == "no model is built when it is imported\n"


def test_the_command_tries_models_with_the_sizes_of_the_source(tmp_path, capsys):
    source = tmp_path / "net.jl"
    source.write_text("""using Flux
    struct Net; conv; dense; end
    (m::Net)(x) = m.dense(Flux.flatten(m.conv(x)))
    Net(channels::Int; hidden = 2channels) =
        Net(Conv((3, 3), channels => hidden, relu), Dense(10 * 26 * hidden => 5))
    function train(; epochs = 3, width = 4)
        half = width ÷ 2
        model = Net(half; hidden = width)
        broken = Net(half; hidden = unknown)
        x = rand(Float32, 12, 28, 2, 7)
        for epoch in 1:epochs
            whatever!(model, x)
        end
    end
    """)
    assert main(["port", str(source), "--run"]) == 1
    assert capsys.readouterr().out == (
        "Net(half; hidden = width): CompactLayer with 5,281 parameters, (7, 2, 28, 12) -> (7, 5)\n"
    )


@pytest.mark.parametrize(
    "arguments", [["port"], ["port", "missing.jl"], ["port", "x.jl", "--flux", "new"], ["port", "/"]]
)
def test_wrong_arguments_end_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert "luxport port: " in capsys.readouterr().err.splitlines()[-1]


def test_files_of_the_same_folder_are_included(tmp_path, capsys):
    (tmp_path / "parts").mkdir()
    (tmp_path / "net.jl").write_text(
        'using Flux\ninclude("parts/block.jl")  # blocks\ninclude("none.jl")\nmodel = block(3)\n'
    )
    (tmp_path / "parts" / "block.jl").write_text(
        'include("../net.jl")\ninclude("size.jl")\nblock(n) = Chain(Dense(n => size), Dense(size => n))\n'
    )
    (tmp_path / "parts" / "size.jl").write_text("size = 4\nweird!(size)\n")
    assert main(["port", str(tmp_path / "net.jl"), "--run", "-o", str(tmp_path / "net.py")]) == 1
    out, err = capsys.readouterr()
    assert out == "model: Chain with 31 parameters, (2, 3) -> (2, 3)\n"
    places = [line.split(": ")[0].removeprefix(f"{tmp_path}/") for line in err.splitlines()[:-1]]
    assert places == ["parts/block.jl:1", "parts/size.jl:2", "net.jl:3"]
    assert "# parts/size.jl:2: weird!(size)" in (tmp_path / "net.py").read_text()


@pytest.mark.parametrize("size", [37_000, 38_000, 70_000])
def test_included_files_count_toward_the_limit_of_one_source(tmp_path, capsys, size):
    """Each file alone is small enough; the second one includes the third on one of its lines."""
    comment = "#" * (size - 1) + "\n"
    (tmp_path / "net.jl").write_text('include("a.jl")\nusing Flux\nm = Dense(n => 1)\n')
    (tmp_path / "a.jl").write_text(comment + 'include("b.jl")\n')
    (tmp_path / "b.jl").write_text(comment + "n = 3\n")
    status = main(["port", str(tmp_path / "net.jl")])
    out, err = capsys.readouterr()
    if 2 * size < 75_000:
        assert status == 0 and "luxport.Dense(n, 1)" in out
        return
    told = f"with the files that it includes it is larger than 75,000 bytes: a.jl:2 includes one of {size + 6:,}"
    assert (status, out, err) == (2, "", f"luxport port: {tmp_path / 'net.jl'}: {told}\n")


def test_only_files_of_the_same_folder_are_included(tmp_path, capsys):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outer.jl").write_text("secret = 3\n")
    (folder / "link.jl").symlink_to(tmp_path / "outer.jl")
    (folder / "net.jl").write_text('include("../outer.jl")\ninclude("link.jl")\ninclude("/etc/hosts.jl")\n')
    assert main(["port", str(folder / "net.jl")]) == 1
    assert "secret" not in capsys.readouterr().out
