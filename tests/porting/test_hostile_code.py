"""`luxport port` on hostile Julia: none of its text is run; each source ends in a module or the documented error."""

import ast
import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import fuzz_julia
import julia_attacks
import pytest

from luxport.cli import main
from luxport.porting import FileFormatError
from luxport.porting.translate import translate
from luxport.porting.translate.module_checks import find_violation
from luxport.porting.translate.writing import name_in_python


@pytest.mark.parametrize("attack", julia_attacks.ATTACKS)
def test_attacks_run_nothing(attack):
    assert fuzz_julia.run_outcome(julia_attacks.ATTACKS[attack]) in ("imported", "raised", "refused")


def test_generated_attacks_run_nothing():
    outcomes = fuzz_julia.make_injection_attack(12).run_here(150)
    assert outcomes["failed"] == 0
    assert outcomes["imported"] > 5  # most have holes or are refused


def test_generated_computations_are_imported_quickly_without_errors():
    translate("model = Dense(1 => 1)")  # modules imported on first use must not count
    outcomes = fuzz_julia.make_import_attack(5).run_in_children(40)
    assert outcomes["failed"] == 0
    assert outcomes["raised"] + outcomes["imported"] > 35


@pytest.mark.parametrize(("source", "reason"), [
    ("f(n) = n < 1 ? Dense(1 => 1) : Chain(f(n - 1), f(n - 1))\nm = f(30)", "too much"),
    ("f(n) = f(n + 1)\nm = Chain(f(3))", "too deep"),
    ("function f(n)\n while n > 0\n  n = n + 1\n end\n Dense(n => n)\nend\nm = f(3)", "too much"),
    ("x = []\nfor i in 1:10^9\n push!(x, Dense(1 => 1))\nend\nm = Chain(x...)", "too much"),
    ("a = 10^18\nb = a * a * a * a\nc = b * b * b * b\nd = c * c * c * c * c * c\nm = Dense(d => 1)", "too long"),
    ("f = relu\ng = f(10^9, 3)", "not a constructor"),
    ("d = Dense(1 => 1)\nd = Chain(d, d)" + "\nd = Chain(d, d)" * 60, "too much"),
    ("model = Dense(2, 3, relu, 4)", "more arguments"),
    ("model = Chain(Dense(-2 => 3))", "at least 0"),
])  # fmt: skip
def test_what_an_import_may_not_execute_is_written_below_main(source, reason):
    translation = translate(f"using Lux\nn = 3\n{source}\nlast = Dense(n => 2)")
    assert any(reason in hole.reason for hole in translation.holes), translation.holes
    names: dict[str, object] = {"__name__": "ported"}
    exec(translation.python, names)
    assert repr(names["last"]) == "Dense(3, 2)"
    assert not {"m", "model", "d"} & set(names)  # no model is left half built


def test_an_import_computes_what_ordinary_sources_compute():
    source = "using Flux\nf(n) = n < 1 ? [] : [f(n - 1)..., Dense(n => n)]\nmodel = Chain(f(30)...)"
    translation = translate(source + "\nlarge = Chain([Dense(i => i) for i in 1:500]...)")
    assert not translation.holes and "__main__" not in translation.python


def test_the_fuzzer_finds_calls_and_forbidden_access():
    python = "import luxport\nmodel = print('stranger')\n"
    assert fuzz_julia.find_trap_hits(python) == ["print"]
    assert fuzz_julia.find_trap_hits("import luxport\ndef f(x):\n    eval('1')\n") == ["eval"]
    python = "import luxport as x, os\nx.__class__\ny = f'{1}'\n'a'.format(1)\n"
    assert sorted(fuzz_julia.find_forbidden_access(python)) == [".__class__", ".format", "JoinedStr", "luxport", "os"]


