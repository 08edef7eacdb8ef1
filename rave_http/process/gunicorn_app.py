"""The service as gunicorn runs it: its configuration, its hooks, and what a reload does.

- SIGTERM stops: listening ends, jobs under way get the grace time, then the rest is interrupted. SIGINT and
  SIGQUIT stop at once.
- SIGHUP reloads. The settings files, the INI file of namespaces, the log configuration, what is installed and the code
  of all namespaces are read again; switches of the command keep their strength, environment variables their values,
  and the address stays. An error in any of that is logged, and the service continues unchanged. Otherwise new
  workers start, and once they serve the old ones stop as by SIGTERM.
- SIGUSR1 reopens the log files. SIGTTIN and SIGTTOU add and take away a worker, until the next reload.

RAVE opens nothing of its own, and imports no namespace, before a worker is forked.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from typing import Any, Final, NoReturn

from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.glogging import Logger  # type: ignore[import-untyped]  # as above

from rave_core.errors import RaveError
from rave_core.settings import Settings
from rave_http.process import log_setup, preflight
from rave_http.process.arbiter import Arbiter
from rave_http.process.launch import Launch
from rave_http.process.pid_file import PidFile
from rave_http.process.services import ServicesProcess
from rave_http.process.sockets import BACKLOG, Listener
from rave_http.process.worker import Worker
from rave_http.settings import ServiceSettings
from rave_http.workers.metrics_files import share, worker_died
from rave_http.workers.run_directory import RunDirectory

_log = logging.getLogger("rave.server")

MARGIN: Final = 5  # seconds between the end of the grace time and the end of a worker that did not keep to it
SILENCE: Final = 30  # seconds without a sign of life, beyond the grace time, after which a worker is killed
_MEMORY: Final = "/dev/shm"  # noqa: S108  # for files without a name


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """One service, from its start to its end.

    Attributes:
        run_directory: the directory that the workers share; it exists while the service runs.
        is_socket_passed: whether it listens on a socket of systemd's.
    """

    def __init__(
        self,
        launch: Launch,
        settings: Settings,
        service: ServiceSettings,
        listener: Listener,
        *,
        has_services: bool = False,
        pid_file: PidFile | None = None,
        on_ready: Callable[[], None] = lambda: None,
        on_serving: Callable[[], None] = lambda: None,
    ) -> None:
        """Takes over ``listener``.

        Args:
            launch: where the settings come from at a reload.
            settings, service: as they are now, checked.
            listener: what the workers listen on.
            has_services: whether plugins may have services to run beside the workers.
            pid_file: written and removed.
            on_ready: called in this process when the first worker serves.
            on_serving: called in each worker when it does.
        """
        self._launch = launch
        self._settings = settings
        self._service = service
        self.is_socket_passed = listener.is_passed
        self._outside = listener.outside
        self._bind = listener.handed_over()
        self._pid_file = pid_file
        self._on_ready = on_ready
        self._on_serving = on_serving
        self._has_services = has_services
        self._services: ServicesProcess | None = None
        self._reload: tuple[preflight.Check, Settings, ServiceSettings] | None = None
        self.run_directory: RunDirectory | None = None
        super().__init__(prog="rave")

    @property
    def service(self) -> ServiceSettings:
        """The settings of the service, as workers yet to be forked get them."""
        return self._service

    @property
    def url_base(self) -> str:
        """The prefix of every URL that the service gives out, without a slash at its end."""
        return self._service.url_base.rstrip("/")

    def run(self) -> NoReturn:
        """Serves until a signal ends it; exits with 0, or with 1 if the service failed.

        Raises:
            ConfigurationError: the PID file is held by another process, or there is no place for the run directory.
        """
        owner = os.getpid()
        if self._pid_file is not None:
            self._pid_file.claim()
        try:
            self.run_directory = RunDirectory.create()
            share(self.run_directory)
            self._services = ServicesProcess(self.run_directory, self._launch.log)
            self._services.want(self._settings, self._service.grace, has_services=self._has_services)
            for name in ("GUNICORN_PID", "GUNICORN_FD"):  # of a gunicorn around us, which must not be taken for ours
                os.environ.pop(name, None)
            Arbiter(self).run()
        except SystemExit as end:
            if os.getpid() != owner:
                raise  # of a worker, whose code the arbiter reads
            raise SystemExit(1 if end.code else 0) from None
        finally:
            if os.getpid() == owner:
                self._tidy()
        raise SystemExit(0)

    def _tidy(self) -> None:
        self._give_up_reload()
        if self.run_directory is not None:
            self.run_directory.remove()
        if self._pid_file is not None:
            self._pid_file.release()

    def do_load_config(self) -> None:
        """Creates the configuration. gunicorn's own method would print and exit on an error."""
        self.load_default_config()
        self.load_config()

    def load_config(self) -> None:
        """Fills the configuration in."""
        for name, value in {**_configuration(self._service), **self._hooks(), "bind": self._bind}.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, in a worker: the arbiter must not import its modules."""
        assert self.run_directory is not None
        try:
            from rave_http.app import create_app

            return create_app(self._settings, self._service.guarded(self._outside), self.run_directory)
        except RaveError as error:
            _log.error("a worker can't start: %s", error)
        except Exception:  # noqa: BLE001  # the arbiter decides what becomes of that
            _log.exception("a worker can't start")
        raise SystemExit(Arbiter.WORKER_BOOT_ERROR)

    def begin_reload(self) -> bool:
        """Reads the settings again and starts to check them. Returns whether there is anything to check."""
        self._give_up_reload()
        try:
            settings, service = self._launch.read()
            check = preflight.Check(self._launch, settings, service, outside=self._outside)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not take the service down
            _refuse(error)
            return False
        self._reload = (check, settings, service)
        return True

    def end_reload(self) -> bool | None:
        """Adopts the checked settings for workers yet to be forked.

        Returns:
            Returns whether they are usable; ``None`` while that is unknown, or without a reload under way.
        """
        if self._reload is None or not self._reload[0].is_done():
            return None
        (check, settings, service), self._reload = self._reload, None
        try:
            findings = check.result()
            self._launch.log.start()
        except Exception as error:  # noqa: BLE001  # as above
            _refuse(error)
            return False
        for warning in findings.warnings:
            _log.warning("%s", warning)
        if service.bind != self._service.bind:
            _log.warning("the service keeps listening at its old address; a restart moves it to %s", service.bind)
        self._settings, self._service = settings, service
        if self._services is not None:
            self._services.want(settings, service.grace, has_services=findings.has_services)
        self.do_load_config()
        return True

    def _give_up_reload(self) -> None:
        if self._reload is not None:
            self._reload[0].abandon()
            self._reload = None

    def ready(self) -> None:
        """Called by the arbiter when the first worker serves."""
        self._on_ready()

    def watch_services(self) -> None:
        """Called by the arbiter again and again: starts the process of the services if it should run."""
        if self._services is not None:
            self._services.watch()

    def stops(self) -> None:
        """Called by the arbiter before it stops all workers."""
        if self.run_directory is not None:
            self.run_directory.stop()
        if self._services is not None:
            self._services.end()

    def stopped(self) -> None:
        """Called by the arbiter when all workers have stopped."""
        if self._services is not None:
            self._services.stop()

    def worker_serves(self) -> None:
        """Called by each worker when it serves."""
        self._on_serving()

    def _hooks(self) -> dict[str, Callable[..., None]]:
        return {"post_fork": self._forked, "child_exit": self._died}

    def _forked(self, _arbiter: Arbiter, worker: Worker) -> None:
        if self._pid_file is not None:
            self._pid_file.leave()
        # The arbiter waits a little longer than this, so that a worker that uses all of its time still ends well.
        worker.cfg.set("graceful_timeout", math.ceil(self._service.grace))

    def _died(self, arbiter: Arbiter, worker: Worker) -> None:
        arbiter.worker_died(worker)
        if self.run_directory is not None:
            worker_died(self.run_directory, worker.pid)


class GunicornLog(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log, as ``rave.server``, without separate handlers."""

    def setup(self, cfg: Any) -> None:
        """Leaves everything to `rave_http.process.log_setup`."""
        self.cfg = cfg
        self.error_log = self.access_log = _log
        self._access_log_enabled = False

    def reopen_files(self) -> None:
        """Reopens every log file."""
        log_setup.reopen()

    def close_on_exec(self) -> None:
        """Nothing: no file that Python opens is passed on."""


def _refuse(error: Exception) -> None:
    expected = isinstance(error, (RaveError, OSError))
    _log.error(
        "the reload is refused, and the service continues unchanged: %s", error, exc_info=None if expected else error
    )


def _configuration(service: ServiceSettings) -> dict[str, object]:
    """gunicorn's settings; it listens nowhere and writes nothing but what these say."""
    grace = math.ceil(service.grace)
    return {
        "workers": service.workers,
        "worker_class": Worker,
        "backlog": BACKLOG,
        "keepalive": math.ceil(service.keep_alive),
        "graceful_timeout": grace + MARGIN,
        # A worker sends no signs of life once it is asked to stop.
        "timeout": grace + MARGIN + SILENCE,
        "asgi_lifespan": "on",
        "preload_app": False,
        "proc_name": "rave",
        "worker_tmp_dir": _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None,
        "limit_request_line": 8190,
        "limit_request_fields": 100,
        "limit_request_field_size": 8190,
        "forwarded_allow_ips": ",".join(service.trusted_proxies),
        "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
        "forwarder_headers": "",
        "control_socket_disable": True,
        "accesslog": None,
        "logger_class": GunicornLog,
    }
