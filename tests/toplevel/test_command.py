"""The command `luxport`: its version, its help, `python -m luxport`, and wrong arguments."""

from __future__ import annotations

import subprocess
import sys

import pytest

import luxport
from luxport.cli import COMMANDS, main


def test_the_command_prints_its_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.strip() == f"luxport {luxport.__version__}"


def test_python_m_luxport_is_the_command():
    done = subprocess.run([sys.executable, "-m", "luxport", "--help"], capture_output=True, text=True, check=True)
    assert all(name in done.stdout for name in COMMANDS)


WRONG = [
    *([], ["nothing"], ["a\x1b[2J\nb"], ["port"], ["port", "x", "--nope\x1b[31m"], ["inspect", "a", "b\u202e"]),
    *(["convert", "x"], ["port", "x", "--flux", "a\nb"], ["conformance", "--nope"], ["conformance", "--jobs", "\x07"]),
]


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_arguments_are_one_line_errors(arguments, capsys):
    try:
        status = main(arguments)
    except SystemExit as stopped:
        status = stopped.code
    told = capsys.readouterr()
    assert status == 2 and not told.out
    assert told.err.startswith("luxport") and told.err.endswith("--help\n") and told.err[:-1].isprintable()
