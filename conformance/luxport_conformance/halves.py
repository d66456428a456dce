"""Check sums in half types, masks and empty batches: run ``python -m luxport_conformance.halves [backend ...]``."""

from __future__ import annotations

import sys
from functools import partial

from luxport.backend import get_backend
from luxport_conformance.backends import BACKENDS, find_abilities
from luxport_conformance.compare import Violation
from luxport_conformance.empty_batches import (
    LOSSES,
    PER_SAMPLE,
    check_layer_without_samples,
    check_loss_without_samples,
)
from luxport_conformance.half_layers import list_spreads
from luxport_conformance.half_sums import HALVES, measure_half_sums
from luxport_conformance.hidden_values import MASKED, check_hidden

__all__ = ["main"]


def main(names: list[str]) -> int:
    """Print every violation, and each backend's largest deviation in half units; return 1 if there is a violation."""
    failed = 0
    for name in names or BACKENDS:
        backend, found, violations = get_backend(name), [0.0], []
        for spread in list_spreads():
            for dtype in [dtype for dtype in HALVES if dtype in find_abilities(name).dtypes]:
                try:
                    found.append(measure_half_sums(spread, backend, dtype))
                except Violation as violation:
                    violations.append(violation)
        for masked in MASKED:
            try:
                check_hidden(masked, backend)
            except Violation as violation:
                violations.append(violation)
        empty = [partial(check_layer_without_samples, *named) for named in PER_SAMPLE]
        empty += [partial(check_loss_without_samples, loss) for loss in LOSSES]
        for check in empty:
            try:
                check(backend)
            except Violation as violation:
                violations.append(violation)
        for violation in violations:
            print(f"{name}: {violation}")
        failed += len(violations)
        print(f"{name}: {len(found) - 1} sums in half types, at most {max(found):.2f} half units off; ", end="")
        print(f"{len(MASKED)} masks; {len(empty)} empty batches; {len(violations)} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
