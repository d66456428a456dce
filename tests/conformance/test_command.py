"""Test `luxport conformance` on a third-party backend and on faulty ones, and the reports that it writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import luxport
from luxport.backend import get_backend
from luxport.cli import main
from luxport_conformance.backends import note_abilities
from luxport_conformance.compare import Violation
from luxport_conformance.gaps import list_gaps
from luxport_conformance.probing import ask
from luxport_conformance.progress import Progress
from luxport_conformance.report import list_complaints, list_remarks, render_table
from luxport_conformance.runner import Check, run
from luxport_conformance.selection import Selection
from luxport_conformance.worker_processes import Finding, collect_findings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put examples/ and this folder on the path, which processes that the tests start inherit."""
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def test_a_backend_from_outside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--backend", "toy_backend:toy", "--layer", "^(tanh|Dense)$", "--report", str(tmp_path)]
    assert main(["conformance", *arguments, "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["toy", "no", "arrays", "(deviation", "/", "eps)"]
    assert [line.split()[0] for line in lines[1:3]] == ["Dense", "tanh"]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["outcomes"] == {"passed": len(report["checks"]), "failed": 0}
    assert len(report["checks"]) > 50
    assert {check["backend"] for check in report["checks"]} == {"toy", "host"}
    assert report["versions"]["numpy"].count(".") == 2
    ported = next(check for check in report["checks"] if check["id"].startswith("dense.ones_and_twos-toy"))
    assert ported["source"][0]["link"].endswith("test/layers/basic.jl#L88")
    assert "[20.0, 20.0]" in ported["expected"]
    assert "[20., 20.]" in ported["got"]
    page = (tmp_path / "report.html").read_text()
    assert '"made":"' in page
    assert "[20.0, 20.0]" not in page, "what a cell tells is loaded when it is chosen"
    assert "[20.0, 20.0]" in (tmp_path / "details" / "toy-dense.js").read_text()
    assert "/*DATA*/" not in page
    assert "http://" not in page.replace("https://github.com", "")


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("crashing", "the process ended by itself, with exit code 3"),
        ("hanging", "given up after 2 s"),
        ("wrong_type", "an array of toy expected, got one of numpy"),
        ("wrong_shape", r"shape \(14,\) expected, got \(14, 1\)"),
        ("wrong_dtype", "a result in float32 expected, got float16"),
        ("not_a_number", "got .*nan"),
        ("in_place", "inputs as they were expected"),
    ],
)
def test_a_broken_backend_is_a_finding(broken: str, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("luxport_conformance.worker_processes._LONG", 1.0)
    waited: list[str] = []
    pattern = "^(override_is_definition-tanh|values-Dense)_1-"
    selection = Selection((f"broken_backends:{broken}",), pattern=pattern, dtypes=("float32",))
    found = {finding.id: finding.complaint for finding in _find(selection, waited)}
    assert broken != "hanging" or "override_is_definition-tanh_1-toy-float32" in waited
    assert re.search(complaint, found["override_is_definition-tanh_1-toy-float32"] or ""), found
    assert found["values-Dense_1-toy-float32"] is None, "the run goes on, and what does not use tanh is as it was"


def _find(selection: Selection, waited: list[str]) -> list[Finding]:
    return collect_findings(selection, jobs=1, limit=2.0, on_wait=lambda check, limit: waited.append(check))


def test_peers_are_information(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keras = "luxport_conformance.peers.keras_peer:ON_NUMPY"
    arguments = ["--peer", "torch.nn", "--peer", keras, "--jobs", "1"]
    arguments += ["--report", str(tmp_path), "--layer", "^peer.*-(BatchNorm_1|GRUv3|LSTMCell|softmax_2)"]
    assert main(["conformance", *arguments]) == 0
    out = capsys.readouterr().out
    checks = {check["id"]: check for check in json.loads((tmp_path / "report.json").read_text())["checks"]}
    for name in ("peer-BatchNorm_1", "peer-LSTMCell_1"):
        assert all(0.0 < checks[f"{name}-{peer}"]["ulps"] < 8.0 for peer in ("torch.nn", "keras@numpy"))
    gradient = checks["peer_gradient-LSTMCell_1-torch.nn"]
    assert gradient["of"] == "backward"
    assert 0.0 < gradient["ulps"] < 16.0
    assert checks["peer_gradient-LSTMCell_1-keras@numpy"]["remark"] == "no counterpart: differentiates nothing on numpy"
    assert checks["peer-GRUv3_1-torch.nn"]["outcome"] == "no counterpart"
    assert 0.0 < checks["peer-GRUv3_1-keras@numpy"]["ulps"] < 8.0, "GRU(reset_after=False)"
    # PyTorch updates the running variance as luxport does; Keras's batch variance is smaller by (n - 1) / n.
    assert checks["peer_training-BatchNorm_1-torch.nn"]["ulps"] < 8.0
    assert checks["peer_training-BatchNorm_1-keras@numpy"]["ulps"] > 1e4
    assert checks["peer_training-BatchNorm_1-keras@numpy"]["differences"][-1] == "biased running variance"
    assert "BatchNorm on keras@numpy: running variances average the biased variance of batches" in out
    assert checks["peer-softmax_2-torch.nn"]["outcome"] == "differs", "NaN beside infinity"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "broken_backends:incomplete"], "misses capabilities, xp"),
        (["--backend", "broken_backends:nothing"], "no backend at 'broken_backends:nothing'"),
        (["--backend", "nowhere:toy"], "no backend at 'nowhere:toy'"),
        (["--backend", "tinygrad"], "unknown backend tinygrad: expected one of cupy, jax, mlx, "),
        (["--layer", "("], "--layer expects a regular expression, got '(': "),
        (["--report", "/dev/null/report"], "no folder for the report at /dev/null/report: Not a directory"),
        (["--peer", "pytorch"], "unknown peer pytorch: expected all, one of torch.nn, keras@jax, "),
        (["--peer", "nowhere:adapter"], "no peer at 'nowhere:adapter'"),
        (["--peer", "toy_backend:toy"], "a luxport_conformance.peers.Peer expected, got SimpleNamespace"),
        (["--dtype", "float8"], "invalid choice: 'float8'"),
        (["--petab", "/nowhere"], "no solutions.yaml in /nowhere"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["conformance", "--layer", "^nothing$", *arguments])
    assert caught.value.code == 2
    told = capsys.readouterr().err
    assert message in told and "Traceback" not in told


