"""The receiving side: runs bodies that come from another machine, in child processes."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from importlib.metadata import version
from typing import Final

from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError, TimeLimitError, describe_error
from rave_core.model import Key, Progress
from rave_core.settings import Settings
from rave_http.executors.child_channel import log_levels
from rave_http.executors.child_jobs import Answer, BodyCall, CallBatch, ChildConfig, Probe
from rave_http.executors.child_process import ChildProcess, GoneError, KilledError
from rave_http.executors.child_runtime import sees, work, work_batch
from rave_http.executors.executor import UnfitWorkerError, WorkerLostError
from rave_http.executors.handover import PREPARATION, MisfitError, make_ready
from rave_http.executors.remote.bare_settings import restored
from rave_http.executors.remote.body import Content, RemoteBody, inode_of

_LOOK: Final = 0.2  # seconds between two looks at whether a body is still wanted


class BodyHost:
    """On another machine: runs bodies in child processes of this process, one in each. Safe for many threads.

    Children stay for the next body of the same sender. They end with this process.
    """

    def __init__(self, name: str, *, idle: int) -> None:
        """Starts nothing yet.

        Args:
            name: of this worker, for messages.
            idle: children that may be idle; further ones end, the one that was idle for longest first.
        """
        self._name = name
        self._most = idle
        self._idle: list[HostedChild] = []
        self._lock = threading.Lock()
        self._release = version("rave-framework")

    def run(
        self,
        remote: RemoteBody,
        *,
        is_wanted: Callable[[], bool],
        tell: Callable[[str, Progress], None],
        relay: Callable[[bytes], None],
    ) -> Answer:
        """Runs a body, and waits for its end.

        Args:
            remote: the body.
            is_wanted: asked a few times a second; the body is killed as soon as it is not.
            tell: takes reports of progress, after the name of the operation that reports.
            relay: takes events, as a message for `rave_core.events.Events.relay`.

        Raises:
            UnfitWorkerError: it can't run here.
            TimeLimitError: it was killed at its time limit.
            WorkerLostError: its process died, or it was not wanted any more.
        """
        content = self._content(remote)
        with _Watched(is_wanted) as watched:
            try:
                member = self._ready(remote, content, watched)
                try:
                    return self._answer(member, remote, content.body, tell, relay)
                finally:
                    self._give_back(member)
            except KilledError:
                raise WorkerLostError(f"{remote.operation} was ended, since nobody wants it any more") from None
            except GoneError as gone:
                raise WorkerLostError(f"{remote.operation} did not come to its end: {gone}") from None

    @cached_property
    def _own(self) -> Settings:
        """The settings of this machine, as they are when they are first needed."""
        return Settings.load()

    def close(self) -> None:
        """Ends the idle children."""
        with self._lock:
            idle, self._idle = self._idle, []
        for member in idle:
            member.child.kill()

    def _content(self, remote: RemoteBody) -> Content:
        if remote.release != self._release:
            raise self._unfit(remote, f"it has RAVE {self._release}, and the sender has {remote.release}")
        try:
            found = pickle.loads(remote.content)  # noqa: S301  # who may send tasks to this worker, may run any code
        except Exception as error:
            raise self._unfit(remote, describe_error(error)) from error
        assert isinstance(found, Content)
        try:
            settings = restored(found.settings, found.hidden, self._own) if found.hidden else found.settings
        except (MisfitError, ConfigurationError) as misfit:
            raise self._unfit(remote, str(misfit)) from None
        if found.inode is not None and inode_of(found.inode[0]) != found.inode[1]:
            raise self._unfit(remote, f"{found.inode[0]}, where it makes its file, is another directory there")
        return replace(found, settings=settings)

    def _ready(self, remote: RemoteBody, content: Content, watched: _Watched) -> HostedChild:
        """A child that can run a body. One whose code is too old is replaced by a new one."""
        while True:
            member, is_new = self._take(remote, content)
            watched.child = member.child
            try:
                member.look_at(content.probe)
                make_ready(member.child, content.body)
            except MisfitError as misfit:
                member.child.kill()
                if is_new:
                    raise self._unfit(remote, str(misfit)) from None
            except BaseException:
                member.child.kill()
                raise
            else:
                return member

    def _answer(
        self,
        member: HostedChild,
        remote: RemoteBody,
        body: BodyCall | CallBatch,
        tell: Callable[[str, Progress], None],
        relay: Callable[[bytes], None],
    ) -> Answer:
        hearing = member.child.hearing
        hearing.begin(body.number, tell, relay)
        try:
            if isinstance(body, BodyCall):
                answer = member.child.ask(remote.time_limit, work, body)
            else:
                answer = member.child.ask(remote.time_limit, work_batch, body)
        except TimeoutError:
            limit = f"its time limit of {remote.time_limit} s"
            raise TimeLimitError(f"{remote.operation} was ended at {limit}") from None
        finally:
            hearing.end()
        if answer.pickled is None:
            raise self._unfit(remote, answer.misfit)
        return answer

    def _take(self, remote: RemoteBody, content: Content) -> tuple[HostedChild, bool]:
        """An idle child of the same environment, else a new one; and whether it is new."""
        with self._lock:
            old = [each for each in self._idle if each.is_replaced_by(remote)]
            fit = [each for each in self._idle if each.environment == remote.environment and each.child.is_idle]
            gone = [*old, *fit[-1:]]
            self._idle = [each for each in self._idle if each not in gone]
        for each in old:
            each.child.kill()
        if fit:
            return fit[-1], False
        config = ChildConfig(content.settings, content.directories, log_levels())
        try:
            child = ChildProcess(config, 0)
        except OSError as error:
            raise WorkerLostError(f"no process could be started for {remote.operation}: {error}") from error
        return HostedChild(child, remote.origin, remote.environment), True

    def _give_back(self, member: HostedChild) -> None:
        """Keeps a sound child for the next body, and ends those that are too many."""
        if not member.child.is_idle:
            member.child.kill()
            return
        with self._lock:
            self._idle.append(member)
            surplus, self._idle = self._idle[: -self._most], self._idle[-self._most :]
        for each in surplus:
            each.child.kill()

    def _unfit(self, remote: RemoteBody, reason: str) -> UnfitWorkerError:
        return UnfitWorkerError(f"the worker {self._name} can't run {remote.operation}: {reason}")


class HostedChild:
    """A child of a host, for the bodies of one environment."""

    def __init__(self, child: ChildProcess, origin: str, environment: str) -> None:
        self.child = child
        self.origin = origin
        self.environment = environment
        self._has_seen: Key | None = None

    def is_replaced_by(self, remote: RemoteBody) -> bool:
        """Whether the sender of a body has newer code or other settings than this child."""
        return self.origin == remote.origin and self.environment != remote.environment

    def look_at(self, probe: Probe) -> None:
        """Makes sure that the child sees the cache of the sender; `MisfitError` if it does not."""
        if self._has_seen == probe.key:
            return
        try:
            misfit = self.child.ask(PREPARATION, sees, probe)
        except TimeoutError:
            raise GoneError(f"its process was not ready within {PREPARATION:g} s") from None
        if misfit:
            raise MisfitError(misfit)
        self._has_seen = probe.key


class _Watched:
    """Kills a child as soon as what it does is not wanted any more, while the block runs."""

    def __init__(self, is_wanted: Callable[[], bool]) -> None:
        self.child: ChildProcess | None = None
        self._is_wanted = is_wanted
        self._is_over = threading.Event()

    def __enter__(self) -> _Watched:
        threading.Thread(target=self._watch, name="rave-wanted", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()

    def _watch(self) -> None:
        clock = SystemClock()
        while not clock.wait(self._is_over, _LOOK):
            if self.child is not None and not self._is_wanted():
                self.child.kill()
