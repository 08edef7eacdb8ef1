"""The checks of ``rave doctor``: settings, caches, plugins, clock. Each reports its findings and what to do."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING

from rave_core.backend import StoreURL, SupportsPurge, SupportsStats
from rave_core.cli.alternation import alternations
from rave_core.clock import SystemClock
from rave_core.errors import RaveError
from rave_core.model import Kind
from rave_core.settings.sources import files_in_force, working_directory
from rave_core.storage.cache import Cache
from rave_core.storage.listing import entries
from rave_core.text.humanize import size, span

if TYPE_CHECKING:
    from rave_core.cli.session import Session

_LITTLE_SPACE = 100 << 20
_SKEW = 2.0
_FUTURE = 60.0
_SAMPLE = 200
_LONG_AGO = 10
_LOOKED_AT = 5000


class Level(StrEnum):
    """How much a finding matters."""

    FINE = "fine"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; ``advice`` says what to do, and is empty if nothing is necessary."""

    level: Level
    subject: str
    text: str
    advice: str = ""


def _fine(subject: str, text: str) -> Finding:
    return Finding(Level.FINE, subject, text)


def _warning(subject: str, text: str, advice: str = "") -> Finding:
    return Finding(Level.WARNING, subject, text, advice)


def _error(subject: str, text: str, advice: str = "") -> Finding:
    return Finding(Level.ERROR, subject, text, advice)


def _correction(session: Session) -> str:
    # If they can't be read, 'rave config' can't show them either; the message says where the mistake is.
    readable = "settings" in vars(session)
    return "correct it; 'rave config' shows where each value comes from" if readable else "correct it there"


def examine(session: Session) -> Iterator[Finding]:
    """Every finding, in the order of the report. A failure ends the part that depends on it, not the report."""
    from importlib.metadata import version

    yield _fine("rave", f"{version('rave-framework')} on Python {platform.python_version()}")
    try:
        yield from _settings(session)
        runtime = session.runtime
    except RaveError as error:
        yield _error("settings", str(error), _correction(session))
        return
    for mistake in runtime.plugins.mistakes(session.settings):
        yield _error("settings", mistake, _correction(session))
    for name, kind, urls in (
        ("data", Kind.DATA, session.settings.cache),
        ("products", Kind.FILE, session.settings.products),
    ):
        cache = runtime.cache if kind is Kind.DATA else runtime.products
        yield from _store(f"cache of {name}", cache)
        yield from _limits(f"cache of {name}", cache, "cache" if kind is Kind.DATA else "products", urls)
        yield from _directories(f"cache of {name}", urls)
        yield from _tidiness(f"cache of {name}", cache, runtime.clock.now(), session, kind)
        yield from _versions(f"cache of {name}", cache)
    yield from _trust(session)
    yield from _plugins(session)


def _settings(session: Session) -> Iterator[Finding]:
    settings = session.settings
    files = sorted({origin.partition(":")[2] for origin in settings.origins.values() if ".toml:" in origin})
    idle = [str(path) for path in files_in_force(os.environ, working_directory()) if str(path) not in files]
    if files or idle:
        yield _fine("settings", f"read from {', '.join([*files, *idle])}")
    else:
        yield _fine("settings", "the defaults and the environment; there is no rave.toml")
    for variable in settings.ignored_variables:
        yield _warning(
            "settings", f"{variable} is set, but it is not a setting", "unset it, or see 'rave config' for the names"
        )


def _store(subject: str, cache: Cache) -> Iterator[Finding]:
    try:
        trouble = cache.backend.check()
    except Exception as error:  # noqa: BLE001  # a backend may fail in any way, and the report goes on
        trouble = f"{type(error).__name__}: {error}"
    if trouble:
        yield _error(subject, f"{cache.url}: {trouble}", "until then every call is computed")
    else:
        yield _fine(subject, f"{cache.url} can be read and written")
        notice = cache.backend.notice()
        if notice:
            yield _warning(subject, notice)