@pytest.mark.parametrize(
    ("name", "raised"),
    [
        ("failing_module:backend", "ValueError: inside the module"),
        ("needing_module:backend", "ModuleNotFoundError: No module named 'not_installed'"),
        ("asking_module:backend", "AttributeError: module 'math' has no attribute 'no_such_function'"),
    ],
)
def test_an_error_inside_a_module_has_its_traceback(
    name: str, raised: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "failing_module.py").write_text("raise ValueError('inside the module')")
    (tmp_path / "needing_module.py").write_text("import not_installed")
    (tmp_path / "asking_module.py").write_text("import math\ndef __getattr__(name):\n    return math.no_such_function")
    monkeypatch.syspath_prepend(str(tmp_path))
    for option in ("--backend", "--peer"):
        with pytest.raises(SystemExit) as caught:
            main(["conformance", "--layer", "^nothing$", option, name])
        assert caught.value.code == 2
        told = capsys.readouterr().err
        assert "Traceback" in told and raised in told and name.partition(":")[0] in told.splitlines()[-1]


def test_nothing_to_run_is_no_success() -> None:
    assert main(["conformance", "--backend", "numpy", "--layer", "^nothing$", "--jobs", "1"]) == 2


def test_the_command_is_installed() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("luxport")), "conformance", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "--report" in done.stdout


def test_a_backend_without_double_precision_and_complex_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """Checks that need a missing capability are left out and reported; the other checks do not use it."""
    arguments = ["--backend", "broken_backends:narrow", "--jobs", "1", "--layer=-narrow"]
    assert main(["conformance", *arguments]) == 0, capsys.readouterr().out
    told = capsys.readouterr()
    for what in ("gradients", "complex", "compiler", "bfloat16", "float64", "uint16", "uint32", "uint64"):
        assert re.search(rf"narrow has no {what}: checks of \d+ layers and operations are left out", told.err)
    assert int(told.out.splitlines()[-1].split()[0]) > 1900


def test_a_probe_that_raises_is_a_finding() -> None:
    selection = Selection(("broken_backends:unsure",), pattern="^values-Dense_1-")  # which needs no probe
    found = {finding.id: finding.complaint for finding in collect_findings(selection, jobs=1)}
    complaint = found["probe.gradients-unsure"] or ""
    assert "Traceback" in complaint and "ZeroDivisionError" in complaint
    assert [name for name, said in found.items() if said] == ["probe.gradients-unsure"]
    assert "values-Dense_1-unsure-float32" in found, "the run goes on"
    line = next(list_gaps(get_backend(selection.load().backends[0]), ()))
    # The type of the error depends on which backend first registered the toy's arrays in this process.
    assert re.match(r"unsure may have gradients: the probe raised \w+, see below: checks of \d+ ", line)


