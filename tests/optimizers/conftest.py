"""Put this folder on the path, so that tests import `formulas` by its bare name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
