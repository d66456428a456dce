"""`luxport.optimizers`, spelled as in Julia."""

import sys

from luxport import optimizers

sys.modules[__name__] = optimizers
