"""The sources of settings: the user's file, the project's file, and their contents."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rave_core.errors import ConfigurationError

_OWN = "rave.toml"
_SHARED = "pyproject.toml"


def working_directory() -> Path:
    """The working directory; if it was removed meanwhile, the path that it had.

    Raises:
        ConfigurationError: it was removed, and the system does not say where it was.
    """
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        try:
            return Path(os.readlink("/proc/self/cwd").removesuffix(" (deleted)"))
        except OSError:
            raise ConfigurationError("the working directory was removed; change to one that exists") from error


def user_directory(kind: str, environ: Mapping[str, str]) -> Path:
    """The user's directory for RAVE, of ``kind`` ``"cache"``, ``"config"`` or ``"data"``; it need not exist.

    Without a home, it is below the root directory, as in containers.
    """
    chosen = environ.get(f"XDG_{kind.upper()}_HOME", "")
    if Path(chosen).is_absolute():
        return Path(chosen) / "rave"
    import platformdirs  # only here, because most runs of a test or a service never need it

    ask = {
        "cache": platformdirs.user_cache_path,
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
    }[kind]
    try:
        return ask("rave", appauthor=False)
    except RuntimeError:
        return Path(f"/.{kind}/rave")


def has_home(environ: Mapping[str, str]) -> bool:
    """Whether the user has a directory for caches: a container may run as a user without an account or home."""
    return user_directory("cache", environ) != Path("/.cache/rave")


def files_in_force(environ: Mapping[str, str], directory: Path) -> list[Path]:
    """The files that may apply in ``directory``, the strongest last: the user's, then the project's.

    Raises:
        ConfigurationError: ``RAVE_CONFIG`` names no file.
    """
    user = user_directory("config", environ) / _OWN
    project = named_file(environ, directory) or _nearest_file(directory)
    return [path for path in (user if _is_file(user) else None, project) if path]


def read_file(path: Path) -> dict[str, Any]:
    """The settings of a file: all of it, or the table ``tool.rave`` of a ``pyproject.toml``.

    Raises:
        ConfigurationError: the file can't be read, or is not TOML; the message has the line.
    """
    import tomllib  # only here, since many programs have no settings file

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: is not valid TOML: {error}") from error
    if path.name != _SHARED:
        return content
    tool = content.get("tool", {})
    table = tool.get("rave", {}) if isinstance(tool, dict) else {}
    if isinstance(table, dict):
        return table
    raise ConfigurationError(f"{path}: 'tool.rave' is {table!r}: write a table, [tool.rave]")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # an unreadable directory holds no file of ours
        return False


def named_file(environ: Mapping[str, str], directory: Path) -> Path | None:
    """The file that ``RAVE_CONFIG`` names.

    Raises:
        ConfigurationError: it names none.
    """
    name = environ.get("RAVE_CONFIG", "")
    if not name:
        return None
    path = directory / Path(name).expanduser()
    if _is_file(path):
        return path
    raise ConfigurationError(f"environment RAVE_CONFIG: no file {str(path)!r}: name one, or unset it")


def _nearest_file(directory: Path) -> Path | None:
    for place in (directory, *directory.parents):
        for path in (place / _OWN, place / _SHARED):
            if _is_file(path) and (path.name == _OWN or _speaks_of_rave(path)):
                return path
    return None


def _speaks_of_rave(path: Path) -> bool:
    """Whether it may hold RAVE's table; any other file need not even be valid."""
    try:
        mentions = re.search(rb"\brave\b", path.read_bytes())
    except OSError:
        return False
    return bool(mentions) and bool(read_file(path))
