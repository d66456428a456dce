"""The modules that the tests of the readers share are imported by their bare names, from pytest as from the fuzzer."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
