"""Epochs: moments after which all versions are determined again, because code was run or loaded again."""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Protocol

from rave_core.versions.loaded_files import loaded_files


class Listener(Protocol):
    """A holder of versions."""

    def code_changed(self) -> None:
        """Forgets what depends on the code that was loaded so far."""


_listeners: weakref.WeakSet[Any] = weakref.WeakSet()
_shells: weakref.WeakSet[Any] = weakref.WeakSet()


def code_changed() -> None:
    """Begins an epoch: the next call of each operation determines its version again.

    RAVE calls it before each cell of a notebook, when a module is reloaded, and when the code of a namespace is
    reloaded. Call it yourself after changing code in another way, such as by ``exec`` into a module. Thread-safe.
    """
    for listener in list(_listeners):
        listener.code_changed()


def listen(listener: Listener) -> None:
    """Notifies ``listener`` of each epoch for as long as it lives, and watches for events that begin one."""
    _listeners.add(listener)
    if _reloads not in sys.meta_path:
        sys.meta_path.insert(0, _reloads)
    running = shell()
    if running is not None and running not in _shells:
        _shells.add(running)
        running.events.register("pre_run_cell", _before_cell)


def is_reloading() -> bool:
    """Whether a module is being reloaded now: code found during a reload may be half old and half new."""
    return bool(getattr(importlib, "_RELOADING", None))


def _before_cell(*_: object) -> None:
    code_changed()


def shell() -> Any:
    """The running IPython shell, which announces each cell before it runs; ``None`` if there is none."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


class _Reloads:
    """A module finder that finds nothing but notices reloads: only they pass the module to be found."""

    def find_spec(
        self, _name: str, _path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Nothing."""
        if target is not None:
            loaded_files.look_again()
            code_changed()
        return None


_reloads = _Reloads()
