"""The wheel and the sdist: they are complete, and the wheel works in an environment without any framework."""

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
import luxport
import numpy as np
model = luxport.Chain(luxport.Dense(2, 3, luxport.relu), luxport.BatchNorm(3), luxport.Dense(3, 1))
ps, st = luxport.setup(0, model)
y, _ = model(np.ones((4, 2), np.float32), ps, luxport.test_mode(st))
assert y.shape == (4, 1) and isinstance(y, np.ndarray)
assert luxport.available_backends() == ["numpy"], luxport.available_backends()
for name in ("jax", "torch", "tf", "mlx", "cupy", "onnx"):
    try:
        luxport.setup(0, model, backend=name)
    except luxport.BackendNotFoundError as error:
        assert f"pip install 'luxport-nn[{name}]'" in str(error), error
    else:
        raise SystemExit(f"{name} was found")
print("used", luxport.__version__)
"""


def run(*command: object, **options: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    return {"wheel": next(folder.glob("*.whl")), "sdist": next(folder.glob("*.tar.gz"))}


def test_the_wheel_runs_without_a_framework(built: dict[str, Path], tmp_path: Path) -> None:
    """The wheel is built from the sdist, so this tests both."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    pinned = ROOT / "constraints.txt"
    run(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", pinned, built["wheel"])
    assert run(python, "-c", PROGRAM, cwd=tmp_path).startswith("used")


def test_the_wheel_contains_every_package(built: dict[str, Path]) -> None:
    import zipfile

    names = zipfile.ZipFile(built["wheel"]).namelist()
    packages = {name.partition("/")[0] for name in names if name.endswith("__init__.py")}
    backends = {f"luxport_{name}" for name in ("numpy", "jax", "torch", "tf", "mlx", "cupy", "onnx")}
    expected = {"luxport", "luxport_conformance"} | backends
    assert packages == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_sdist_contains_every_tracked_file(built: dict[str, Path]) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no git clone, from which to list the files")
    with tarfile.open(built["sdist"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    tracked = run("git", "ls-files", cwd=ROOT).split()
    assert [name for name in tracked if name not in names] == [".ci/run"]
