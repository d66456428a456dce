"""The findings as plain data for JSON, with the versions of the packages."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from luxport_conformance.compare import EPSILON
from luxport_conformance.results import find_version
from luxport_conformance.worker_processes import Finding

__all__ = ["count_outcomes", "make_data"]

PACKAGES = (
    *("luxport-nn", "numpy", "array-api-compat", "array-api-strict", "jax", "jaxlib", "torch"),
    *("tensorflow", "tensorflow-cpu", "keras", "optree", "flax", "equinox", "dm-haiku", "optax", "mlx", "onnxruntime"),
)


def make_data(findings: Sequence[Finding], columns: Sequence[str]) -> dict[str, Any]:
    """Return the findings as a tree of values that JSON can represent.

    Deviations are given in units of the dtype's eps times the largest entry (`ulps`) and relative to the largest
    entry (`relative`). Both are null if a check failed, or if a peer has no counterpart or no finite deviation.
    """
    return {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "versions": {name: found for name in PACKAGES if (found := find_version(name))},
        "backends": list(columns),
        "outcomes": count_outcomes(findings),
        "seconds": round(sum(finding.seconds for finding in findings), 1),
        "checks": [_check(finding) for finding in findings],
    }


def count_outcomes(findings: Sequence[Finding]) -> dict[str, int]:
    """Return the number of checks with each outcome; "passed" and "failed" are always included."""
    return {"passed": 0, "failed": 0} | Counter(map(_name_outcome, findings))


def _check(finding: Finding) -> dict[str, Any]:
    passed = _name_outcome(finding) == "passed"
    relative = finding.deviation * EPSILON.get(finding.dtype, 0.0)
    return {
        **asdict(finding),
        "outcome": _name_outcome(finding),
        "source": [{"text": source, "link": _make_link(source)} for source in finding.source],
        "seconds": round(finding.seconds, 4),
        "deviation": None,
        "ulps": round(finding.deviation, 3) if passed else None,
        "relative": float(f"{relative:.3g}") if passed else None,
    }


def _name_outcome(finding: Finding) -> str:
    """Return the outcome of a check; "differs" and "no counterpart" are those of peers, and no failures."""
    if finding.complaint is not None:
        return "failed"
    if math.isnan(finding.deviation):
        return "no counterpart"
    return "passed" if math.isfinite(finding.deviation) else "differs"


_HOMES = {
    "flux": "https://github.com/FluxML/Flux.jl/blob/master/test/",
    "nnlib": "https://github.com/FluxML/NNlib.jl/blob/master/test/",
    "optimizers": "https://github.com/FluxML/Optimisers.jl/blob/master/test/",
}


def _make_link(source: str) -> str | None:
    """Return the URL of an upstream assertion such as ``flux:layers/conv.jl:139``; None for other sources."""
    suite, _, rest = source.partition(":")
    file, _, line = rest.rpartition(":")
    return f"{_HOMES[suite]}{file}#L{line}" if suite in _HOMES and line.isdigit() else None
