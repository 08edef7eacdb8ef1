"""The checks before the service starts or reloads, so that the user sees what is wrong.

The checks open caches and load code, which must not happen in a process that forks workers later. So they run in a
separate child, which then ends.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

import msgspec

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError, RaveError, StoreAwayError, describe_error
from rave_core.settings import Settings
from rave_http.process.launch import Launch
from rave_http.process.sockets import check_address
from rave_http.settings import ServiceSettings

if TYPE_CHECKING:
    from rave_core.runtime.runtime import Runtime
    from rave_http.auth.authorization import Access
    from rave_http.plugins.discovery import HttpPlugins

_clock = SystemClock()
_LIMIT: Final = 120.0  # seconds
_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD)
ADVICE: Final = (
    "{} can be reached from outside and no authentication is configured: create a key with 'rave key create USER', "
    "set proxy_header, or say --allow-anonymous"
)


def install_advice(error: ModuleNotFoundError) -> str:
    """What to do about a missing package."""
    package = (error.name or "").partition(".")[0]
    return f"the service needs {package}, which is not installed: pip install 'rave-framework[http]'"


class Findings(msgspec.Struct, frozen=True):
    """What the checks found.

    Attributes:
        error: what prevents the start; empty for nothing.
        namespaces: how many there are.
        has_services: whether a plugin may have services to run beside the workers.
        warnings: problems that do not prevent the start.
    """

    error: str = ""
    namespaces: int = 0
    has_services: bool = False
    warnings: tuple[str, ...] = ()


class Check:
    """Checks under way, in a child of this process. For one thread."""

    def __init__(self, launch: Launch, settings: Settings, service: ServiceSettings, *, outside: str) -> None:
        """Starts to check everything that can be checked without serving.

        Args:
            launch: the log that it asks for is tried.
            settings, service: as `Launch.read` gave them.
            outside: the address at which others reach the service; empty for none.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        self._content = b""
        self._is_over = False
        self._end = _clock.monotonic() + _LIMIT
        self._reading, writing = os.pipe()
        self._child = os.fork()
        if not self._child:
            _report(writing, launch, settings, service, outside)
        os.close(writing)

    def wait(self) -> Findings:
        """Waits for the findings and returns them.

        Raises:
            ConfigurationError: the service can't start; the message says why.
        """
        try:
            while not self._read(max(self._end - _clock.monotonic(), 0)):
                pass
        except BaseException:
            self.abandon()
            raise
        return self.result()

    def is_done(self) -> bool:
        """Whether there is a result; without waiting for one."""
        return self._read(0)

    def result(self) -> Findings:
        """What was found.

        Raises:
            ConfigurationError: as for `wait`.
        """
        is_late = _clock.monotonic() >= self._end
        self.abandon()
        try:
            findings = msgspec.json.decode(self._content, type=Findings)
        except msgspec.DecodeError:
            reason = f"take longer than {_LIMIT:g} s" if is_late else "ended early: they were killed, or crashed"
            raise ConfigurationError(f"the checks of caches and plugins {reason}") from None
        if findings.error:
            raise ConfigurationError(findings.error)
        return findings

    def abandon(self) -> None:
        """Ends the checks. Calling it twice is harmless."""
        if self._child:
            os.close(self._reading)
            if not self._is_over:
                os.kill(self._child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):  # the arbiter reaps whatever it finds
                os.waitpid(self._child, 0)
            self._child = 0

    def _read(self, seconds: float) -> bool:
        """Reads from the child for that long. Returns whether it is finished, or the time is over."""
        if select.select([self._reading], [], [], seconds)[0]:
            part = os.read(self._reading, 1 << 16)
            self._content += part
            # The line's end is the end, even if something that a plugin started keeps the pipe open.
            self._is_over = not part or part.endswith(b"\n")
            return self._is_over
        return _clock.monotonic() >= self._end


def check_service(settings: Settings, service: ServiceSettings) -> None:
    """Returns if the service's settings are right, as far as that shows without serving.

    Raises:
        ConfigurationError, UnknownNameError: one is not; the message says what would be right.
    """
    from rave_http.plugins.discovery import HttpPlugins

    check_address(service.bind)
    _access(service, HttpPlugins.installed(settings.disabled_plugins))