def test_a_probe_that_ends_the_process_is_a_finding() -> None:
    selection = Selection(("broken_backends:ending",))
    (name,) = selection.load().backends
    found = dict(ask(selection, name, 60.0))
    assert found.pop("gradients") == "ended the process, with exit code 3"
    assert found.pop("float32") is True and {*found.values()} <= {True, False}
    note_abilities(name, (("gradients", "ended the process, with exit code 3"), *found.items(), ("float32", True)))
    line = next(list_gaps(get_backend(name), ()))
    assert line.startswith(
        "ending may have gradients: the probe ended the process, with exit code 3, see below: checks of "
    )


def test_a_process_that_cannot_begin_is_told_once() -> None:
    pattern = "^(values|inputs_untouched|twice)-(Dense|Scale)_1-only_here-float32"
    found = collect_findings(Selection(("broken_backends:only_here",), pattern=pattern), jobs=1)
    assert len(found) > 2
    (complaint,) = {finding.complaint for finding in found}
    assert complaint and "could not list its checks" in complaint and "there is no only_here here" in complaint


def test_an_error_in_a_check_has_its_place_and_traceback() -> None:
    def fail() -> float:
        return float(luxport.ops.softmax(np.ones(2), axis="last"))  # type: ignore[arg-type]

    outcome = run(Check("c", "law", "Dense", "c", "toy", fail))
    assert re.search(r"in \w+.*luxport/ops|luxport/\w+.*in \w+", outcome.place)
    assert "in fail" in outcome.traceback and "Traceback" in outcome.traceback


def test_a_violation_speaks_for_itself() -> None:
    def violate() -> float:
        raise Violation("2 expected, got 3")

    outcome = run(Check("c", "law", "Dense", "c", "toy", violate))
    assert (outcome.complaint, outcome.place, outcome.traceback) == ("2 expected, got 3", "", "")


def test_equal_complaints_are_told_in_a_few_lines_as_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.start(9)
    for i in range(8):
        progress.step(_failed(f"c{i}", f"shape ({i},) expected\n\n{'and so on ' * 100}, got ({i}, 1)"))
    progress.wait("c9", 180.0)
    told = capsys.readouterr().err.splitlines()
    assert [line.split()[1].rstrip(":") for line in told] == ["c0", "c1", "c2", "for"]
    assert max(map(len, told)) < 400 and "got (0, 1)" in told[0] and "counted at the end" in told[2]
    assert told[3] == "waiting for c9, which is given up after 180 s"


def test_what_others_say_is_told_once_and_moves_no_terminal() -> None:
    found = [
        replace(_failed(f"c{i}", None), kind="peer", backend=name, remark="raises\n \x1b[1mError", deviation=0.0)
        for i, name in enumerate(("one", "two", "one"))
    ]
    assert list_remarks(found) == "Dense on one, two: raises \\x1b[1mError"
    assert list_complaints([_failed("c", "no\x1b[2J\nnumbers")]) == "1 check: no\\x1b[2J\nnumbers\n    c"


def test_a_table_is_folded_into_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"library_{i}" for i in range(7)]
    found = [
        replace(_failed(f"c{i}", None), subject=f"Layer_{i % 3}", backend=name, kind="peer", deviation=float(i))
        for i, name in enumerate(names)
    ]
    monkeypatch.setenv("COLUMNS", "1000")
    whole = render_table(found, names)
    monkeypatch.setenv("COLUMNS", "60")
    folded = render_table(found, names)
    assert max(map(len, whole.splitlines())) > 80 and max(map(len, folded.splitlines())) <= 60
    assert set(folded.split()) == {*whole.split()} and whole.count("\n") == 3


def test_a_backend_that_cannot_be_hashed_compiles() -> None:
    found = collect_findings(Selection(("broken_backends:compiling",), pattern="^probe"), jobs=1)
    assert [finding.complaint for finding in found] == [None] * len(found) and found


def _failed(name: str, complaint: str | None) -> Finding:
    return Finding(name, "law", "Dense", name, "toy", "eager", "float32", "forward", (), 0.0, complaint, 0.1)


def test_equal_complaints_are_told_once() -> None:
    findings = [_failed(f"c{i}", f"shape ({i},) expected, got ({i}, 1)") for i in range(8)]
    raised = replace(_failed("d", "no complex numbers"), place="xp.py:3 in angle")
    text = list_complaints([*findings, raised, _failed("e", None)])
    assert text.splitlines() == [
        "8 checks: shape (0,) expected, got (0, 1)",
        "    c0, c1, c2, c3, c4, c5 and 2 more",
        "1 check: no complex numbers",
        "    d",
        "    xp.py:3 in angle",
    ]


def test_the_toy_is_short() -> None:
    """The tutorial says that the backend has fewer than 60 lines."""
    assert len((ROOT / "examples" / "toy_backend.py").read_text().splitlines()) < 60
