"""A connection to a cluster, in a thread of its own: it is made again whenever it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import threading
import uuid
from collections.abc import Coroutine, Mapping
from concurrent.futures import CancelledError as FutureCancelled
from concurrent.futures import Future as ThreadFuture
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rave_core.errors import RaveError, describe_error
from rave_core.model import Progress
from rave_dask.counts import count, install
from rave_dask.run import MOST_STARTS, Run
from rave_dask.settings import DaskSettings, Placement
from rave_dask.tls import refusal, security_for
from rave_http.executors import BusyError, ExecutorFigures, UnfitWorkerError, WorkerLostError

if TYPE_CHECKING:
    from distributed import Client, Future

    from rave_http.executors.remote import Answer

T = TypeVar("T")
_log = logging.getLogger("rave.dask")

_ATTEMPT: Final = 5.0  # seconds for one try to connect
_PAUSE: Final = 0.5  # seconds between two tries, and between two looks at the connection
_CANCELLING: Final = 1.0
_CLOSING: Final = 2.0
_LOOKING: Final = 2.0  # seconds for one look


class Cluster:
    """Runs bodies in a Dask cluster. Safe for many threads. Create it in the process that uses it."""

    def __init__(self, settings: DaskSettings) -> None:
        """Connects in the background."""
        import_module("distributed")  # in the caller's thread: two threads that import it at once get halves of it
        self._settings = settings
        self._address = settings.scheduler
        self._topic = f"rave-{uuid.uuid4().hex}"
        self._runs: dict[int, Run] = {}
        self._tries = itertools.count()
        self._trouble = "the connection is being made"
        self._client: Client | None = None
        self._local: Any = None
        self._workers_seen: Mapping[str, Any] = {}
        self._statistics = install(
            {
                "Scheduler": lambda _: self._address,
                "Trouble": lambda _: self.check() or "",
                "Workers": lambda _: len(self._workers_seen),
                "Threads": lambda _: self._threads(),
                "In The Cluster": lambda _: len(self._runs),
            }
        )
        self._loop = asyncio.new_event_loop()
        self._is_connected = asyncio.Event()
        self._thread = threading.Thread(target=self._turn, name="rave-dask", daemon=True)
        self._thread.start()
        self._keeper = self.start(self._keep_connected())

    def start(self, coroutine: Coroutine[Any, Any, T]) -> ThreadFuture[T]:
        """Runs a coroutine in the thread of the connection."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    async def run(self, run: Run, placement: Placement) -> Answer:
        """What a body answers; call it by `start`. Cancelling it ends the body within a second or two.

        A body whose worker is lost, or whose scheduler, runs once more.

        Raises:
            BusyError: there is no scheduler, or no worker that could run it, for as long as ``patience`` allows.
            UnfitWorkerError: a worker can't run it.
            TimeLimitError: it was killed at its time limit.
            WorkerLostError: it was lost, and ran again, and was lost again; or its process died.
        """
        number = run.remote.number
        self._runs[number] = run
        try:
            while True:
                try:
                    return await self._answer(run, placement)
                except FutureCancelled:  # by us since it was lost too often, or since the scheduler was lost
                    if run.starts >= MOST_STARTS:
                        raise self._lost(run) from None
        finally:
            del self._runs[number]

    def check(self) -> str | None:
        """What keeps bodies from running now; ``None`` if nothing does. It does not wait."""
        if not self._is_connected.is_set():
            return self._away()
        return self._trouble or None

    def figures(self) -> ExecutorFigures:
        """What the cluster has, and what became of the bodies of this process."""
        return ExecutorFigures(
            workers=len(self._workers_seen),
            threads=self._threads(),
            bodies=len(self._runs),
            started=self._statistics["Started"],
            repeated=self._statistics["Run Again"],
            lost=self._statistics["Lost"],
        )

    def close(self) -> None:
        """Ends the connection, what still runs through it, and a cluster of its own."""
        if self._loop.is_closed():
            return
        self._keeper.cancel()
        with contextlib.suppress(TimeoutError, RuntimeError):
            self.start(self._close()).result(_ATTEMPT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ATTEMPT)

    async def _answer(self, run: Run, placement: Placement) -> Answer:
        from rave_dask.bodies import perform

        client = await self._connected()
        run.future = client.submit(
            perform,
            run.remote,
            self._topic,
            key=f"{run.remote.operation}-{self._topic}-{run.remote.number}-{next(self._tries)}",
            pure=False,
            priority=placement.priority,
            resources=dict(placement.resources) or None,
        )
        try:
            answer = await self._awaited(client, run, run.future, placement)
        except BaseException:
            await _cancel(run.future)
            raise
        finally:
            run.future.release()  # type: ignore[no-untyped-call]  # distributed is typed in part
        if isinstance(answer, RaveError):
            raise answer
        return answer

    async def _awaited(self, client: Client, run: Run, future: Future[Any], placement: Placement) -> Answer | RaveError:
        result: asyncio.Future[Answer | RaveError] = asyncio.ensure_future(future.result())
        before = run.starts
        try:
            while not (await asyncio.wait({result}, timeout=self._settings.patience))[0]:
                if run.starts == before and (reason := await self._missing(client, placement)):
                    raise BusyError(f"{run.remote.operation} did not start: {reason}")
            answer = result.result()
            if run.starts == before:  # it ended before it was worth a message
                self._note_start(run)
            return answer
        except (RaveError, FutureCancelled):
            raise
        except Exception as error:
            raise self._trouble_of(run, error) from error
        finally:
            result.cancel()

    def _trouble_of(self, run: Run, error: Exception) -> RaveError:
        """What an exception of Dask means for a body."""
        from distributed.scheduler import KilledWorker

        if isinstance(error, KilledWorker):  # a cluster may allow fewer starts than we do
            return self._lost(run, error.allowed_failures + 1, error.last_worker.address)
        return UnfitWorkerError(f"the worker {run.worker or 'that got it'} can't run {run.remote.operation}: {error!r}")

    def _lost(self, run: Run, times: int = MOST_STARTS, worker: str = "") -> WorkerLostError:
        count(self._statistics, "Lost")
        return run.lost(times, worker)

    async def _connected(self) -> Client:
        try:
            await asyncio.wait_for(self._is_connected.wait(), self._settings.patience)
        except TimeoutError:
            raise BusyError(self._away()) from None
        assert self._client is not None
        return self._client

    async def _keep_connected(self) -> None:
        """Connects, waits until the connection is lost, and connects again."""
        while True:
            try:
                self._client = await self._connect()
            except Exception as error:  # noqa: BLE001  # of the network, of TLS, of another version of Dask
                self._trouble = refusal(self._address, error)
                await asyncio.sleep(_PAUSE)
                continue
            _log.info("connected to the scheduler at %s", self._address)
            self._is_connected.set()
            while self._client.status == "running":
                self._trouble = await self._look(self._client)
                await asyncio.sleep(_PAUSE)
            self._is_connected.clear()
            self._trouble, self._workers_seen = "the connection was lost", {}
            _log.warning("the connection to the scheduler at %s was lost", self._address)
            await _closed(self._client)

    async def _connect(self) -> Client:
        from distributed import Client, LocalCluster

        if self._settings.local and self._local is None:
            workers = self._settings.local
            self._local = await LocalCluster(  # type: ignore[no-untyped-call]  # as above
                n_workers=workers, threads_per_worker=1, asynchronous=True, dashboard_address=None
            )
            self._address = self._local.scheduler_address
        client: Client = Client(  # type: ignore[no-untyped-call]  # as above
            self._address,
            security=security_for(self._address, self._settings.certificates),
            asynchronous=True,
            name=f"rave-{os.getpid()}",
            timeout=_ATTEMPT,
            set_as_default=False,
        )
        try:
            await client
        except BaseException:
            await _closed(client)
            raise
        client.subscribe_topic(self._topic, self._hear)  # type: ignore[no-untyped-call]  # as above
        return client

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        """Takes what a worker tells of a body."""
        message = event[1]
        run = self._runs.get(message["number"])
        if run is None:
            return
        if "started" in message:
            self._note_start(run, message["started"])
            if run.is_lost and run.future is not None:
                self._loop.create_task(_cancel(run.future))
        elif "progress" in message:
            operation, *progress = message["progress"]
            run.tell(operation, Progress(*progress))
        else:
            run.relay(message["events"])

    def _note_start(self, run: Run, worker: str = "") -> None:
        count(self._statistics, "Run Again" if run.starts else "Started")
        run.starts, run.worker = run.starts + 1, worker

    async def _look(self, client: Client) -> str:
        """What is wrong with the cluster; empty if nothing."""
        try:
            async with asyncio.timeout(_LOOKING):
                workers = self._workers_seen = await self._workers(client)
        except (OSError, TimeoutError) as error:
            return f"the scheduler at {self._address} does not answer: {describe_error(error)}"
        return "" if workers else f"the cluster at {self._address} has no workers"

    async def _missing(self, client: Client, placement: Placement) -> str:
        """What the cluster lacks for a body; empty if nothing, so the body waits for its turn."""
        workers = (await self._workers(client)).values()
        if not workers:
            return f"the cluster at {self._address} has no workers"
        wanted = placement.resources.items()
        if any(all(each["resources"].get(name, 0) >= amount for name, amount in wanted) for each in workers):
            return ""
        return f"no worker of the cluster at {self._address} has the resources {dict(wanted)}"

    async def _workers(self, client: Client) -> Mapping[str, Any]:
        assert client.scheduler is not None  # it is connected
        identity = await client.scheduler.identity()
        workers: Mapping[str, Any] = identity["workers"]
        return workers

    def _threads(self) -> int:
        return sum(each["nthreads"] for each in self._workers_seen.values())

    def _away(self) -> str:
        where = f"at {self._address}" if self._address else "of its own"
        return f"no scheduler {where} answers: {self._trouble}"

    async def _close(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wrap_future(self._keeper)
        for each in (self._client, self._local):
            if each is not None:
                await _closed(each)

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            if left:
                self._loop.run_until_complete(asyncio.wait(left, timeout=_CLOSING))
        finally:
            self._loop.close()


async def _closed(thing: Any) -> None:
    """Closes a client or a cluster; the scheduler, which may be gone, gets a moment to hear of it."""
    with contextlib.suppress(Exception):
        await thing.close(timeout=_CLOSING)


async def _cancel(future: Future[Any]) -> None:
    """Cancels a task; the scheduler, which may be gone, gets a moment to hear of it."""
    with contextlib.suppress(Exception):
        cancelling = future.cancel(reason="rave")  # type: ignore[no-untyped-call]  # as above
        await asyncio.wait({asyncio.ensure_future(cancelling)}, timeout=_CANCELLING)