def _report(writing: int, launch: Launch, settings: Settings, service: ServiceSettings, outside: str) -> None:
    """In the child: checks, reports to the parent, and ends."""
    try:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        findings = _look(launch, settings, service, outside)
    except (RaveError, OSError) as error:
        findings = Findings(error=str(error))
    except ModuleNotFoundError as error:
        findings = Findings(error=install_advice(error))
    except BaseException as error:  # noqa: BLE001  # the code of a stranger may raise anything
        findings = Findings(error=describe_error(error))
    try:
        with open(writing, "wb") as file:
            file.write(msgspec.json.encode(findings) + b"\n")
    finally:
        os._exit(0)


def _look(launch: Launch, settings: Settings, service: ServiceSettings, outside: str) -> Findings:
    from rave_core.runtime.runtime import Runtime
    from rave_http.plugins.discovery import HttpPlugins

    os.chdir(launch.working_directory)
    launch.log.start()
    logging.disable()  # each worker logs what it finds
    plugins = HttpPlugins.installed(settings.disabled_plugins)
    access = _access(service, plugins)
    if outside and not (service.allow_anonymous or access.is_configured):
        raise ConfigurationError(ADVICE.format(outside))
    with Runtime(settings) as runtime:
        if service.load_error_fatal:
            plugins.check()
        namespaces = _namespaces(settings, service)
        _check_release(runtime)
        warnings = [
            *runtime.plugins.mistakes(settings),
            *_not_shared(settings, service),
            *_troubles(runtime),
            *_trouble_of_documents(runtime),
        ]
        has_services = runtime.plugins.implements("rave_services")
    return Findings(namespaces=namespaces, has_services=has_services, warnings=tuple(warnings))


def _access(service: ServiceSettings, plugins: HttpPlugins) -> Access:
    """Who may do what. What else the settings name is looked at, too.

    Raises:
        ConfigurationError, UnknownNameError: as `check_service`.
    """
    from rave_http.auth.api_keys import KeyStore
    from rave_http.auth.authorization import Access
    from rave_http.auth.rate_limits import Rates

    for name in {service.executor, *(str(own["executor"]) for own in service.operations.values() if "executor" in own)}:
        plugins.executors.find(name)
    Rates.of(service)
    return Access(service, KeyStore.of(service, _clock), plugins.hooks, _clock)


def _check_release(runtime: Runtime) -> None:
    from rave_core.lifecycle import PluginContext, RunningPlugins

    context = PluginContext(runtime.settings, runtime.events, runtime.clock)
    RunningPlugins(runtime.plugins.calls(), context).check()


def _namespaces(settings: Settings, service: ServiceSettings) -> int:
    """How many namespaces there are; they are loaded only where a problem with one is fatal."""
    from rave_core.operations.catalog import Catalog
    from rave_core.plugins.discovery import NAMESPACES, found_entry_points
    from rave_http.worker.service import directories_of

    directories = directories_of(settings, service)
    if service.load_error_fatal:
        return len(Catalog.installed(directories, load_error_fatal=True).namespaces)
    return len({entry.name for entry in found_entry_points(NAMESPACES)} | set(directories))


def _not_shared(settings: Settings, service: ServiceSettings) -> list[str]:
    return [
        f"the workers can't share what they compute, since {name!r} is stored in the memory of each alone: "
        f"add a store such as 'file:///var/cache/rave/{name}', or run one worker"
        for name, urls in (("cache", settings.cache), ("products", settings.products))
        if service.workers > 1 and all(url.startswith("memory:") for url in urls)
    ]


def _troubles(runtime: Runtime) -> list[str]:
    """What is wrong with the stores. The service starts without them: a store may come back at any time."""
    stores = (("cache", runtime.cache), ("products", runtime.products))
    found = [(name, place.url, place.backend.check()) for name, place in stores]
    return [f"nothing can be stored in {name!r}, {url}: {trouble}" for name, url, trouble in found if trouble]


def _trouble_of_documents(runtime: Runtime) -> list[str]:
    """What is wrong with the document store, if the settings name one. It may come back at any time, too.

    Raises:
        ConfigurationError: its URL is wrong.
        LaterSchemaError: a later version of RAVE made it.
    """
    if runtime.settings.origins["documents"] == "default":
        return []  # whoever needs it makes it
    try:
        _ = runtime.documents
    except StoreAwayError as error:
        return [f"documents can be neither read nor saved: {error}"]
    return []
