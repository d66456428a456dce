"""`when_imported`: run a function as soon as somebody imports a given module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["when_imported"]


def when_imported(name: str, act: Callable[[], None]) -> None:
    """Call `act` now if the module is already imported, else right after its import, if that ever happens.

    >>> when_imported("sys", lambda: print("here"))
    here
    """
    module = sys.modules.get(name)
    if module is not None and not getattr(module.__spec__, "_initializing", False):
        act()
        return
    _waiting.setdefault(name, []).append(act)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class _Finder:
    """An import finder that finds awaited modules by the other finders and wraps their loaders in `_ActingLoader`."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _ActingLoader(spec.loader)  # type: ignore[assignment]
                return spec
        return None


class _ActingLoader:
    """A loader that runs the waiting functions after the import.

    It puts the original loader back before the module runs, as some modules look at their own loader.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        for act in _waiting.pop(module.__name__, ()):
            act()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


_waiting: dict[str, list[Callable[[], None]]] = {}
_finder = _Finder()
