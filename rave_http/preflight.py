"""What is checked before the service starts or reloads, so that whoever asked for that sees what is wrong.

The checks open caches and load code, which must not happen in a process that forks the workers later: they run in a
child of their own, which then ends.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError, RaveError, told
from rave_core.settings import Settings
from rave_http.launch import Launch
from rave_http.settings import ServiceSettings

if TYPE_CHECKING:
    from rave_core.runtime import Runtime

_LIMIT: Final = 120.0  # seconds
_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
ADVICE: Final = (
    "{} can be reached from outside and no authentication is configured: create a key with 'rave key create USER', "
    "set proxy_header, or say --allow-anonymous"
)
INSTALL: Final = "the service needs {}, which is not installed: pip install 'rave-framework[http]'"


class Findings(msgspec.Struct, frozen=True):
    """What the checks found.

    Attributes:
        error: what keeps the service from starting; empty for nothing.
        namespaces: how many there are.
        warnings: what is amiss, and no reason not to start.
    """

    error: str = ""
    namespaces: int = 0
    warnings: tuple[str, ...] = ()


def check(launch: Launch, settings: Settings, service: ServiceSettings, *, outside: str) -> Findings:
    """Checks everything that can be checked without serving.

    Args:
        launch: the log that it asks for is tried.
        settings, service: as `Launch.read` gave them.
        outside: the address at which others reach the service; empty for none.

    Raises:
        ConfigurationError: the service can't start; the message says why.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _report(writing, launch, settings, service, outside)
    os.close(writing)
    try:
        findings = _received(reading)
    finally:
        os.close(reading)
        _end(child)
    if findings.error:
        raise ConfigurationError(findings.error)
    return findings


def _report(writing: int, launch: Launch, settings: Settings, service: ServiceSettings, outside: str) -> None:
    """In the child: looks, tells the parent, and ends."""
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        findings = _look(launch, settings, service, outside)
    except (RaveError, OSError) as error:
        findings = Findings(error=str(error))
    except ModuleNotFoundError as error:
        findings = Findings(error=INSTALL.format(error.name))
    except BaseException as error:  # noqa: BLE001  # the code of a stranger may raise anything
        findings = Findings(error=told(error))
    try:
        with open(writing, "wb") as file:
            file.write(msgspec.json.encode(findings))
    finally:
        os._exit(0)


def _look(launch: Launch, settings: Settings, service: ServiceSettings, outside: str) -> Findings:
    from rave_core.runtime import Runtime
    from rave_http.access import Access
    from rave_http.keys import KeyStore
    from rave_http.plugins import HttpPlugins

    os.chdir(launch.working_directory)
    launch.log.start()
    logging.disable()  # each worker logs what it finds
    clock = SystemClock()
    plugins = HttpPlugins.installed()
    plugins.executors.find(service.executor)
    access = Access(service, KeyStore.of(service, clock), plugins.hooks, clock)
    if outside and not (service.allow_anonymous or access.is_configured):
        raise ConfigurationError(ADVICE.format(outside))
    with Runtime(settings) as runtime:
        if service.load_error_fatal:
            plugins.check()
        namespaces = _namespaces(settings, service)
        warnings = [*_not_shared(settings, service), *_troubles(runtime)]
    return Findings(namespaces=namespaces, warnings=tuple(warnings))


def _namespaces(settings: Settings, service: ServiceSettings) -> int:
    """How many namespaces there are; they are loaded only where a problem with one is fatal."""
    from rave_core.exports import Catalog
    from rave_core.plugins import NAMESPACES, found_entry_points
    from rave_http.service import directories_of

    directories = directories_of(settings, service)
    if service.load_error_fatal:
        return len(Catalog.installed(directories, load_error_fatal=True).namespaces)
    return len({entry.name for entry in found_entry_points(NAMESPACES)} | set(directories))


def _not_shared(settings: Settings, service: ServiceSettings) -> list[str]:
    return [
        f"the workers can't share what they compute, since {name!r} is kept in the memory of each alone: "
        f"add a store such as 'file:///var/cache/rave/{name}', or run one worker"
        for name, urls in (("cache", settings.cache), ("products", settings.products))
        if service.workers > 1 and all(url.startswith("memory:") for url in urls)
    ]


def _troubles(runtime: Runtime) -> list[str]:
    """What is wrong with the stores. The service can do without, so it starts: a store may come back at any time."""
    stores = (("cache", runtime.cache), ("products", runtime.products))
    found = [(name, place.url, place.backend.check()) for name, place in stores]
    return [f"nothing can be kept in {name!r}, {url}: {trouble}" for name, url, trouble in found if trouble]


def _received(reading: int) -> Findings:
    content, clock = b"", SystemClock()
    end = clock.monotonic() + _LIMIT
    while select.select([reading], [], [], max(end - clock.monotonic(), 0))[0]:
        part = os.read(reading, 1 << 16)
        if not part:
            break
        content += part
    else:
        raise ConfigurationError(f"opening the caches and loading the plugins takes longer than {_LIMIT:g} s")
    try:
        return msgspec.json.decode(content, type=Findings)
    except msgspec.DecodeError:
        raise ConfigurationError("the checks before the start ended early: they were killed, or crashed") from None


def _end(child: int) -> None:
    os.kill(child, signal.SIGKILL)  # it has told what it had to tell
    os.waitpid(child, 0)
