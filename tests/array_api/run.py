"""Run the official suite, data-apis/array-api-tests, on every namespace: ``make array-api-tests``.

``python tests/array_api/run.py numpy tf`` runs only these two. The suite is cloned into build/ at a pinned commit;
where that is not possible, the environment variable ARRAY_API_TESTS names a checkout with its submodule.

Known failures and their reasons are in xfails/. Any other failure makes the command fail; a listed test that passes is
printed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build" / "array-api"
ADDRESS = "https://github.com/data-apis/array-api-tests"
COMMIT = "55fcc60179efa2680ddd6cd926ddf17b83530e2b"
STANDARD = "2025.12"
FLAGS = ["-p", "no:cacheprovider", "--max-examples", "20", "--disable-deadline", "--derandomize"]
REPORT = ["-p", "fixed_examples", "-q", "-rfEX", "--tb=short"]
# The path has the adapter of TensorFlow's namespace and the plugin; everything runs on the CPU.
ENVIRONMENT = {
    "ARRAY_API_TESTS_VERSION": STANDARD,
    "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "tf_namespace"), str(HERE)]),
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    "OMP_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
OUTCOMES = ("passed", "failed", "xfailed", "xpassed", "skipped", "error")


@dataclass(frozen=True)
class Run:
    """A namespace, the number of tests that pass on it, and environment variables for it."""

    module: str
    passed: int
    environment: dict[str, str] = field(default_factory=dict)


RUNS = {
    "numpy": Run("luxport_numpy.xp", 1352),
    # PyTorch has hardly any operation for these types; array-api-compat's own CI skips them as well.
    "torch": Run("luxport_torch.xp", 1310, {"ARRAY_API_TESTS_SKIP_DTYPES": "uint16,uint32,uint64"}),
    "jax": Run("jax.numpy", 1296, {"JAX_ENABLE_X64": "1"}),
    "tf": Run("suite_adapter", 1316, {"LUXPORT_TF_OPERATORS": "0"}),
    "tf-operators": Run("suite_adapter", 1376, {"LUXPORT_TF_OPERATORS": "1"}),
}


def main() -> None:
    """Run the suite on the given namespaces, and print a line for each."""
    parser = argparse.ArgumentParser(description="The official Array API suite on every namespace.")
    parser.add_argument("runs", nargs="*", metavar="run", help=f"{', '.join(RUNS)}; all if none")
    parser.add_argument("--jobs", type=int, default=1, help="how many run side by side")
    options = parser.parse_args()
    if unknown := set(options.runs) - set(RUNS):
        parser.error(f"no run called {', '.join(sorted(unknown))}; there are {', '.join(RUNS)}")
    folder = find_suite()
    with ThreadPoolExecutor(options.jobs) as pool:
        as_expected = list(pool.map(lambda name: run_namespace(name, folder), options.runs or RUNS))
    sys.exit(not all(as_expected))


def find_suite() -> Path:
    """Return the suite's folder: the one of ARRAY_API_TESTS, or a clone at the pinned commit."""
    if given := os.environ.get("ARRAY_API_TESTS"):
        folder = Path(given).resolve()
        if not is_complete(folder):
            sys.exit(f"ARRAY_API_TESTS={given} is no checkout of {ADDRESS} with its submodule array-api")
        return folder
    folder = BUILD / "suite"
    steps = [
        ["git", "init", "--quiet", str(folder)],
        ["git", "-C", str(folder), "fetch", "--quiet", "--depth", "1", ADDRESS, COMMIT],
        ["git", "-C", str(folder), "checkout", "--quiet", "FETCH_HEAD"],
        ["git", "-C", str(folder), "submodule", "--quiet", "update", "--init", "--depth", "1"],
    ]
    if not is_complete(folder):
        for step in steps:
            if subprocess.run(step, capture_output=True).returncode:
                sys.exit(f"Cannot get {ADDRESS} at {COMMIT}: set ARRAY_API_TESTS to a checkout with its submodule")
    return folder


def is_complete(folder: Path) -> bool:
    """Return whether the suite and the standard that it reads are present."""
    return (folder / "array_api_tests").is_dir() and (folder / "array-api" / "spec" / STANDARD).is_dir()


def run_namespace(name: str, folder: Path) -> bool:
    """Run the suite on one namespace; return whether nothing failed unexpectedly."""
    run = RUNS[name]
    xfails = HERE / "xfails" / f"{name}.txt"
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "array_api_tests", *FLAGS, *REPORT, f"--xfails-file={xfails}"],
        cwd=folder,
        env=os.environ | ENVIRONMENT | run.environment | {"ARRAY_API_TESTS_MODULE": run.module},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    BUILD.mkdir(parents=True, exist_ok=True)
    log = BUILD / f"{name}.log"
    log.write_text(finished.stdout)
    lines = finished.stdout.splitlines()
    count = count_outcomes(lines[-1] if lines else "")
    known = sum(1 for line in xfails.read_text().splitlines() if line and not line.startswith("#"))
    # Any code but 0 (all as expected) and 1 (some failed) means that the suite did not run.
    good = finished.returncode == 0 and count["passed"] + count["xpassed"] >= run.passed
    told = [f"{count[what]} {what}" for what in OUTCOMES]
    verdict = "as expected" if good and not count["xpassed"] else "NOT as expected"
    print(f"{name}: {', '.join(told)}; {verdict} ({run.passed} passed, {known} xfailed), {log}", flush=True)
    for line in find_unexpected(lines):
        print(f"    {line}", flush=True)
    return good


def count_outcomes(summary: str) -> dict[str, int]:
    """Read the counts in pytest's last line."""
    return {what: sum(map(int, re.findall(rf"(\d+) {what}", summary))) for what in OUTCOMES}


def find_unexpected(lines: Iterable[str]) -> list[str]:
    """Return the lines of unlisted tests that failed, listed ones that passed, and listed ones that do not exist."""
    return [line for line in lines if re.match(r"FAILED|ERROR|XPASS|.*ids in xfails file don't match", line)]


if __name__ == "__main__":
    main()
