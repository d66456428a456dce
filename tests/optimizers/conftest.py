"""The formulas that tests of optimizers share are imported by their bare name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
