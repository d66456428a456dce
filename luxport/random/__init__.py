"""Random numbers: a host generator for initial values, and keys for layers that draw as they run."""

from typing import TYPE_CHECKING

from luxport.lazy import explain_absent_names

from ._generators import Key as Key
from ._generators import Rng as Rng
from ._generators import fold_in as fold_in
from ._generators import key as key
from ._generators import normal as normal
from ._generators import read_key_words as read_key_words
from ._generators import rng as rng
from ._generators import split as split
from ._generators import uniform as uniform
from ._normal_quantile import standard_normal_cdf as standard_normal_cdf
from ._normal_quantile import standard_normal_quantile as standard_normal_quantile

if not TYPE_CHECKING:
    __getattr__ = explain_absent_names(__name__)
