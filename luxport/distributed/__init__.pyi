__all__: list[str]

from ._collectives import allreduce as allreduce
from ._collectives import barrier as barrier
from ._collectives import bcast as bcast
from ._collectives import reduce as reduce
from ._collectives import synchronize as synchronize
from ._data import DistributedDataContainer as DistributedDataContainer
from ._data_parallel import data_parallel as data_parallel
from ._errors import DistributedError as DistributedError
from ._optimizer import DistributedOptimizer as DistributedOptimizer
from ._session import initialize as initialize
from ._session import initialized as initialized
from ._session import local_rank as local_rank
from ._session import rank as rank
from ._session import shutdown as shutdown
from ._session import total_workers as total_workers
