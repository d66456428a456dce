"""Test CuPy's backend on a machine without a GPU: the suite runs it on a stand-in for CuPy made of NumPy."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = Path(__file__).parent / "cupy_stand_in"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process that imports the stand-in, copied to a folder named cupy, as CuPy."""
    shutil.copytree(STAND_IN, tmp_path / "cupy")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}


def test_the_suite_passes_on_a_stand_in_for_cupy(environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "luxport_conformance", "--backend", "cupy"]
    layers = "^(Dense|Conv|BatchNorm|DataLoader|update)$"
    done = subprocess.run([*command, "--layer", layers], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    passed = int(done.stdout.rpartition(" passed")[0].split()[-1])
    assert passed > 100


def test_devices_are_gpus_and_other_dtypes_are_refused(environment: dict[str, str]) -> None:
    code = (
        "import luxport, numpy as np\n"
        "x = luxport.asarray(np.ones(2), backend='cupy', dtype='float32', device='gpu:0')\n"
        "print(type(x).__module__, luxport.devices.get_device(x), luxport.to_numpy(x).dtype)\n"
        "for options in ({'dtype': 'bfloat16'}, {'device': 'cpu'}):\n"
        "    try:\n"
        "        luxport.asarray(np.ones(2), backend='cupy', **options)\n"
        "    except ValueError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stdout.splitlines() == [
        "cupy Device('gpu:0', backend='cupy') float32",
        "cupy has no dtype 'bfloat16'",
        "cupy has the devices gpu:0, got 'cpu'",
    ], done.stderr
