__all__: list[str]

from ..porting.files.checkpoints import restore as restore
from ..porting.files.checkpoints import save_checkpoint as save_checkpoint
from ._batching import batch as batch
from ._batching import unbatch as unbatch
from ._data_loader import DataLoader as DataLoader
from ._loss_scaling import DynamicLossScale as DynamicLossScale
from ._loss_scaling import all_finite as all_finite
from ._loss_scaling import select as select
from ._metrics import accuracy as accuracy
from ._moving_average import MovingAverage as MovingAverage
from ._one_hot import onecold as onecold
from ._one_hot import onehot as onehot
from ._one_hot import onehotbatch as onehotbatch
from ._state import StateTakenError as StateTakenError
from ._state import TrainState as TrainState
from ._step import NonFiniteError as NonFiniteError
from ._step import apply_gradients as apply_gradients
from ._step import compute_gradients as compute_gradients
from ._step import train_step as train_step
from ._stopping import early_stopping as early_stopping
from ._stopping import patience as patience
from ._stopping import plateau as plateau
from ._stopping import throttle as throttle
