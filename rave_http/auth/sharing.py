"""Sharing: who may see and change a document that a user keeps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rave_http.auth.authorization import CHALLENGE, SERVICE
from rave_http.auth.authorizer import Authorizer
from rave_http.protocol.problems import Problem

if TYPE_CHECKING:
    from falcon.asgi import Request

EVERYONE: Final = "everyone"
NAMESPACE: Final = "namespace:"
USER: Final = "user:"
_FORM: Final = re.compile(r"everyone|(namespace|user):[^\x00-\x1f\x7f]{1,128}")


class Sharing:
    """Decides by the owner of a document and its list ``shared``. For the event loop of one worker.

    The list has ``everyone``, ``namespace:NAME`` for those who may view that namespace, and ``user:NAME``; without any,
    a document is its owner's alone. A named user may change it, too, and so may those with the permission ``write`` in
    a namespace of the list. Only the owner may remove it or change the list, besides those with the permission
    ``admin``.
    """

    def __init__(self, authorizer: Authorizer) -> None:
        """Knows who asks, and what they may, from ``authorizer``."""
        self._authorizer = authorizer

    def user(self, req: Request) -> str:
        """The user who asks; empty for nobody.

        Raises:
            Problem: the credentials are not valid.
        """
        principal = self._authorizer.principal(req)
        return "" if principal.kind == "anonymous" else principal.name

    def required_user(self, req: Request) -> str:
        """The user who asks.

        Raises:
            Problem: nobody is signed in, or the credentials are not valid.
        """
        user = self.user(req)
        if not user:
            detail = "only a user can keep something: sign in, or send an API key"
            raise Problem("unauthorized", detail, headers=CHALLENGE)
        return user

    def may_see(self, req: Request, owner: str, shared: Sequence[str]) -> bool:
        """Whether the client may see a document of ``owner``."""
        user, may = self.user(req), self._authorizer.may
        if (user and user == owner) or USER + user in shared or self.is_owner(req, owner):
            return True
        if EVERYONE in shared and (user or may(req, "view", SERVICE)):
            return True
        return any(may(req, "view", name) for name in _namespaces(shared))

    def may_change(self, req: Request, owner: str, shared: Sequence[str]) -> bool:
        """Whether the client may save another version of a document of ``owner``."""
        user = self.user(req)
        if not user:
            return False
        if self.is_owner(req, owner) or USER + user in shared:
            return True
        return any(self._authorizer.may(req, "write", name) for name in _namespaces(shared))

    def is_owner(self, req: Request, owner: str) -> bool:
        """Whether the client may do with a document of ``owner`` all that its owner may."""
        user = self.user(req)
        return bool(user) and (user == owner or self._authorizer.may(req, "admin", SERVICE))


def checked(shared: Sequence[str]) -> None:
    """Returns if a list says with whom a document is shared.

    Raises:
        Problem: it does not; the message says what would be right.
    """
    for each in shared:
        if not _FORM.fullmatch(each):
            detail = f"shared: {each[:80]!r} is not 'everyone', 'namespace:NAME' or 'user:NAME'"
            raise Problem("bad-arguments", detail, errors=[{"parameter": "shared", "detail": detail}])


def _namespaces(shared: Sequence[str]) -> list[str]:
    return [each.removeprefix(NAMESPACE) for each in shared if each.startswith(NAMESPACE)]
