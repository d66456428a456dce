"""The command itself: its version, its help, and `python -m luxport`."""

from __future__ import annotations

import subprocess
import sys

import pytest

import luxport
from luxport.cli import COMMANDS, main


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == f"luxport {luxport.__version__}"


def test_python_m_luxport_is_the_command():
    done = subprocess.run([sys.executable, "-m", "luxport", "--help"], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("arguments", [[], ["nothing"]])
def test_a_command_is_wanted(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
