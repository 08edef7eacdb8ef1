"""Askers: who wants the result of a job, as far as requests tell one client from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from rave_http.auth.authorization import Principal
from rave_http.protocol.proxies import site_of
from rave_http.protocol.request_record import ANONYMOUS_NAME


@dataclass(frozen=True, slots=True)
class Asker:
    """One user, however they authenticate; of the anonymous, all who come from one address.

    Attributes:
        kind: ``user``, or ``address`` for the anonymous.
        value: the name of the user, or the address: with IPv6, the /64 network; empty for a Unix socket.
    """

    kind: Literal["user", "address"]
    value: str

    @classmethod
    def of(cls, principal: Principal, client: str) -> Self:
        """The asker of a request, which comes from the address ``client``."""
        if principal.kind == "anonymous":
            return cls("address", site_of(client))
        return cls("user", principal.name)

    @property
    def identity(self) -> str:
        """As limits count clients."""
        return f"{self.kind} {self.value}"

    @property
    def name(self) -> str:
        """The name of the user; ``-`` for the anonymous."""
        return self.value if self.kind == "user" else ANONYMOUS_NAME
