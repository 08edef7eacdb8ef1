"""Loading code anew, beside the code that runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")
_added: list[str] = []
"""The directories that were put on the path of imports."""


def load_anew(directories: Iterable[Path], load: Callable[[], T]) -> T:
    """What ``load`` gives, while modules in these directories are imported afresh, as their files are now.

    If it raises an exception, the modules from before are back. Instances of classes from before go on as they are.
    The directories come last on the path of imports, so a file in them hides no installed module.
    """
    folders = [str(directory) for directory in directories]
    _go_last(folders)
    before = _modules_in(_added)
    for name in before:
        del sys.modules[name]
    importlib.invalidate_caches()
    # A cached bytecode is known by seconds and size, so one that we wrote might hide the next edit.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        return load()
    except BaseException:
        for name in _modules_in(_added):
            del sys.modules[name]
        sys.modules.update(before)
        raise
    finally:
        sys.dont_write_bytecode = writes


def _go_last(folders: list[str]) -> None:
    """Puts directories behind those of installed modules, and before those of other loads."""
    others = [folder for folder in _added if folder not in folders]
    base = [folder for folder in sys.path if folder not in _added]
    _added[:] = [*(folder for folder in folders if folder not in base), *others]
    sys.path[:] = [*base, *_added]


def _modules_in(folders: list[str]) -> dict[str, ModuleType]:
    files = ((name, getattr(module, "__file__", None), module) for name, module in sys.modules.copy().items())
    return {
        name: module
        for name, file, module in files
        if file and name != "__main__" and any(_is_below(file, folder) for folder in folders)
    }


def _is_below(file: str, folder: str) -> bool:
    return file.startswith(f"{folder.rstrip('/')}/") and "site-packages" not in file[len(folder) :]
