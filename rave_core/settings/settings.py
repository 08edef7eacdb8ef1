"""The settings: one frozen object, and the origin of each value.

Sources, each stronger than the one before:

1. the defaults,
2. ``rave.toml`` in the user's configuration directory,
3. the project's file: the nearest ``rave.toml``, or ``pyproject.toml`` with a table ``[tool.rave]``, in the
   working directory or above it; ``RAVE_CONFIG`` names a file instead of this search,
4. the ``config`` of the apps of a release,
5. environment variables, ``RAVE_`` and the setting's name in capitals; an empty one counts as unset,
6. what a command or a program gives.

A URL names a store. For a directory, write ``file:///var/cache/rave``, ``file://~/x`` below the home directory, or
``file://./x`` below the directory of the settings file (below the working directory if no file sets it).
"""

# ruff: noqa: RUF009  # a Setting is a descriptor, made to be shared as the default of its field
from __future__ import annotations

import difflib
import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from rave_core.errors import ConfigurationError, RaveWarning, nearest
from rave_core.settings import sources
from rave_core.settings.kinds import (
    Choice,
    Duration,
    Flag,
    Levels,
    OptionalDuration,
    Setting,
    Table,
    Tables,
    Word,
    Words,
)
from rave_core.settings.places import Directories, DocumentsURL, File, Files, URLs, default_store, sqlite_url
from rave_core.settings.releases import App, Release, config_of
from rave_core.settings.trust import doubt
from rave_core.text.secrets import HIDDEN, without_secrets

_log = logging.getLogger("rave")
_PREFIX = "RAVE_"
_OTHER_VARIABLES = ("CONFIG",)
_SECRET = re.compile(r"secret|password|passwd|token|credential|access_?key|api_?key|signature", re.IGNORECASE)
_SECRET_NAME = re.compile(
    rf"{_SECRET.pattern}|passphrase|(private|signing|encryption)[-_. ]?key"
    r"|(?<![a-z])(pass|pwd|pin|auth|authorization|bearer|sig|session|cookie|dsn|key)(?![a-z])",
    re.IGNORECASE,
)
_PLACE_NAME = re.compile(r"[-_](file|files|path|dir|directory)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    rf"\b((?:Bearer|Basic)\s+|[\w-]*(?:{_SECRET.pattern}|\bpwd\b)[\w-]*\s*[=:]\s*)[^\s;&,]+", re.IGNORECASE
)
_NO_HOME = (
    "there is no home directory, so results are stored in memory only, and files nowhere; "
    "set HOME or XDG_CACHE_HOME, or RAVE_CACHE and RAVE_PRODUCTS"
)


