"""The process that keeps the workers: gunicorn's own, with a reload that can't take the service down.

gunicorn stops the old workers before it knows whether new ones can start, and halts when one can't. Here the old
workers serve until as many new ones do, however often the new ones have to start. A worker that fails is tried again a
little later. The process stays responsive during a reload: you can stop it, and it replaces workers that die.
"""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterable
from typing import Any, Final

from gunicorn import systemd  # type: ignore[import-untyped]  # gunicorn has no types
from gunicorn.arbiter import Arbiter as GunicornArbiter  # type: ignore[import-untyped]  # as above
from gunicorn.errors import HaltServer  # type: ignore[import-untyped]  # as above

from rave_core.clock import SystemClock
from rave_http.process.worker import HELD, Worker

_AT_ONCE: Final = max((os.cpu_count() or 1) // 2, 1)  # workers that start together at a reload
_PAUSE: Final = 2.0  # seconds until workers are started again after one failed to
_FATAL: Final = (GunicornArbiter.WORKER_BOOT_ERROR, GunicornArbiter.APP_LOAD_ERROR)
_clock = SystemClock()


class Arbiter(GunicornArbiter):  # type: ignore[misc]  # gunicorn has no types
    """Starts, replaces and stops the workers. Runs the hooks of its `rave_http.process.gunicorn_app.Server`."""

    def __init__(self, app: Any) -> None:
        self._earlier = 0  # workers up to this age will be replaced
        self._resume_at = 0.0
        self._is_ready = False
        self._is_stopping = False
        self._has_terminal = _has_terminal()
        super().__init__(app)

    def handle_hup(self) -> None:
        """Reloads, or stops if the terminal that started the service is gone."""
        if self._has_terminal and not _has_terminal():
            self.log.info("The terminal is gone")
            raise StopIteration
        super().handle_hup()

    def start(self) -> None:
        """Prepares to fork. It does not notify systemd yet, since nothing serves."""
        notify = os.environ.pop("NOTIFY_SOCKET", None)
        super().start()
        if notify is not None:
            os.environ["NOTIFY_SOCKET"] = notify
        self.systemd = self.app.is_socket_passed

    def reload(self) -> None:
        """Starts to replace all workers by new ones with the current settings, unless these are wrong."""
        self._tell_systemd(f"RELOADING=1\nMONOTONIC_USEC={int(_clock.monotonic() * 1e6)}")
        if not self.app.begin_reload():
            self._tell_systemd("READY=1")

    def _go_on_with_reload(self) -> None:
        """Replaces workers as soon as the settings are known to be valid."""
        is_right = self.app.end_reload()
        if is_right:
            self.setup(self.app)
            self._retire(worker for worker in self._present() if not worker.is_serving())
            self._earlier, self._resume_at = self.worker_age, 0.0
        elif is_right is not None:
            self._tell_systemd("READY=1")

    def manage_workers(self) -> None:
        """Starts workers that are missing, and stops those for which there are new ones that serve."""
        self._go_on_with_reload()
        self.app.watch_services()
        present = self._present()
        current = [worker for worker in present if worker.age > self._earlier]
        serving = [worker for worker in current if worker.is_serving()]
        self._retire(current[: max(len(current) - self.num_workers, 0)])
        if len(serving) >= self.num_workers and len(present) > len(current):
            self._retire(worker for worker in present if worker.age <= self._earlier)
            self._tell_systemd("READY=1")
        if serving and not self._is_ready:
            self._is_ready = True
            self._tell_systemd("READY=1")
            self.app.ready()
        if _clock.monotonic() >= self._resume_at:
            missing = self.num_workers - len(current)
            if len(present) > len(current):  # others serve meanwhile, and need processors for that
                missing = min(missing, _AT_ONCE - (len(current) - len(serving)))
            for _ in range(missing):
                self.spawn_worker()

    def spawn_worker(self) -> Any:
        """Forks a worker; its process ID. In the worker this ends with the process."""
        # A signal that reaches the worker before its loop runs would be lost on it.
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
        try:
            return super().spawn_worker()
        except SystemExit as end:
            gc.freeze()  # in the worker, which ends: looking for circles once more costs a fifth of a second
            # Its exit code would halt the whole service, which is right at the start only.
            if self._is_ready and end.code in _FATAL:
                raise SystemExit(1) from None
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)

    def reap_workers(self) -> None:
        """Reaps workers that ended. If one fails to start at the very beginning, halts once."""
        while True:
            try:
                super().reap_workers()
            except HaltServer:
                if not self._is_stopping:
                    raise
            else:
                return

    def worker_died(self, worker: Worker) -> None:
        """Delays the start of the next worker if this one never served."""
        if not worker.has_served:
            self._resume_at = _clock.monotonic() + _PAUSE

    def stop(self, graceful: bool = True) -> None:
        """Stops all workers, and waits for them."""
        self._is_stopping = True
        self._tell_systemd("STOPPING=1")
        self.app.stops()
        super().stop(graceful)
        self.app.stopped()

    def handle_usr2(self) -> None:
        """Only warns: gunicorn would start a second arbiter with this process's arguments, useless for a daemon."""
        self.log.warning("SIGUSR2 has no meaning here: SIGHUP reloads, and for a new version of RAVE restart")

    def _present(self) -> list[Worker]:
        """The workers that are not asked to stop, by age."""
        return sorted((each for each in self.WORKERS.values() if not each.is_retired), key=lambda each: each.age)

    def _retire(self, workers: Iterable[Worker]) -> None:
        for worker in workers:
            worker.is_retired = True
            self.kill_worker(worker.pid, signal.SIGTERM)

    def _tell_systemd(self, state: str) -> None:
        systemd.sd_notify(state, self.log)


def _has_terminal() -> bool:
    """Whether standard input is a terminal at which somebody may still sit."""
    try:
        return os.isatty(0) and os.tcgetpgrp(0) > 0
    except OSError:
        return False
