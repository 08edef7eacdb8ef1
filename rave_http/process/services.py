"""The process that runs the services of plugins beside the workers, and the arbiter's view of it."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from rave_core.cli.stop_signal import StopSignal
from rave_core.clock import SystemClock
from rave_core.settings import Settings
from rave_http.process.log_setup import Log
from rave_http.workers.run_directory import RunDirectory
from rave_http.workers.services_report import FACT, PULSE

if TYPE_CHECKING:
    from rave_core.cli.service_runner import ServiceRunner

_log = logging.getLogger("rave.server")
_clock = SystemClock()
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 300.0
_MARGIN: Final = 5.0  # seconds beyond the grace time, for plugins to stop
_PR_SET_PDEATHSIG: Final = 1


class ServicesProcess:
    """The process, started, watched and stopped. For the arbiter, which must not import plugins itself."""

    def __init__(self, run_directory: RunDirectory, log: Log) -> None:
        """Starts nothing yet."""
        self._run_directory = run_directory
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._wanted: tuple[Settings, float] | None = None
        self._began = self._resume_at = 0.0
        self._pause = _FIRST_PAUSE
        self._grace = 0.0
        self._is_asked = False

    def want(self, settings: Settings, grace: float, *, has_services: bool) -> None:
        """From now on the process runs with these settings, or not at all.

        Args:
            settings: of the runtime.
            grace: seconds that services get to end.
            has_services: whether there is a plugin that may have services.
        """
        self._wanted = (settings, grace) if has_services else None
        self._pause, self._resume_at = _FIRST_PAUSE, 0.0
        if self._process is not None:
            self._is_asked = True
            self._process.send_signal(signal.SIGTERM)

    def watch(self) -> None:
        """Starts the process if it should run and does not, at most so often. Called again and again.

        One that found no services is not started again before `want` is called.
        """
        if self._process is not None:
            if self._process.poll() is None:
                return
            self._note_end()
        if self._wanted is not None and _clock.monotonic() >= self._resume_at:
            self._start(*self._wanted)

    def end(self) -> None:
        """Asks the process to end, for good."""
        if self._wanted is not None:
            self._grace, self._wanted = self._wanted[1], None
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Waits until the process ends, and kills it if it does not within its grace time."""
        self.end()
        if self._process is None:
            return
        try:
            self._process.wait(self._grace + _MARGIN)
        except subprocess.TimeoutExpired:
            _log.warning("the services do not end, and are killed")
            self._process.kill()
            self._process.wait()

    def _start(self, settings: Settings, grace: float) -> None:
        self._began = _clock.monotonic()
        with contextlib.suppress(OSError):  # as in `_report`
            self._run_directory.write(FACT, {"at": _clock.now(), "services": [], "is_over": False})
        command = [sys.executable, "-P", "-m", __name__]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603  # it is ourselves
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:  # it ended already
            pickle.dump((settings, grace, str(self._run_directory.directory), self._log, os.getpid()), pipe)

    def _note_end(self) -> None:
        """Delays the next start, longer each time, unless the process ran for a good while, or was asked to end.

        The arbiter waits for all its children, so the exit code may be unknown: the last report says more.
        """
        self._process = None
        was_asked, self._is_asked = self._is_asked, False
        if was_asked or self._wanted is None:
            return
        report = self._run_directory.read(FACT)
        if report is not None and report["is_over"]:
            self._wanted = None
            return
        lived = _clock.monotonic() - self._began
        self._pause = _FIRST_PAUSE if lived > self._pause else min(2 * self._pause, _LONGEST_PAUSE)
        self._resume_at = _clock.monotonic() + self._pause
        _log.error("the process of the services ended; it starts again in %g s", self._pause)


def main() -> None:
    """Runs all services until SIGTERM; the settings come through standard input, from the arbiter."""
    ending = StopSignal(signal.SIGTERM)
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1):  # those are for the arbiter
        signal.signal(number, lambda *_: None)
    settings, grace, directory, log, parent = pickle.load(sys.stdin.buffer)  # noqa: S301  # from our own parent
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    log.start()
    _run(settings, grace, RunDirectory(directory), parent, ending)


def _run(settings: Settings, grace: float, run_directory: RunDirectory, parent: int, ending: StopSignal) -> None:
    """Runs them until the signal, or until the parent is gone; ends at once if there are none."""
    from rave_core.cli.service_runner import ServiceRunner
    from rave_core.lifecycle import PluginContext, RunningPlugins
    from rave_core.runtime.runtime import Runtime, as_default

    with Runtime(settings) as runtime, as_default(runtime):
        running = RunningPlugins(
            runtime.plugins.calls(), PluginContext(runtime.settings, runtime.events, runtime.clock)
        )
        running.start()
        runner = ServiceRunner(running.services(), runtime)
        runner.start()
        has_services = bool(runner.states())
        while has_services and not ending.wait(PULSE) and os.getppid() == parent:
            _report(run_directory, runner)
        running.drain(grace)
        for name in runner.stop(grace):
            logging.getLogger("rave.services").warning("service %s did not end within %g s", name, grace)
        _report(run_directory, runner, is_over=not has_services)
        running.stop()


def _report(run_directory: RunDirectory, runner: ServiceRunner, *, is_over: bool = False) -> None:
    """Writes how the services are, for the workers."""
    states = [asdict(state) for state in runner.states()]
    with contextlib.suppress(OSError):  # the directory is full, or gone with the arbiter
        run_directory.write(FACT, {"at": _clock.now(), "services": states, "is_over": is_over})


if __name__ == "__main__":
    main()
