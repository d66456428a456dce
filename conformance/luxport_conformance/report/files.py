"""Writing the report: `report.json` has all data; `report.html` loads the details of a cell when it is chosen."""

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
"""The fields of a check that the page contains, beside its deviation, each as an index into the list of its values."""
DETAILS = ("id", "seconds", "complaint", "traceback", "remark", "expected", "got", "inputs", "source")


def check_folder(folder: Path) -> None:
    """Create the folder of the report if it does not exist, before the checks run, so that an error comes early.

    Raises: OSError, with a message of one line, if it cannot be created
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"no folder for the report at {folder}: {error.strerror}") from None


def write(findings: Sequence[Finding], columns: Sequence[str], folder: Path) -> list[Path]:
    """Write the report into a folder, which is created if needed, and return the paths of the JSON and HTML files."""
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
    # "</" could end the script element that contains the data.
    return json.dumps(values, allow_nan=False, separators=(",", ":")).replace("</", "<\\/")


def _make_rows(data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of the page's table, with a row of numbers for each check; the row's index is its key."""
    checks = [{**check, "differences": tuple(check["differences"])} for check in data["checks"]]
    values = {name: sorted({check[name] for check in checks}) for name in COLUMNS}
    places = {name: {value: i for i, value in enumerate(known)} for name, known in values.items()}
    rows = [[*[places[name][check[name]] for name in COLUMNS], check["ulps"]] for check in checks]
    told = {kind: KINDS[kind] for kind in KINDS if any(kind in one for one in values["differences"])}
    families = [find_family(subject) for subject in values["subject"]]
    return {**data, "names": COLUMNS, "values": values, "families": families, "kinds": told, "checks": rows}


def _make_details(checks: Sequence[dict[str, Any]]) -> dict[str, dict[int, Any]]:
    """Return the details of the checks by file name, a file for each column and family, and by the check's index."""
    files: dict[str, dict[int, Any]] = {}
    for position, check in enumerate(checks):
        name = f"{check['backend']}-{find_family(check['subject'])}.js".replace(" ", "_")
        files.setdefault(name, {})[position] = [check[part] for part in DETAILS]
    return files
