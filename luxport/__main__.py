"""``python -m luxport`` is the command ``luxport``."""

import sys

from luxport.cli import main

if __name__ == "__main__":
    sys.exit(main())