@pytest.mark.parametrize(
    "python",
    [
        *("exec('1')", "import os", "x = luxport.save", "x = ().__class__", "def exec(x):\n    return x"),
        *("x = y", "luxport = 1", "x = lambda: eval('1')", "x = [open('a') for a in (1,)]", "x = f'{1}'"),
        *("def f(x=print()):\n    return x", "@print\ndef f(x):\n    return x", "class A(print):\n    pass"),
        *("x = 9 ** (9 ** 9)", "x = 9 ** 9 ** 9 ** 9", "x = 9 ** 387420489"),
        *("# a\x0cb", "x = '\u202e'", "x: print() = 1", "del luxport", "x = 'a'.format", "with luxport:\n    pass"),
        *("x = luxport.porting.load_model", "raise SystemExit('1')", "x.y = 1", "global x", "x = (y := 1)", "# \x00"),
        *("def not_ported(julia):\n    return print(julia)", "x = math.factorial", "from os import system"),
        *(
            "class A:\n    exec('1')",
            "class A:\n    def __del__(self):\n        return 1",
            "x = b''",
            "x = 'a'.join(())",
        ),
    ],
)
def test_the_check_refuses_python_that_no_translation_writes(python):
    assert find_violation(f"import luxport\n{python}\n")


@pytest.mark.parametrize(
    "name", ["exec", "𝐞𝐱𝐞𝐜", "__import__", "_x", "__class__", "match", "ﬁ", "luxport", "x!", "²", "None"]
)
def test_translated_names_are_neither_keywords_nor_builtins(name):
    python = name_in_python(name)
    assert python.isidentifier() and python not in dir(__builtins__) and not python.startswith("_")
    assert python == ast.parse(python).body[0].value.id  # type: ignore[attr-defined]


def test_the_module_begins_with_what_was_not_understood():
    python = translate("a = Dense(1 => 2)\nb = Chain(a, weird('x'))").python
    assert python.splitlines()[2].startswith("# line 2: weird")


@contextmanager
def limit_time(seconds: float) -> Iterator[None]:
    """Expect this thread to take less time than that, without a framework's threads and garbage collection."""
    gc.disable()
    began = time.thread_time()
    try:
        yield
        assert time.thread_time() - began < seconds
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "piece", ["(", "Chain(", "[", "1 2 ", "do x\n", "#=", 'r"', "-", "a->", "if x\n", "f(x)=", "\\", "\0", '"$(']
)
@pytest.mark.parametrize("count", [300, 20_000])
def test_deep_and_broken_source_ends_quickly(piece, count):
    with limit_time(3):  # 2 s, and a reserve for a busy machine
        assert fuzz_julia.run_outcome(piece * count) in ("imported", "raised", "refused")


@pytest.mark.parametrize("piece", ["f(x) = f(x)\n", "@compact(a="])
def test_time_grows_with_the_number_of_repetitions(piece):
    # Methods are compared with each other and conditions in a row become one: 12 kB once took half a minute.
    with limit_time(2):
        translate(piece * 1000)


def test_python_that_compiles_in_quadratic_time_is_not_written():
    fields = "".join(f"    a{i}\n" for i in range(7000))
    with limit_time(2):
        (hole,) = translate(f"using Flux\nstruct S\n{fields}end\n(m::S)(x) = m.a0(x)").holes
    assert "1,000 options" in hole.reason or "form that Python does not have" in hole.reason


@pytest.mark.parametrize("source", ["x" * 75_001, "\ud800", "Conv(" * 60 + "1" + ", 1 => 1)" * 60])
def test_a_refused_source_raises_the_documented_error(source):
    with pytest.raises(FileFormatError):
        translate(source)


def test_the_command_prints_one_line(tmp_path, capsys):
    source = tmp_path / "a\x1b[2J.jl"
    source.write_text("model = Dense(1 => 2)")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "latin.jl").write_bytes(b"# caf\xe9\n")
    told = []
    for arguments in (
        [str(tmp_path / "pipe")],
        [str(tmp_path)],
        ["/dev/zero"],
        [str(source), "-o", "/dev/full"],
        [str(source), "-o", str(tmp_path / "none" / "a.py")],
        [str(tmp_path / "latin.jl")],
        [str(tmp_path / "\x1b[31m.jl")],
    ):
        assert main(["port", *arguments]) == 2
        out, err = capsys.readouterr()
        assert not out and err.startswith("luxport port: ") and err.endswith("\n") and err[:-1].isprintable()
        told.append(err)
    assert [line.rpartition(": ")[2] for line in told[:3]] == [
        *("not a regular file but a pipe\n", "not a regular file but a folder\n", "not a regular file but a device\n"),
    ]
    source.write_text("model = Chain(weird\x1b[2J(3), Dense(1 => 2))\n# \x1b")
    assert main(["port", str(source)]) == 1
    assert all(line.isprintable() for line in "".join(capsys.readouterr()).split("\n"))
