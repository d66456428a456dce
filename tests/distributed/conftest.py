"""What the processes here run is imported by its bare name, as it is where they start."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
