"""The cookie of a session.

Over HTTPS it is called ``__Host-rave``: a browser takes and sends it for this very host alone. On plain loopback, where
there is no HTTPS, it is ``rave``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from falcon.asgi import Request, Response

if TYPE_CHECKING:
    from rave_http.protocol.proxies import RawHeaders

SECURE: Final = "__Host-rave"
PLAIN: Final = "rave"
_PAST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def carries_token(headers: RawHeaders) -> bool:
    """Whether a request may have the cookie of a session."""
    for name, value in headers:  # noqa: SIM110  # a generator takes twice as long, and every hit comes through here
        if name == b"cookie" and b"rave=" in value:
            return True
    return False


def token_of(req: Request, *, is_secure: bool) -> str:
    """The token that a request brings; empty for none, or for more than one."""
    values = req.get_cookie_values(SECURE if is_secure else PLAIN) or []
    return values[0] if len(values) == 1 else ""


def give_token(resp: Response, token: str, *, seconds: float, is_secure: bool) -> None:
    """Gives a browser a token, for some seconds; an empty one takes it away."""
    resp.set_cookie(
        SECURE if is_secure else PLAIN,
        token,
        max_age=max(1, int(seconds)) if token else None,
        expires=None if token else _PAST,
        path="/",
        secure=is_secure,
        http_only=True,
        same_site="Strict",
    )
