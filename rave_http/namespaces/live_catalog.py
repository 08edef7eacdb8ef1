"""Live namespaces: the operations of the service, reloaded whenever a directory changes (R18).

After a broken change, the previous code continues to serve. A worker that starts at that time loads it from the sources
kept in the run directory.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rave_core.clock import Clock
from rave_core.errors import ConfigurationError, PluginError, UnknownNameError, nearest
from rave_core.operations.catalog import Catalog, Namespace
from rave_core.plugins.discovery import LoadProblem
from rave_core.runtime.runtime import Runtime
from rave_http.namespaces.exported import ExportedOperation, Exports
from rave_http.namespaces.source_store import KeptSources
from rave_http.namespaces.watcher import Watcher

_log = logging.getLogger("rave.http")
_AGAIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class NamespaceState:
    """How a namespace is doing.

    Attributes:
        name: of the namespace.
        kind: ``installed`` for a package, ``directory`` for one that is reloaded when it changes.
        origin: the package or the directory.
        generation: how often this worker accepted its code: 1 from the start, even for kept code; 0 while there is
            none.
        loaded_at: when the current code was loaded, in Unix seconds; 0 while there is none.
        operations: what it serves, as ``namespace/operation``, in order.
        problems: those of the latest load, whether it was accepted or not.
        error: why the latest load was refused; empty if it was accepted.
        failed_at: when the latest load was refused, in Unix seconds, else ``None``.
        is_gone: whether it has ended, and is not served any more.
    """

    name: str
    kind: str
    origin: str
    generation: int = 0
    loaded_at: float = 0.0
    operations: tuple[str, ...] = ()
    problems: tuple[LoadProblem, ...] = ()
    error: str = ""
    failed_at: float | None = None
    is_gone: bool = False


class LiveNamespaces:
    """The namespaces of one worker.

    The new code of a directory loads beside the current code, and replaces it once the load is complete. A failed load
    is reported, and the current code stays. Calls under way finish with the code they started with. Directories load
    one at a time: during the imports of one, changes of the others wait, and nothing else does.

    Safe for many threads. It runs the code of namespaces, so enter `rave_core.using` around every use.

    Attributes:
        on_change: called with the new state after each load, accepted or refused, and at the end of a namespace, in the
            thread that loaded or ended it.
    """

    def __init__(
        self,
        directories: Mapping[str, str],
        *,
        runtime: Runtime,
        clock: Clock,
        load_error_fatal: bool,
        polling: bool = False,
        kept: KeptSources | None = None,
    ) -> None:
        """Loads nothing yet.

        Args:
            directories: those that are namespaces, by name.
            runtime: the one that answers calls of the operations.
            clock: the source of load times.
            load_error_fatal: whether a problem stops everything, except one with a directory whose code is kept.
            polling: whether to watch without the help of the system.
            kept: the code that workers of this service accepted.
        """
        self.on_change: list[Callable[[NamespaceState], None]] = []
        self._runtime = runtime
        self._clock = clock
        self._load_error_fatal = load_error_fatal
        self._kept = kept
        self._lock = threading.Lock()
        self._directories = dict(directories)
        self._watcher = Watcher(directories, self.reload, clock=clock, polling=polling)
        self._exports = Exports.of(Catalog({}, []), runtime, generation=0)
        self._states: Mapping[str, NamespaceState] = {}

    def load(self) -> None:
        """Loads all namespaces, which can take long. Call it once, before anything else.

        Raises:
            PluginError: there is a problem, and ``load_error_fatal`` is set.
            ConfigurationError: an operation names an unknown strategy, version or converter.
        """
        directories = dict(self._directories)
        catalog = Catalog.installed(directories)
        for name, directory in directories.items():
            if name in catalog.namespaces and catalog.namespaces[name].origin != directory:
                del self._directories[name]
                self._watcher.forget(name)
        catalog, earlier = self._with_kept(catalog)
        fatal = [problem for problem in catalog.problems if _space(problem) not in earlier]
        if self._load_error_fatal and fatal:
            raise PluginError("; ".join(map(str, fatal)))
        self._exports = Exports.of(catalog, self._runtime, generation=1)
        self._states = self._first_states(catalog, earlier)
        for name in self._directories.keys() & catalog.namespaces.keys() - earlier:
            self._keep(catalog.namespaces[name])

    @property
    def catalog(self) -> Catalog:
        """The current catalog and its problems. It is replaced as a whole and never changed."""
        return self._exports.catalog

    @property
    def generation(self) -> int:
        """Grows with every change that is taken."""
        return self._exports.generation

    def states(self) -> list[NamespaceState]:
        """How each namespace is doing, by name."""
        return list(self._states.values())

    def find(self, name: str) -> ExportedOperation | None:
        """The operation that is exported as ``namespace/operation``, if any."""
        return self._exports.by_name.get(name)

    def exported(self) -> list[ExportedOperation]:
        """All exported operations, in order of their names."""
        return list(self._exports.by_name.values())

    def by_full_name(self, full_name: str) -> ExportedOperation | None:
        """The exported operation whose keys begin with ``full_name``, if any."""
        return self._exports.by_full_name.get(full_name)

    def by_quoted_name(self, quoted: str) -> Sequence[ExportedOperation]:
        """The exported operations whose keys begin with ``quoted``, in order of their names."""
        return self._exports.by_quoted_name.get(quoted, ())

    def reload(self, name: str) -> NamespaceState:
        """Loads the current code of a directory and returns the outcome. Waits while another one loads.

        Operations of other namespaces that reach this code follow with their next request.

        Raises:
            UnknownNameError: there is no namespace of that name.
            ConfigurationError: it is an installed package.
        """
        with self._lock:
            if name not in self._directories:
                raise self._refusal(name)
            self._watcher.looked(name)
            exports, started = self._exports, self._clock.monotonic()
            catalog = exports.catalog.with_namespace(name, self._directories[name])
            before, after = self._states[name], catalog.namespaces.get(name)
            is_taken = after is not None and after is not exports.catalog.namespaces.get(name)
            state = self._taken(before, after) if after is not None and is_taken else self._refused(before, catalog)
            generation = exports.generation + is_taken
            self._exports = Exports.of(catalog, self._runtime, generation=generation)
            self._states = {**self._states, name: state}
            if after is not None and is_taken:
                self._keep(after)
        _report(before, state, self._clock.monotonic() - started)
        self._tell(state)
        return state

    @property
    def directories(self) -> Mapping[str, str]:
        """Those that are namespaces now, by name; a live view."""
        return self._directories

    def place(self, name: str, directory: str) -> NamespaceState:
        """Serves a directory under a name from now on: a new one, or in place of another. Loads it, and says how it is.

        Raises:
            ConfigurationError: an installed package has this name.
        """
        with self._lock:
            before = self._states.get(name)
            if before is not None and name not in self._directories:
                raise ConfigurationError(f"namespace {name!r} is the installed package {before.origin}; it stays")
            self._watcher.place(name, directory)
            self._directories[name] = directory
            state = NamespaceState(name, "directory", directory) if before is None else before
            states = {**self._states, name: replace(state, origin=directory)}
            self._states = {each: states[each] for each in sorted(states)}
        return self.reload(name)

    def drop(self, name: str) -> None:
        """Ends the service of a directory that was placed; calls under way finish. Nothing if there is none."""
        with self._lock:
            if self._directories.pop(name, None) is None:
                return
            self._watcher.forget(name)
            exports, states = self._exports, dict(self._states)
            left = {each: space for each, space in exports.catalog.namespaces.items() if each != name}
            catalog = Catalog(left, [each for each in exports.catalog.problems if _space(each) != name])
            self._exports = Exports.of(catalog, self._runtime, generation=exports.generation + 1)
            gone = replace(states.pop(name), operations=(), problems=(), error="", failed_at=None, is_gone=True)
            self._states = states
        _log.info("namespace %s: it is not listed any more, and not served", name)
        self._tell(gone)

    async def watch(self) -> None:
        """Loads what changes, within a second or two, until it is cancelled."""
        while True:
            try:
                await self._watcher.run()
            except Exception:  # noqa: BLE001  # logged; a watcher that ends would leave old code serving for good
                _log.exception("watching the namespaces failed; it starts again in %g s", _AGAIN)
            await asyncio.sleep(_AGAIN)

    def _with_kept(self, catalog: Catalog) -> tuple[Catalog, set[str]]:
        """A catalog in which kept code replaces broken code, and the names of those namespaces."""
        problems, earlier = catalog.problems, set[str]()
        broken = self._directories.keys() & map(_space, problems)
        for name in sorted(broken):
            sources = self._kept.find(name, self._directories[name]) if self._kept is not None else None
            if sources is None:
                continue
            tried = catalog.with_namespace(name, self._directories[name], sources=sources)
            for problem in _problems_of(name, tried):
                _log.error("namespace %s: the previous code has a problem, too: %s", name, problem)
            if tried.namespaces.get(name) is not catalog.namespaces.get(name):
                catalog = tried
                earlier.add(name)
        return Catalog(catalog.namespaces, problems), earlier

    def _keep(self, namespace: Namespace) -> None:
        """Keeps the accepted code of a directory, if it is complete."""
        if self._kept is not None and namespace.sources is not None and not namespace.problems:
            self._kept.keep(namespace.name, namespace.origin, namespace.sources)

    def _first_states(self, catalog: Catalog, earlier: Collection[str]) -> dict[str, NamespaceState]:
        failed = {_space(problem): problem.origin for problem in reversed(catalog.problems)}
        origins = failed | {each.name: each.origin for each in catalog.namespaces.values()} | self._directories
        states = {}
        for name, origin in sorted(origins.items()):
            state = NamespaceState(name, "directory" if name in self._directories else "installed", origin)
            namespace = catalog.namespaces.get(name)
            if namespace is not None:
                state = self._taken(state, namespace)
            if namespace is None or name in earlier:
                state = self._refused(state, catalog)
            if name in earlier:
                _log.error(
                    "namespace %s: its change is not loaded, and the previous code keeps serving: %s", name, state.error
                )
            states[name] = replace(state, problems=_problems_of(name, catalog))
        return states

    def _taken(self, before: NamespaceState, namespace: Namespace) -> NamespaceState:
        return replace(
            before,
            generation=before.generation + 1,
            loaded_at=self._clock.now(),
            operations=tuple(f"{namespace.name}/{name}" for name in namespace.operations),
            problems=namespace.problems,
            error="",
            failed_at=None,
        )

    def _refused(self, before: NamespaceState, catalog: Catalog) -> NamespaceState:
        problems = _problems_of(before.name, catalog)
        return replace(before, problems=problems, error="; ".join(map(str, problems)), failed_at=self._clock.now())

    def _refusal(self, name: str) -> Exception:
        if name in self._states:
            return ConfigurationError(
                f"namespace {name!r} is the installed package {self._states[name].origin}, which is loaded anew "
                "when the service is restarted by the signal HUP"
            )
        return UnknownNameError(f"no namespace is called {name!r}; {nearest(name, self._states)}")

    def _tell(self, state: NamespaceState) -> None:
        for listener in self.on_change:
            try:
                listener(state)
            except Exception:  # noqa: BLE001  # logged; the others are to hear of it, too
                _log.exception("%r failed to handle a change of namespace %s", listener, state.name)


def _problems_of(name: str, catalog: Catalog) -> tuple[LoadProblem, ...]:
    return tuple(problem for problem in catalog.problems if _space(problem) == name)


def _space(problem: LoadProblem) -> str:
    """The namespace that a problem is of."""
    return problem.name.partition("/")[0]


def _report(before: NamespaceState, after: NamespaceState, seconds: float) -> None:
    """Logs the outcome of a load; the same mistake only once."""
    if not after.error:
        _log.info("namespace %s: generation %d, loaded in %.2f s", after.name, after.generation, seconds)
        for problem in after.problems:
            _log.warning("namespace %s", problem)
    elif after.error != before.error:
        kept = f"generation {after.generation} serves on" if after.generation else "nothing of it is served"
        _log.error("namespace %s: its change is not loaded, %s: %s", after.name, kept, after.error)
