"""The principal of a request, and whether they may do what it requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rave_http.auth.asker import Asker
from rave_http.auth.audit import audit
from rave_http.auth.authorization import SERVICE, Access, Principal
from rave_http.auth.rate_limits import Rates
from rave_http.protocol.origins import address_of
from rave_http.protocol.problems import Problem
from rave_http.protocol.request_record import RequestRecord
from rave_http.protocol.session_cookie import carries_token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, MutableMapping

    from falcon.asgi import Request


class Authorizer:
    """Decides about requests. For the event loop of one worker."""

    def __init__(self, access: Access, rates: Rates, *, is_https: bool = False) -> None:
        """Makes it of its parts.

        Args:
            access: permissions.
            rates: how many jobs a user may start.
            is_https: whether all clients reach the service by HTTPS.
        """
        self._is_https = is_https
        self._access = access
        self._rates = rates

    def principal(self, req: Request) -> Principal:
        """Who asks.

        Raises:
            Problem: the credentials are not valid.
        """
        return self._identified(req.scope)

    def asker(self, req: Request) -> Asker:
        """Who wants the result of a job.

        Raises:
            Problem: the credentials are not valid.
        """
        return Asker.of(self.principal(req), self.client(req))

    def user(self, req: Request) -> str | None:
        """The name of the user who asks; ``None`` for the anonymous.

        Raises:
            Problem: the credentials are not valid.
        """
        principal = self.principal(req)
        return None if principal.kind == "anonymous" else principal.name

    def is_valid(self, req: Request) -> bool:
        """Whether the credentials of a request that takes long are still valid; its principal is found anew."""
        record: RequestRecord = req.scope["rave"]
        if record.is_still_valid is not None:
            return record.is_still_valid()
        record.principal = None
        try:
            self.principal(req)
        except Problem:
            return False
        return True

    def sign_in(self, req: Request, principal: Principal, is_still_valid: Callable[[], bool]) -> None:
        """Makes a principal the one who asks, as long as ``is_still_valid`` says so; it must not wait."""
        record: RequestRecord = req.scope["rave"]
        record.principal, record.is_private = principal, self._access.is_private(principal)
        record.is_still_valid = is_still_valid

    def is_secure(self, req: Request) -> bool:
        """Whether the client reaches the service by HTTPS, if need be at a proxy."""
        if self._is_https:
            return True
        scheme = req.scope.get("scheme", "http")
        address = address_of(req.scope["headers"], scheme=scheme, is_trusted=self.is_behind_proxy(req))
        return (address or f"{scheme}:").startswith("https:")

    def client(self, req: Request) -> str:
        """The address of the client, behind trusted proxies."""
        record: RequestRecord = req.scope["rave"]
        return record.client

    def is_behind_proxy(self, req: Request) -> bool:
        """Whether a proxy that is trusted passed the request on."""
        return self._access.proxies.trust(_peer(req.scope))

    def may(self, req: Request, permission: str, namespace: str = SERVICE) -> bool:
        """Whether the principal has a permission; see `Access.allows`.

        Raises:
            Problem: the credentials are not valid.
        """
        principal = self._identified(req.scope)
        return self._access.allows(principal, permission, namespace, req.scope["rave"].verdicts)

    def may_view(self, scope: MutableMapping[str, Any], namespace: str) -> bool:
        """Whether the sender of an ASGI request may see a namespace, as far as can be told without waiting.

        ``False`` for credentials that are not valid, and for those of a session, which are looked up later.
        """
        if scope["rave"].principal is None and carries_token(scope["headers"]):
            return False
        try:
            principal = self._identified(scope)
        except Problem:
            return False  # the resource that needs the principal reports the problem
        return self._access.allows(principal, "view", namespace, scope["rave"].verdicts)

    def require(self, req: Request, permission: str, namespace: str = SERVICE, *, audited: bool = False) -> None:
        """Returns if the principal has a permission. The audit log records refusals, and with ``audited`` also grants.

        Raises:
            Problem: they do not have it.
        """
        try:
            principal = self._identified(req.scope)
            self._access.require(principal, permission, namespace, req.scope["rave"].verdicts)
        except Problem:
            self.audit(req, permission, allowed=False)
            raise
        if audited:
            self.audit(req, permission, allowed=True)

    def may_start(self, req: Request, namespace: str) -> bool:
        """Whether the principal may start jobs in a namespace, and no page of another site asks in their name.

        Raises:
            Problem: the credentials are not valid.
        """
        return not req.scope["rave"].is_cross_site and self.may(req, "run", namespace)

    def require_start(self, req: Request, namespace: str) -> None:
        """Returns if `may_start`. The audit log records refusals.

        Raises:
            Problem: they may not.
        """
        self.require(req, "run", namespace)
        if req.scope["rave"].is_cross_site:
            self.audit(req, "cross-site", allowed=False)
            raise Problem(
                "cross-site", "The result is not stored, and a page of another site asked for it in your name"
            )

    @property
    def may_block(self) -> bool:
        """Whether plugins decide in code that may wait for something; then `verdicts` have to be asked first."""
        return self._access.may_block

    def verdicts(self, principal: Principal, namespaces: Iterable[str]) -> dict[tuple[str, str], bool | None]:
        """What the plugins say of all permissions of a principal in some namespaces. It may take its time."""
        return self._access.verdicts(principal, namespaces)

    def audit(self, req: Request, action: str, *, allowed: bool) -> None:
        """Records in the audit log that a request was refused, or that it changes something."""
        audit(req.scope["rave"], action=action, allowed=allowed, target=req.path, client=self.client(req))

    def identity(self, req: Request) -> str:
        """Who asks, as limits count clients: a user, or the address of somebody without a name.

        Raises:
            Problem: the credentials are not valid.
        """
        return self.asker(req).identity

    def charge(self, req: Request) -> None:
        """Takes one job off what the principal may start.

        Raises:
            Problem: they have started too many.
        """
        self._rates.take(self.principal(req), self.client(req))

    def _identified(self, scope: MutableMapping[str, Any]) -> Principal:
        record: RequestRecord = scope["rave"]
        if record.principal is None:
            principal = self._access.principal(scope["headers"], _peer(scope))
            record.principal, record.is_private = principal, self._access.is_private(principal)
        found: Principal = record.principal
        return found


def _peer(scope: MutableMapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""
