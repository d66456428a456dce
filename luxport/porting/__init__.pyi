__all__: list[str]

from . import julia as julia
from . import petab as petab
from .errors import FileFormatError as FileFormatError
from .files.reading import SavedFile as SavedFile
from .files.reading import read as read
from .flux.state_file import save_flux_state as save_flux_state
from .loading import load as load
from .loading import load_model as load_model
from .parameters import load_parameters as load_parameters