def _limits(subject: str, cache: Cache, setting: str, urls: tuple[str, ...]) -> Iterator[Finding]:
    stats = cache.backend.capability(SupportsStats)
    if stats is None:
        return
    try:
        count, used = stats.usage()
    except OSError:
        return  # told by its check
    kept = f"{count} {'entry' if count == 1 else 'entries'}, {size(used)}"
    if stats.max_bytes is None:
        joint = "&" if "?" in urls[-1] else "?"
        example = [*urls[:-1], f"{urls[-1]}{joint}max_bytes=10GiB"]
        advice = f"set {setting} = {example!r}".replace("'", '"')
        yield _warning(subject, f"it has no limit in size, and holds {kept}", advice)
    else:
        yield _fine(subject, f"it holds {kept} of {size(stats.max_bytes)}")


def _directories(subject: str, urls: tuple[str, ...]) -> Iterator[Finding]:
    for url in map(StoreURL, urls):
        if url.scheme != "file" or not os.path.isdir(url.path):
            continue
        free = shutil.disk_usage(url.path).free
        if free < _LITTLE_SPACE:
            yield _warning(subject, f"only {size(free)} of its disk are free", "make room, or choose another directory")
        skew = _skew(url.path)
        if abs(skew) > _SKEW:
            late = "behind" if skew > 0 else "ahead of"
            yield _warning(
                subject,
                f"the clock of this host is {span(skew)} {late} that of the file system {url.path}",
                "keep both in time (NTP): expiry and purging go by them",
            )


def _skew(directory: str) -> float:
    """Seconds that the file system's clock is ahead of this host's; 0 if that can't be determined."""
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            return os.fstat(file.fileno()).st_mtime - SystemClock().now()
    except OSError:
        return 0.0


def _tidiness(subject: str, cache: Cache, now: float, session: Session, kind: Kind) -> Iterator[Finding]:
    settings, store = session.settings, cache.backend.capability(SupportsPurge)
    every = settings.data_purge_every if kind is Kind.DATA else settings.products_purge_every
    try:
        last = store.last_purge() if store is not None else None
        ahead = [entry for entry in islice(entries(cache), _SAMPLE) if entry.created_at > now + _FUTURE]
    except OSError:
        return  # told by its check
    if last is not None and now - last > _LONG_AGO * every:
        yield _warning(
            subject,
            f"it was last purged {span(now - last)} ago, though that is due every {span(every)}",
            "'rave cache purge' removes what expired and what crashes left behind",
        )
    if ahead:
        yield _warning(
            subject,
            f"{len(ahead)} entries were made in the future, by the clock of this host",
            "compare the clocks of the hosts that share this cache",
        )


def _versions(subject: str, cache: Cache) -> Iterator[Finding]:
    try:
        found = list(alternations(islice(entries(cache), _LOOKED_AT)))
    except (OSError, ValueError):
        return  # told by its check
    for each in found:
        what = f"; what differs: {', '.join(each.differing)}" if each.differing else ""
        yield _warning(
            subject,
            f"the {each.versions} versions of {each.operation} alternate: one came back {each.returns} times{what}",
            "programs with different code share it and find none of each other's results: deploy one version, or give "
            "each its own cache. If the code is the same, a value that counts differs from process to process, such as "
            "a dict made from a set",
        )


def _trust(session: Session) -> Iterator[Finding]:
    runtime = session.runtime
    if session.settings.data_only:
        yield _fine("sealing", "data_only: nothing is ever unpickled")
    elif runtime.cache.signer.trusted:
        yield _fine("sealing", "entries are sealed, and only sealed ones are unpickled")
    else:
        yield _warning(
            "sealing",
            f"{runtime.cache.url} is shared without a signing key: values that need pickle are neither stored nor read",
            "set signing_key_file to a file with 32 random bytes that only its users can read",
        )


def _plugins(session: Session) -> Iterator[Finding]:
    try:
        catalog = session.catalog
    except RaveError as error:
        yield _error("namespaces", str(error))
        return
    plugins = session.runtime.plugins
    _ = plugins.commands  # they are loaded only now, and may have problems
    for problem in plugins.problems:
        yield _error(f"plugin {problem.name}", f"{problem.error} ({problem.origin})", "repair or uninstall it")
    for problem in catalog.problems:
        yield _error(f"namespace {problem.name}", f"{problem.error} ({problem.origin})", "repair or uninstall it")
    if not plugins.problems:
        yield _fine("plugins", ", ".join(found.name for found in plugins.found) or "none")
    count = sum(1 for _ in catalog)
    if not catalog.problems:
        yield _fine("namespaces", f"{', '.join(catalog.namespaces) or 'none'}: {count} operations")
