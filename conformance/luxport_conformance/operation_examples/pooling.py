"""Examples of the operations in `luxport.ops._pooling`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_WINDOWS: tuple[dict[str, Any], ...] = (
    {"window": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)},
    {"window": (3, 2), "stride": (1, 2), "padding": ((1, 0), (0, 1)), "dilation": (1, 1)},
    {"window": (2, 3), "stride": (2, 1), "padding": ((1, 1), (0, 2)), "dilation": (2, 1)},
)

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "max_pool_nd": tuple(
        OverrideExample((draw(n, 2, 6, 7),), _WINDOWS[i]) for n, i in ((2, 0), (2, 1), (2, 2), (0, 1))
    ),
    "mean_pool_nd": tuple(
        OverrideExample((draw(2, 2, 6, 7),), {**options, "count_include_pad": counted}, Tolerance(reduction=6))
        for options in _WINDOWS
        for counted in (True, False)
    )
    + (OverrideExample((draw(0, 2, 6, 7),), {**_WINDOWS[1], "count_include_pad": False}),),
    "lp_pool_nd": (OverrideExample((draw(2, 2, 6, 7),), {**_WINDOWS[1], "p": 2}, Tolerance(reduction=6)),),
    "global_max_pool": (OverrideExample((draw(2, 3, 3, 4),)),),
    "global_mean_pool": (OverrideExample((draw(2, 3, 3, 4),)),),
    "global_lp_pool": (OverrideExample((draw(2, 3, 3, 4),)),),
    **{
        name: tuple(
            [
                OverrideExample((draw(2, 2, 5, 4),), {"output_size": (3, 2), "variable_windows": variable})
                for variable in (True, False)
            ]
        )
        for name in ("adaptive_lp_pool", "adaptive_max_pool", "adaptive_mean_pool")
    },
}
