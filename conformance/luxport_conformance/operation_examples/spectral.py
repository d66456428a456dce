"""Examples of the operations in `luxport.ops._spectral` and `luxport.ops._spectrogram`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from luxport_conformance.compare import Tolerance
from luxport_conformance.operation_examples.example import OverrideExample, draw

_SUM = Tolerance(reduction=64)
_WINDOW = np.hanning(8) + 0.1
_SPECTRUM = np.fft.rfft(draw(5, 8))

OPERATIONS: Mapping[str, tuple[OverrideExample, ...]] = {
    "stft": (OverrideExample((draw(2, 20), _WINDOW), {"n_fft": 8, "hop_length": 3}, _SUM),),
    "istft": (OverrideExample((_SPECTRUM, _WINDOW), {"n_fft": 8, "hop_length": 3}, _SUM),),
    "spectrogram": (OverrideExample((draw(20), _WINDOW), {"n_fft": 8}, _SUM),),
    "power_to_db": (OverrideExample((np.abs(draw(4, 3)) + 0.1,)),),
    "db_to_power": (OverrideExample((draw(4, 3),)),),
}
