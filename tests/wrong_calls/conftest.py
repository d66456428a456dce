"""Put this folder on the path, so that tests import the scripts here by their bare names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
