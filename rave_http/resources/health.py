"""``/-/livez``, ``/-/readyz`` and ``/-/version``: whether the worker lives, and what of it works."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

from falcon.asgi import Request, Response

from rave_core.lifecycle import RunningPlugins
from rave_core.runtime.runtime import Runtime
from rave_http.auth.authorizer import Authorizer
from rave_http.executors.choice import Executors
from rave_http.namespaces.listed_documents import ListedNamespaces
from rave_http.namespaces.live_catalog import LiveNamespaces
from rave_http.plugins.discovery import HttpPlugins
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_json
from rave_http.workers.services_report import ServicesReport

_NAMESPACE: Final = "namespace "
_PATIENCE: Final = 1.0
"""Seconds for which a check waits for the document store."""


class Live:
    """``/-/livez``."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """200 while the event loop runs."""
        read(req)
        send_json(resp, {"status": "ok"})

    on_head = on_get


class Ready:
    """``/-/readyz``."""

    def __init__(
        self,
        namespaces: LiveNamespaces,
        listed: ListedNamespaces,
        authorizer: Authorizer,
        runtime: Runtime,
        plugins: HttpPlugins,
        running: RunningPlugins,
        services: ServicesReport,
        executors: Executors,
        is_stopping: Callable[[], bool],
    ) -> None:
        """Checks the parts of a worker. ``is_stopping`` tells whether the service stops; it may wait for a disk."""
        self._namespaces = namespaces
        self._listed = listed
        self._authorizer = authorizer
        self._runtime = runtime
        self._plugins = plugins
        self._running = running
        self._services = services
        self._executors = executors
        self._is_stopping = is_stopping
        self._documents = _DocumentsCheck(runtime)

    async def on_get(self, req: Request, resp: Response) -> None:
        """200 while the worker answers requests. ``degraded`` names the parts that do not work as they should.

        It does not name namespaces that the principal may not see.

        503 while the service is about to stop. A worker that leaves at a reload has successors that serve already.
        Trouble in a store is no reason to take a worker out of service, since it answers calls without the store.
        """
        read(req)
        parts, is_stopping = await self._parts(), await asyncio.to_thread(self._is_stopping)
        degraded = sorted({self._shown(req, name) for name, state in parts.items() if state != "ok"})
        status = "stopping" if is_stopping else "degraded" if degraded else "ok"
        document = {
            "status": status,
            "degraded": degraded,
            "parts": parts if self._authorizer.may(req, "debug") else None,
        }
        send_json(resp, document, status="503 Service Unavailable" if is_stopping else "200 OK")
        if is_stopping:
            resp.set_header("Retry-After", "1")

    on_head = on_get

    async def degraded(self, req: Request) -> list[str]:
        """The parts that do not work as they should, by name; what is wrong with each for those who may ``debug``."""
        parts = await self._parts()
        wrong = [(name, state) for name, state in sorted(parts.items()) if state != "ok"]
        if self._authorizer.may(req, "debug"):
            return [f"{name}: {state}" for name, state in wrong]
        return sorted({self._shown(req, name) for name, _ in wrong})

    def _shown(self, req: Request, part: str) -> str:
        """The name of a part as the principal may see it."""
        namespace = part.removeprefix(_NAMESPACE)
        return part if namespace == part or self._authorizer.may(req, "view", namespace) else "namespaces"

    async def _parts(self) -> dict[str, str]:
        parts = await asyncio.to_thread(self._quick_parts)
        if self._runtime.uses_documents:
            parts["documents"] = await self._documents.state()
        return parts

    def _quick_parts(self) -> dict[str, str]:
        parts: dict[str, str] = {}
        for name, cache in (("data", self._runtime.cache), ("products", self._runtime.products)):
            try:
                parts[name] = cache.backend.check() or "ok"
            except Exception as error:  # noqa: BLE001  # a store may raise anything
                parts[name] = str(error)
        for state in self._namespaces.states():
            wrong = state.error or "; ".join(problem.error for problem in state.problems)
            parts[f"{_NAMESPACE}{state.name}"] = wrong or "ok"
        for name, wrong in self._listed.problems().items():
            parts[name] = wrong if parts.get(name, "ok") == "ok" else f"{parts[name]}; {wrong}"
        problems = [*self._runtime.plugins.problems, *self._plugins.problems]
        states = [f"{each.name}: {each.error}" for each in self._running.states() if each.error]
        parts["plugins"] = "; ".join([*map(str, problems), *states]) or "ok"
        parts |= self._services.problems()
        parts |= self._executors.problems()
        return parts


class _DocumentsCheck:
    """Asks the document store whether it answers. For one event loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._asking: asyncio.Task[str] | None = None

    async def state(self) -> str:
        """``ok``, or what is wrong. A store that does not answer is waited for a second, by one thread in all."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(asyncio.to_thread(self._ask))
        await asyncio.wait({self._asking}, timeout=_PATIENCE)
        return self._asking.result() if self._asking.done() else f"no answer for {_PATIENCE:g} s"

    def _ask(self) -> str:
        try:
            self._runtime.documents.sequence()
        except Exception as error:  # noqa: BLE001  # a store of a plugin may raise anything
            return str(error) or type(error).__name__
        return "ok"


class Version:
    """``/-/version``."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """What answers here."""
        read(req)
        send_json(resp, {"rave": version("rave-framework"), "python": platform.python_version()})

    on_head = on_get
