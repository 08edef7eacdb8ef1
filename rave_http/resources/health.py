"""``/-/livez``, ``/-/readyz`` and ``/-/version``: whether the worker lives, and what of it works."""

from __future__ import annotations

import asyncio
import platform
from importlib.metadata import version
from typing import Any, Final

from falcon.asgi import Request, Response

from rave_http.protocol.queries import read
from rave_http.worker.responses import send_json
from rave_http.worker.service import Service

_NAMESPACE: Final = "namespace "


class Live:
    """``/-/livez``."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """200 as long as the event loop turns."""
        read(req)
        send_json(resp, {"status": "ok"})

    on_head = on_get


class Ready:
    """``/-/readyz``."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def on_get(self, req: Request, resp: Response) -> None:
        """200 where requests are answered, though perhaps not as they should be: ``degraded`` names the parts.

        Namespaces that whoever asks may not see are not named there.

        503 while the worker is about to stop. A store in trouble is no reason to be taken out of service, since calls
        are answered without it.
        """
        read(req)
        service = self._service
        parts = await asyncio.to_thread(self._parts)
        degraded = sorted({self._shown(req, name) for name, state in parts.items() if state != "ok"})
        status = "stopping" if service.is_draining else "degraded" if degraded else "ok"
        document = {"status": status, "degraded": degraded, "parts": parts if service.may(req, "debug") else None}
        send_json(resp, document, status="503 Service Unavailable" if service.is_draining else "200 OK")
        if service.is_draining:
            resp.set_header("Retry-After", "1")

    on_head = on_get

    async def degraded(self, req: Request) -> list[str]:
        """The parts that do not work as they should, by name; what is wrong with each for those who may ``debug``."""
        parts = await asyncio.to_thread(self._parts)
        wrong = [(name, state) for name, state in sorted(parts.items()) if state != "ok"]
        if self._service.may(req, "debug"):
            return [f"{name}: {state}" for name, state in wrong]
        return sorted({self._shown(req, name) for name, _ in wrong})

    def _shown(self, req: Request, part: str) -> str:
        """What a part is called before whoever asks."""
        namespace = part.removeprefix(_NAMESPACE)
        return part if namespace == part or self._service.may(req, "view", namespace) else "namespaces"

    def _parts(self) -> dict[str, Any]:
        service = self._service
        parts: dict[str, Any] = {}
        for name, cache in (("data", service.runtime.cache), ("products", service.runtime.products)):
            try:
                parts[name] = cache.backend.check() or "ok"
            except Exception as error:  # noqa: BLE001  # a store may raise anything
                parts[name] = str(error)
        for state in service.namespaces.states():
            wrong = state.error or "; ".join(problem.error for problem in state.problems)
            parts[f"{_NAMESPACE}{state.name}"] = wrong or "ok"
        problems = [*service.runtime.plugins.problems, *service.plugins.problems]
        parts["plugins"] = "; ".join(map(str, problems)) or "ok"
        return parts


class Version:
    """``/-/version``."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """What answers here."""
        read(req)
        send_json(resp, {"rave": version("rave-framework"), "python": platform.python_version()})

    on_head = on_get
