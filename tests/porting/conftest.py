"""Put this folder on the path: pytest and the fuzzer import its shared modules by bare names."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
