"""Releases: which plugins start, in which order, and with which settings."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from rave_core.errors import ConfigurationError, nearest
from rave_core.settings.kinds import Setting
from rave_core.settings.sources import read_file

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

Given: TypeAlias = "Mapping[str, object] | str | os.PathLike[str] | None"


@dataclass(frozen=True, slots=True)
class App:
    """A plugin that a release starts.

    Attributes:
        name: that the plugin declares; by default, that of its entry point.
        version: that it must have, such as ``>=1.2,<2`` or ``1.2``; empty for any.
        config: settings, as in ``rave.toml``, stronger than those of files and weaker than environment variables.
        args: what the plugin gets as ``context.args`` when it starts.
        mult: whether it starts once more if the release has started it already.
        directory: where relative paths in ``config`` start.
    """

    name: str
    version: str = ""
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    args: Mapping[str, Any] = field(default_factory=dict, repr=False)
    mult: bool = False
    directory: str = ""

    def accepts(self, version: str) -> bool:
        """Whether the plugin may have this version."""
        return not self.version or _specifiers(self.version).contains(version, prereleases=True)


class Release(Setting[Given, "tuple[App, ...] | None"]):
    """What starts: the table ``[release]``, or the path of a file with this table; ``None`` for every plugin."""

    wanted = "a table with 'apps', or the path of a file with this table"

    def checked(self, value: object, directory: Path, origin: str) -> tuple[App, ...] | None:
        """As that of all settings; the message leaves out the settings inside, which may be secret."""
        try:
            return self.convert(value, directory)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{origin}: {self.name!r}: {error}") from error

    def convert(self, value: object, directory: Path, /) -> tuple[App, ...] | None:
        """The apps, in their order."""
        if value is None or (isinstance(value, tuple) and all(isinstance(each, App) for each in value)):
            return value
        if isinstance(value, (str, os.PathLike)):
            return _of_file(directory / Path(value).expanduser())
        if not isinstance(value, Mapping):
            raise self.refusal()
        return _apps(value, directory)


def config_of(apps: tuple[App, ...]) -> Iterator[tuple[App, Mapping[str, Any]]]:
    """The settings of each app that has some, in their order.

    Raises:
        ConfigurationError: two apps give one setting different values.
    """
    chosen: dict[str, tuple[str, object]] = {}
    for app in apps:
        for path, value in _leaves(app.config):
            other, before = chosen.setdefault(path, (app.name, value))
            if before != value:
                raise ConfigurationError(
                    f"'release': the apps {other!r} and {app.name!r} give {path!r} different values; keep one"
                )
        if app.config:
            yield app, app.config


def _of_file(path: Path) -> tuple[App, ...]:
    content = read_file(path)
    release = content.get("release")
    others = sorted(set(content) - {"release"})
    if others or not isinstance(release, Mapping):
        wrong = f"it has {others[0]!r} beside it" if others else "it has none"
        raise ValueError(f"{path}: expected the table [release] alone, and {wrong}")
    try:
        return _apps(release, path.parent)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _apps(release: Mapping[Any, object], directory: Path) -> tuple[App, ...]:
    for name in release:
        if name != "apps":
            raise ValueError(f"unknown key {name!r}; known: apps")
    apps = release.get("apps")
    if not isinstance(apps, list | tuple):
        raise ValueError("write the apps as a list of tables, [[release.apps]]")
    found: dict[str, App] = {}
    made = [_app(table, directory) for table in apps]
    for app in made:
        if found.setdefault(app.name, app) is not app and not app.mult:
            raise ValueError(f"app {app.name!r} is already started; set mult = true to start it once more")
    return tuple(made)


def _app(table: object, directory: Path) -> App:
    if not isinstance(table, Mapping):
        raise ValueError(f"an app is {table!r}: write a table with its 'name'")
    known = {each.name: each for each in fields(App) if each.name != "directory"}
    for key in table:
        if key not in known:
            raise ValueError(f"an app has the unknown key {key!r}; {nearest(str(key), known)}")
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ValueError(f"an app has the name {name!r}: write the name of a plugin")
    for key, kind, wanted in (
        ("version", str, "a text such as '>=1.2'"),
        ("config", Mapping, "a table of settings"),
        ("args", Mapping, "a table"),
        ("mult", bool, "true or false"),
    ):
        if key in table and not isinstance(table[key], kind):
            raise ValueError(f"{key!r} of app {name!r} is not right: write {wanted}")
    if "release" in table.get("config", {}):
        raise ValueError(f"'config' of app {name!r} has a release, which only settings can have")
    app = App(**{**copy.deepcopy(dict(table)), "directory": str(directory)})
    _ = app.version and _specifiers(app.version)
    return app


def _specifiers(version: str) -> SpecifierSet:
    """What a version must be: a bare one means itself.

    Raises:
        ValueError: it can't be read.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # only here: few programs have a release
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(f"=={Version(version)}")
    except InvalidVersion:
        pass
    try:
        return SpecifierSet(version)
    except InvalidSpecifier:
        raise ValueError(f"the version {version!r} can't be read: write one such as '1.2' or '>=1.2,<2'") from None


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    """The values in a table and in the tables inside it, by their dotted names."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
