"""The audit log: refused requests and changes, and who made them."""

from __future__ import annotations

import logging
from typing import Final

from rave_http.protocol.request_record import ANONYMOUS_NAME, RequestRecord

LOGGER: Final = "rave.audit"

_log = logging.getLogger(LOGGER)
_LONGEST = 500


def audit(note: RequestRecord, *, action: str, allowed: bool, target: str, client: str) -> None:
    """Records a request that was refused, as a warning, or that changes something.

    The record carries each part as an attribute of its own: ``action``, ``allowed``, ``target``, ``client``,
    ``principal``, ``principal_kind`` and ``request_id``. None of them holds a control character or a line end.

    Args:
        note: of the request.
        action: the requested action, mostly a permission: ``refresh``, ``purge``, ``delete``, ``reload``, ``pause``.
        allowed: whether it was permitted.
        target: the object of the action: an operation, a namespace, a key, or a path.
        client: the address that it came from.
    """
    parts = {
        "principal": escaped(getattr(note.principal, "name", ANONYMOUS_NAME)),
        "principal_kind": getattr(note.principal, "kind", "anonymous"),
        "action": escaped(action),
        "allowed": allowed,
        "target": escaped(target),
        "client": escaped(client),
        "request_id": escaped(note.request_id),
    }
    _log.log(
        logging.INFO if allowed else logging.WARNING,
        "%s: '%s' '%s' by %s '%s' from '%s', request '%s'",
        "allowed" if allowed else "refused",
        *(parts[name] for name in ("action", "target", "principal_kind", "principal", "client", "request_id")),
        extra=parts,
    )


def escaped(text: str) -> str:
    """``text``, shortened, with everything escaped that a log or a terminal could interpret.

    Quotes and backslashes are escaped too, so that it can't end the surrounding quotes.
    """
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} ..."
    return repr(f"{text}\"'")[1:-4]  # with both quotes in it, a text is always quoted by '
