"""Importing a user's backend or peer by a name of the form ``module:object``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["ImportingError", "find_object"]


class ImportingError(Exception):
    """The user's module raised an error. That error is the cause of this one, to be shown with its traceback."""


def find_object(what: str, name: str) -> Any:
    """Import the module that `name` gives as ``module:object`` and return the object in it.

    Raises: ValueError if there is no such module or object; ImportingError if the module raises an error
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ImportingError(f"{module} cannot be imported: {error}") from error
        raise ValueError(f"no {what} at {name!r}: {error}") from None
    except Exception as error:
        raise ImportingError(f"{module} cannot be imported: it raises {type(error).__name__}") from error
    for part in filter(None, attribute.split(".")):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            if error.obj is not found:
                raise ImportingError(f"{part} of {module} raises AttributeError") from error
            raise ValueError(f"no {what} at {name!r}: {error}") from None
        except Exception as error:
            raise ImportingError(f"{part} of {module} raises {type(error).__name__}") from error
    return found
