"""Make ``python -m luxport_conformance`` run the command ``luxport conformance``."""

import sys

from luxport_conformance.command import main

if __name__ == "__main__":
    sys.exit(main())