def default_cache(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The caches of values: this process's memory over the user's cache directory, if there is one."""
    if sources.has_home(environ):
        return ("memory://", default_store(sources.user_directory("cache", environ) / "data"))
    return ("memory://",)


def default_products(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The store of files: in the user's cache directory."""
    return (default_store(sources.user_directory("cache", environ) / "products"),)


def default_documents(environ: Mapping[str, str] = os.environ) -> str:
    """The document store: a file in the user's data directory."""
    return sqlite_url(sources.user_directory("data", environ) / "documents.sqlite")


@dataclass(frozen=True, kw_only=True, repr=False)
class Settings:
    """How RAVE behaves. Every value is checked and converted; safe to share between threads and to pickle.

    Attributes:
        origins: From the name of each setting to words: ``default``, ``rave.toml:/path``,
            ``environment RAVE_CACHE`` or ``given``.
        ignored_variables: Names of ``RAVE_…`` variables that are not settings and not similar to one.
        left_out: Settings files that others could have written, each with the reason and the way to trust it.
        cache: URLs of the stores of values, the nearest first.
        products: URLs of the stores of files, the nearest first.
        documents: URL of the document store.
        data_expire_after: Seconds that a value without a strategy of its own stays valid; ``None`` forever.
        products_expire_after: The same for files.
        data_purge_every: Seconds between removals of expired values.
        products_purge_every: The same for files.
        products_grace: Seconds that a file's path stays readable after its entry is gone.
        lease_time: Seconds after which the computation of a silent process is taken over.
        lease_heartbeat: Seconds between signs of life, at most half of ``lease_time``; ``None`` for a third of it.
        lease_from: Seconds; bodies that take less as a mean run without a lease, so perhaps twice among processes.
        version: Name of the version strategy of operations that do not name one.
        version_packages: What counts for a package that the code reaches: its ``release``, or only its ``name``.
        version_python: Whether a version depends on Python's, major and minor.
        version_project: Names of installed packages whose code is followed like that of the project itself.
        signing_key_file: File with the key that seals entries in a shared store.
        old_signing_key_files: Files with keys that are still accepted for reading.
        data_only: Whether codecs that can run code, such as pickle, are refused.
        record_arguments: Whether entries hold their arguments in a readable form.
        slow: The seconds from which on a run of a body is listed in the statistics as slow.
        strict: Whether a failed write to a store raises, instead of warning.
        load_error_fatal: Whether a plugin that fails to load stops everything.
        events: Where events go beyond this process: ``local:`` for the workers of a service, or the URL of a bus.
        release: The plugins that start, in their order; ``None`` for all. `Settings.load` applies their ``config``.
        log: The level of each logger in a service, by its name.
        plugins: Free-form tables for plugins, by name: ``[plugins.NAME]``.
        disabled_plugins: Names of plugins that are not loaded.
        namespaces: Directories that are namespaces, by name.
        service: The table ``[service]`` of the HTTP service, which checks it when it starts.

    Raises:
        ConfigurationError: A value is wrong; the message says what would be right.
    """

    origins: Mapping[str, str] = field(init=False, compare=False, default_factory=dict)
    ignored_variables: tuple[str, ...] = field(init=False, compare=False, default=())
    left_out: tuple[str, ...] = field(init=False, compare=False, default=())
    cache: URLs = URLs(default_cache)
    products: URLs = URLs(default_products)
    documents: DocumentsURL = DocumentsURL(default_documents)
    data_expire_after: OptionalDuration = OptionalDuration(None)
    products_expire_after: OptionalDuration = OptionalDuration(None)
    data_purge_every: Duration = Duration(7200.0)
    products_purge_every: Duration = Duration(7200.0)
    products_grace: Duration = Duration(3600.0, zero=True)
    lease_time: Duration = Duration(15.0)
    lease_heartbeat: OptionalDuration = OptionalDuration(None)
    lease_from: Duration = Duration(0.0, zero=True)
    version: Word = Word("source")
    version_packages: Choice = Choice("release", "release", "name")
    version_python: Flag = Flag(False)
    version_project: Words = Words(())
    signing_key_file: File = File(None)
    old_signing_key_files: Files = Files(())
    data_only: Flag = Flag(False)
    record_arguments: Flag = Flag(True)
    slow: Duration = Duration(10.0)
    strict: Flag = Flag(False)
    load_error_fatal: Flag = Flag(False)
    events: Word = Word("local:")
    release: Release = Release(None)
    log: Levels = Levels(dict)
    plugins: Tables = Tables(dict)
    disabled_plugins: Words = Words(())
    namespaces: Directories = Directories(dict)
    service: Table = Table(dict)

    def __post_init__(self) -> None:
        _check_lease(self.lease_time, self.lease_heartbeat, self.origins)

    @property
    def heartbeat(self) -> float:
        """Seconds between signs of life of a computation."""
        return self.lease_time / 3 if self.lease_heartbeat is None else self.lease_heartbeat

    @classmethod
    def load(
        cls,
        *,
        environ: Mapping[str, str] = os.environ,
        cwd: str | os.PathLike[str] | None = None,
        overrides: Mapping[str, object] | None = None,
    ) -> Self:
        """The settings in force, from all sources.

        Args:
            environ: The environment variables.
            cwd: Where the search for the project's file begins; the working directory if ``None``.
            overrides: Values by name that are stronger than all others.

        Raises:
            ConfigurationError: A file, a variable or a value is wrong; the message names source and
                setting, and says what would be right.
        """
        directory = Path(cwd or sources.working_directory()).absolute()
        values: dict[str, Any] = {}
        origins: dict[str, str] = {}
        for source in _with_release([*_sources(environ, directory, overrides or {})]):
            _overlay(values, origins, source)
        _check_lease(values["lease_time"], values["lease_heartbeat"], origins)
        if origins["cache"] == "default" and not sources.has_home(environ):
            warnings.warn(_NO_HOME, RaveWarning, stacklevel=2)
        settings = cls(**values)
        object.__setattr__(settings, "origins", origins)
        object.__setattr__(settings, "ignored_variables", _ignored_variables(environ))
        object.__setattr__(settings, "left_out", _left_out(environ, directory))
        for reason in settings.left_out:
            _log.warning("%s", reason)
            warnings.warn(reason, RaveWarning, stacklevel=2)
        return settings

    def explain(self) -> list[tuple[str, object, str]]:
        """Name, value and origin of every setting, in order; passwords and the like are hidden."""
        return [(name, shown(getattr(self, name)), self.origins[name]) for name in known_settings()]

    def __repr__(self) -> str:
        changed = (f"{name}={value!r}" for name, value, origin in self.explain() if origin != "default")
        return f"Settings({', '.join(changed)})"


class _Source(NamedTuple):
    """Values of one origin; ``directory`` is where its relative paths start; a strong one is above a release."""

    origin: str
    directory: Path
    values: Mapping[str, Any]
    is_strong: bool = False


def known_settings() -> dict[str, Setting[Any, Any]]:
    """Every setting by name, in the order of the reference."""
    return {name: value for name, value in vars(Settings).items() if isinstance(value, Setting)}


def variable_of(name: str) -> str:
    """The environment variable that sets the setting ``name``."""
    return _PREFIX + name.upper()


def _sources(environ: Mapping[str, str], directory: Path, overrides: Mapping[str, object]) -> Iterator[_Source]:
    yield _Source("default", directory, _defaults(environ))
    for path in _believed(environ, directory):
        yield _Source(f"{path.name}:{path}", path.parent, sources.read_file(path))
    for name, setting in known_settings().items():
        text = environ.get(variable_of(name), "")
        if text.strip():
            yield _Source(f"environment {variable_of(name)}", directory, {name: _read(setting, text)}, True)
    yield _Source("given", directory, overrides, True)


def _with_release(given: list[_Source]) -> Iterator[_Source]:
    """The sources, with those of the release that the strongest of them names: above files, below the environment."""
    named = [source for source in given if source.values.get("release") is not None]
    release: list[_Source] = []
    if named:
        apps = known_settings()["release"].checked(named[-1].values["release"], named[-1].directory, named[-1].origin)
        release = [
            _Source(f"release, app {app.name}", Path(app.directory), config) for app, config in config_of(apps or ())
        ]
    for source in given:
        if source.is_strong:
            yield from release
            release = []
        yield source


def _believed(environ: Mapping[str, str], directory: Path) -> Iterator[Path]:
    """The files that apply: those that the user wrote or named, and a found one if nobody else can change it."""
    chosen = (sources.user_directory("config", environ), sources.named_file(environ, directory))
    for path in sources.files_in_force(environ, directory):
        if path in chosen or path.parent in chosen or doubt(path, environ) is None:
            yield path


def _left_out(environ: Mapping[str, str], directory: Path) -> tuple[str, ...]:
    believed = set(_believed(environ, directory))
    found = (path for path in sources.files_in_force(environ, directory) if path not in believed)
    return tuple(f"{path} is left out: {doubt(path, environ)}" for path in found)


def _defaults(environ: Mapping[str, str]) -> dict[str, object]:
    places: dict[str, object] = {
        "cache": default_cache(environ),
        "products": default_products(environ),
        "documents": default_documents(environ),
    }
    return {name: places.get(name) or setting.default() for name, setting in known_settings().items()}


def _overlay(values: dict[str, Any], origins: dict[str, str], source: _Source) -> None:
    known = known_settings()
    for name, value in source.values.items():
        if name not in known:
            raise ConfigurationError(f"{source.origin}: unknown setting {name!r}: {nearest(name, known)}")
        kept = known[name].checked(value, source.directory, source.origin)
        if isinstance(kept, dict) and values.get(name):
            values[name] = _merged(values[name], kept)
            origins[name] += f", {source.origin}"
        else:
            values[name], origins[name] = kept, source.origin


def _merged(weak: Mapping[str, Any], strong: Mapping[str, Any]) -> dict[str, Any]:
    """Both tables merged, with the tables inside them."""
    both = dict(weak)
    for name, value in strong.items():
        is_table = isinstance(value, Mapping) and isinstance(both.get(name), Mapping)
        both[name] = _merged(both[name], value) if is_table else value
    return both


def _read(setting: Setting[Any, Any], text: str) -> object:
    if setting.in_environment:
        return setting.read(text)
    variable = variable_of(setting.name)
    raise ConfigurationError(f"environment {variable}: {setting.name!r} needs a table: write it in rave.toml")


def _ignored_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    known = [variable_of(name).removeprefix(_PREFIX) for name in known_settings()] + [*_OTHER_VARIABLES]
    ignored = []
    for variable in sorted(environ):
        name = variable.removeprefix(_PREFIX)
        if name == variable or name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
        if close:
            raise ConfigurationError(
                f"environment {variable}: unknown variable: did you mean {_PREFIX}{close[0]}? "
                "If it is not for RAVE, give it a less similar name"
            )
        ignored.append(variable)
    return tuple(ignored)


def _check_lease(lease_time: float, heartbeat: float | None, origins: Mapping[str, str]) -> None:
    if heartbeat is not None and heartbeat > lease_time / 2:
        raise ConfigurationError(
            f"'lease_heartbeat' is {heartbeat:g} ({origins['lease_heartbeat']}) and 'lease_time' is {lease_time:g} "
            f"({origins['lease_time']}): the heartbeat must be at most half of the lease, {lease_time / 2:g} here"
        )


def shown(value: object, name: str = "") -> object:
    """``value`` as people may see it; what ``name`` marks as secret is hidden."""
    if _SECRET_NAME.search(name) and not _PLACE_NAME.search(name) and not isinstance(value, (bool, Mapping)):
        return HIDDEN
    if isinstance(value, App):
        return shown({key: each for key, each in asdict(value).items() if each})
    if isinstance(value, Mapping):
        return {key: shown(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(shown(inner) for inner in value)
    if not isinstance(value, str):
        return value
    return without_secrets(value) if "://" in value else _SECRET_VALUE.sub(rf"\1{HIDDEN}", value)
