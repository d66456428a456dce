"""Put this folder on the path: the processes start here and import their modules by bare names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
