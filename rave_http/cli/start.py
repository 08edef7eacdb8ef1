"""What ``rave serve`` and ``raved`` share: they turn a request to start into a service that is ready to run."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from rave_core.errors import ConfigurationError
from rave_core.settings import Settings
from rave_http.process import preflight
from rave_http.process.launch import Launch, absolute
from rave_http.process.sockets import Listener, listen
from rave_http.settings import ServiceSettings

if TYPE_CHECKING:
    from rave_http.process.pid_file import PidFile

_PATHS = ("namespace_config", "namespace_root", "keys_file")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A service that is checked and listens.

    Attributes:
        launch: the request of the command.
        settings, service: the settings that result.
        listener: which accepts nothing yet.
        findings: of the checks.
    """

    launch: Launch
    settings: Settings
    service: ServiceSettings
    listener: Listener
    findings: preflight.Findings

    def run(
        self,
        *,
        pid_file: PidFile | None,
        on_ready: Callable[[], None],
        on_serving: Callable[[], None] = lambda: None,
    ) -> NoReturn:
        """Serves until a signal ends it, and exits.

        Args:
            pid_file: written and removed.
            on_ready: called when the first worker serves.
            on_serving: called in each worker when it does.

        Raises:
            ConfigurationError: the PID file is held by another process.
        """
        from rave_http.process.gunicorn_app import Server

        server = Server(
            self.launch,
            self.settings,
            self.service,
            self.listener,
            has_services=self.findings.has_services,
            pid_file=pid_file,
            on_ready=on_ready,
            on_serving=on_serving,
        )
        server.run()

    def banner(self) -> str:
        """Where it serves, and what."""
        count = self.findings.namespaces
        spaces = f"{count} namespace{'' if count == 1 else 's'}" if count else "no namespaces"
        url = self.service.url_base.rstrip("/") or self.listener.url
        where = url if url == self.listener.url else f"{url} (from {self.listener.url})"
        return f"serves {spaces} at {where}; API: {url}/-/openapi.json"


def prepare(launch: Launch, *, warn: Callable[[str], None]) -> Prepared:
    """Checks the request, and listens.

    Args:
        launch: the request of the command.
        warn: called with each problem that does not prevent the start.

    Raises:
        ConfigurationError: the service can't start; the message says why in one line.
    """
    try:
        import rave_http.process.gunicorn_app  # noqa: F401  # so that what is missing is told here
    except ModuleNotFoundError as error:
        raise ConfigurationError(preflight.install_advice(error)) from error
    settings, service = launch.read()
    listener = listen(service.bind)
    try:
        _import_once()
        findings = preflight.Check(launch, settings, service, outside=listener.outside).wait()
    except BaseException:
        listener.close()
        raise
    for warning in findings.warnings:
        warn(warning)
    return Prepared(launch, settings, service, listener, findings)


def _import_once() -> None:
    """Imports what the checks and all workers need. They share its memory, which no look for circles touches."""
    import rave_http.app  # noqa: F401  # for what it imports

    gc.freeze()


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of the service among the switches of a command that were given, paths made absolute."""
    chosen = {name: value for name, value in values.items() if value is not None}
    for name in _PATHS:
        if name in chosen:
            chosen[name] = absolute(chosen[name])
    if chosen.get("access_log", "-") not in ("-", ""):
        chosen["access_log"] = absolute(chosen["access_log"])
    return chosen
