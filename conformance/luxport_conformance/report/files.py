"""Writing the report: `report.json`, and `report.html` with the same data inside."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from luxport.porting.files.replacing import replacing
from luxport_conformance.report.data import as_data
from luxport_conformance.schedule import Finding

__all__ = ["check_folder", "write"]

HERE = Path(__file__).parent


def check_folder(folder: Path) -> None:
    """Make the folder if it is not there: what is against it should be known before the checks run.

    Raises: OSError, in one line
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"no folder for the report at {folder}: {error.strerror}") from None


def write(findings: Sequence[Finding], columns: Sequence[str], folder: Path) -> list[Path]:
    """Write both files into a folder, which is made if it is not there, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_data(findings, columns), allow_nan=False)
    page = (HERE / "page.html").read_text(encoding="utf-8")
    # "</" would end the script that holds the data.
    page = page.replace("/*DATA*/null", text.replace("</", "<\\/"))
    paths = [folder / "report.json", folder / "report.html"]
    for path, content in zip(paths, (text, page), strict=True):
        with replacing(path) as file:
            file.write(content.encode())
    return paths
