"""An alias of `luxport.optimizers` with the spelling that Julia uses."""

import sys

from luxport import optimizers

sys.modules[__name__] = optimizers
