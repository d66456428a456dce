"""Sums in half types, masks, empty batches on all backends: ``python -m luxport_conformance.halves [name ...]``."""

from __future__ import annotations

import sys
from functools import partial

from luxport.backend import get_backend
from luxport_conformance.backends import BACKENDS, abilities
from luxport_conformance.compare import Violation
from luxport_conformance.empty_batches import LOSSES, PER_SAMPLE, layer_of_no_samples, loss_of_no_samples
from luxport_conformance.half_layers import every_spread
from luxport_conformance.half_sums import HALVES, half_sums
from luxport_conformance.masked import MASKED, hidden_may_be_anything

__all__ = ["main"]


def main(names: list[str]) -> int:
    """Print every violation, and how far off in half units each backend is; return 1 if there was a violation."""
    failed = 0
    for name in names or BACKENDS:
        backend, found, violations = get_backend(name), [0.0], []
        for spread in every_spread():
            for dtype in [dtype for dtype in HALVES if dtype in abilities(name).dtypes]:
                try:
                    found.append(half_sums(spread, backend, dtype))
                except Violation as violation:
                    violations.append(violation)
        for masked in MASKED:
            try:
                hidden_may_be_anything(masked, backend)
            except Violation as violation:
                violations.append(violation)
        empty = [partial(layer_of_no_samples, *named) for named in PER_SAMPLE]
        empty += [partial(loss_of_no_samples, loss) for loss in LOSSES]
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
