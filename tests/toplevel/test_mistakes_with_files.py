"""Wrong uses of files: one line says what was expected, what came, where and what to do; existing files stay."""

# Wrong on purpose:
# pyright: reportArgumentType=false, reportCallIssue=false
from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import luxport as lp
from luxport import losses, optimizers, porting, training
from luxport.cli import main

X, Y = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
MODEL = lp.Chain(lp.Dense(3, 5, lp.relu), lp.Dense(5, 2))
OTHER = lp.Dense(3, 2)
PS, ST = lp.setup(0, MODEL)
JULIA = "using Flux\nmodel = Chain(Dense(3 => 5, relu), Dense(5 => 2))\n"


def create_state(rule: Any = None) -> Any:
    return training.TrainState.create(MODEL, rule or optimizers.Adam(), backend="torch")


def fit(folder: Path, **options: Any) -> Any:
    return training.fit(
        losses.MSELoss(), create_state(), (X, Y), epochs=2, jit=False, show=None, checkpoint=folder, **options
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a file of each kind, and a run of two steps."""
    folder = tmp_path_factory.mktemp("made")
    lp.save(folder / "m.safetensors", PS, ST, model=MODEL)
    porting.save_flux_state(folder / "m.jld2", MODEL, PS, ST)
    (folder / "m.json").write_text('{"layers": [1, 2, 3]}')
    (folder / "m.jl").write_text(JULIA)
    (folder / "empty").touch()
    fit(folder / "run")
    return folder


@pytest.fixture
def folder(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the folder, which is the current one."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "load of JLD2": (lambda: lp.load("m.jld2"), "load expects a safetensors file, this is JLD2: porting.load_model"),
    "load of JSON": (lambda: lp.load("m.json"), "load expects a safetensors file, this is JSON"),
    "load of nothing": (lambda: lp.load("empty"), "load expects a safetensors file, this is an empty file"),
    "load of no path": (lambda: lp.load(None), "load expects a path, a string or an os.PathLike, got None"),
    "the model for a path": (lambda: porting.load_parameters(MODEL, "m.jld2"), "load_parameters expects a layer"),
    "load for a class": (lambda: lp.load("m.safetensors", model=lp.Dense), "load expects a layer, got the class Dense"),
    "parameters for a class": (lambda: porting.load_parameters("m.jld2", lp.Dense), "got the class Dense: call it"),
    "save to BSON": (lambda: lp.save("m.bson", PS, ST), "a safetensors file, got a name with the suffix of BSON"),
    "save to PyTorch": (lambda: lp.save("m.pt", PS, ST), "use .safetensors"),
    "save to no path": (lambda: lp.save(PS, "m.safetensors"), "save expects a path"),
    "Flux's state to BSON": (lambda: porting.save_flux_state("m.bson", MODEL, PS, ST), "use .jld2"),
    "PyTorch, swapped": (lambda: lp.to_torch(MODEL, ST, PS), "to_torch expects the parameters and states of Chain"),
    "PyTorch, another": (lambda: lp.to_torch(OTHER, PS, ST), "ps.weight is missing"),
    "a class to bring": (lambda: lp.from_torch(torch.nn.Linear), "got the class Linear: call it"),
    "a state_dict": (lambda: lp.from_torch(torch.nn.Linear(2, 3).state_dict()), "module.load_state_dict(...)"),
    "a path to bring": (lambda: lp.from_torch("m.pt"), "load it with PyTorch"),
    "a lazy module": (lambda: lp.from_torch(torch.nn.LazyLinear(3)), "has no sizes yet: call it once"),
    "a file to restore": (
        lambda: training.restore("m.json", create_state()),
        "expects a folder, got the file m.json",
    ),
    "a file for a run": (lambda: fit(Path("m.json")), "expects a folder, got the file m.json"),
    "another rule": (
        lambda: training.restore("run", create_state(optimizers.Descent())),
        "opt_state: Descent() wanted, got Adam()",
    ),
    "a run that is resumed nowhere": (lambda: fit(None, resume=True), "fit expects a folder as checkpoint to resume"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_changes_nothing(name: str, folder: Path) -> None:
    call, cure = MISTAKES[name]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises((TypeError, ValueError, OSError)) as caught:
        call()
    text = str(caught.value)
    assert cure in text
    assert "\n" not in text
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


COMMANDS: dict[str, str] = {
    "convert m.jld2 m.pt": "got a name with the suffix of PyTorch, 'm.pt'",
    "convert m.jld2 m.jld2": "the file to write must not be the file that is read",
    "convert m.safetensors ./m.safetensors": "the file to write must not be the file that is read",
    "port m.jl -o m.jl": "the file to write must not be the file that is read",
    "port m.jl --check m.safetensors -o m.py": "this is a safetensors file",
    "port m.jl --check nowhere -o m.py": "No such file or directory: nowhere",
    "port m.jl --flux 9.9": "a version of Flux from 0.1 to 0.16 expected, as 0.14, got '9.9'",
}


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_says_what_is_wrong_and_writes_nothing(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(line.split()) == 2
    out, told = capsys.readouterr()
    assert not out
    assert told.count("\n") == 1
    assert COMMANDS[line] in told
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
