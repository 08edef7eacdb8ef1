"""``/-/namespaces`` and ``/-/namespaces/{namespace}/reload``: the loaded namespaces, and reloading them."""

from __future__ import annotations

import asyncio
from typing import Any

from falcon.asgi import Request, Response

from rave_core.errors import ConfigurationError, UnknownNameError
from rave_http.auth.authorization import HIDDEN
from rave_http.auth.authorizer import Authorizer
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState
from rave_http.protocol.conditions import check_write
from rave_http.protocol.problems import Problem
from rave_http.protocol.queries import read
from rave_http.protocol.responses import send_json
from rave_http.protocol.times import iso
from rave_http.workers.workers import Workers


class Namespaces:
    """``/-/namespaces``."""

    def __init__(self, namespaces: LiveNamespaces, authorizer: Authorizer) -> None:
        self._namespaces = namespaces
        self._authorizer = authorizer

    async def on_get(self, req: Request, resp: Response) -> None:
        """Each namespace: where it comes from, its generation, its operations, and what is wrong with it."""
        read(req)
        states = [each for each in self._namespaces.states() if self._authorizer.may(req, "view", each.name)]
        send_json(resp, {"namespaces": [state_document(each) for each in states]})

    on_head = on_get


class Reload:
    """``/-/namespaces/{namespace}/reload``."""

    def __init__(self, namespaces: LiveNamespaces, authorizer: Authorizer, workers: Workers) -> None:
        """Also answers the other workers when they ask for a reload of a namespace."""
        self._namespaces = namespaces
        self._authorizer = authorizer
        self._workers = workers
        workers.answer("reload", self._reload)

    async def on_post(self, req: Request, resp: Response, namespace: str) -> None:
        """Reloads a namespace in every worker, without waiting for a change. Returns its state in each."""
        read(req)
        known = {each.name: each for each in self._namespaces.states()}
        if namespace not in known or not self._authorizer.may(req, "view", namespace):
            raise Problem("not-found", HIDDEN)
        self._authorizer.require(req, "reload", namespace, audited=True)
        if known[namespace].kind != "directory":
            raise Problem(
                "conflict",
                f"{namespace!r} is an installed package; send HUP to the service to load what was newly installed",
            )
        check_write(req)
        answers = await self._workers.ask("reload", timeout=60.0, namespace=namespace)
        failed = [answer for answer in answers.values() if answer.get("error")]
        document: dict[str, Any] = {"namespace": namespace, "workers": dict(answers), "silent": answers.silent}
        if failed:
            raise Problem("conflict", f"{namespace!r} could not be reloaded: {failed[0]['error']}", **document)
        send_json(resp, document)

    async def _reload(self, facts: dict[str, Any]) -> dict[str, Any]:
        try:
            state = await asyncio.to_thread(self._namespaces.reload, str(facts["namespace"]))
        except (UnknownNameError, ConfigurationError) as error:
            return {"error": str(error)}
        return state_document(state)


def state_document(state: NamespaceState) -> dict[str, Any]:
    """The state of a namespace as JSON."""
    return {
        "name": state.name,
        "kind": state.kind,
        "origin": state.origin,
        "generation": state.generation,
        "loaded": iso(state.loaded_at),
        "operations": list(state.operations),
        "problems": [{"name": each.name, "origin": each.origin, "error": each.error} for each in state.problems],
        "error": state.error,
        "failed": None if state.failed_at is None else iso(state.failed_at),
    }
