"""Writing the report: `report.json` with everything, and `report.html`, which loads what a cell tells when chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from luxport.porting.files.atomic_files import open_atomic
from luxport_conformance.peers.difference_kinds import KINDS
from luxport_conformance.report.data import make_data
from luxport_conformance.report.families import find_family
from luxport_conformance.worker_processes import Finding

__all__ = ["check_folder", "write"]

HERE = Path(__file__).parent
COLUMNS = ("subject", "backend", "kind", "mode", "dtype", "of", "outcome", "differences")
"""What of a check the page knows at once, beside its deviation: each an index into a list of the values there are."""
DETAILS = ("id", "seconds", "complaint", "traceback", "remark", "expected", "got", "inputs", "source")


def check_folder(folder: Path) -> None:
    """Make the folder if it is not there: what is against it should be known before the checks run.

    Raises: OSError, in one line
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"no folder for the report at {folder}: {error.strerror}") from None


def write(findings: Sequence[Finding], columns: Sequence[str], folder: Path) -> list[Path]:
    """Write the report into a folder, which is made if it is not there, and return the paths of both files."""
    data = make_data(findings, columns)
    page = (HERE / "page.html").read_text(encoding="utf-8")
    paths = [folder / "report.json", folder / "report.html"]
    (folder / "details").mkdir(parents=True, exist_ok=True)
    contents = {
        paths[0]: json.dumps(data, allow_nan=False),
        paths[1]: page.replace("/*DATA*/null", _embed(_make_rows(data))),
    }
    for name, details in _make_details(data["checks"]).items():
        contents[folder / "details" / name] = f"take({json.dumps(name)}, {_embed(details)})"
    for path, content in contents.items():
        with open_atomic(path) as file:
            file.write(content.encode())
    return paths


def _embed(values: Any) -> str:
    # "</" would end the script that holds the data.
    return json.dumps(values, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")


def _make_rows(data: dict[str, Any]) -> dict[str, Any]:
    """Return what the table needs: a row of numbers for each check, in the order of the details' keys."""
    checks = [{**check, "differences": tuple(check["differences"])} for check in data["checks"]]
    values = {name: sorted({check[name] for check in checks}) for name in COLUMNS}
    places = {name: {value: i for i, value in enumerate(known)} for name, known in values.items()}
    rows = [[*[places[name][check[name]] for name in COLUMNS], check["ulps"]] for check in checks]
    told = {kind: KINDS[kind] for kind in KINDS if any(kind in one for one in values["differences"])}
    families = [find_family(subject) for subject in values["subject"]]
    return {**data, "names": COLUMNS, "values": values, "families": families, "kinds": told, "checks": rows}


def _make_details(checks: Sequence[dict[str, Any]]) -> dict[str, dict[int, Any]]:
    """Return what there is to tell of each check, in a file for each column and family."""
    files: dict[str, dict[int, Any]] = {}
    for position, check in enumerate(checks):
        name = f"{check['backend']}-{find_family(check['subject'])}.js".replace(" ", "_")
        files.setdefault(name, {})[position] = [check[part] for part in DETAILS]
    return files
