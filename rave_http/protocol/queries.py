"""Queries: reads them within limits, and checks the parameters of the system's paths: only known ones, each once."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from falcon.asgi import Request

from rave_core.errors import nearest
from rave_http.protocol.problems import Problem

_MOST: Final = 100


def pairs(query: str, *, most: int) -> list[tuple[str, str]]:
    """The names and texts in a query, or in the body of a form, in their order.

    Args:
        query: as it was sent.
        most: how many there may be.

    Raises:
        Problem: there are more, or one does not decode to UTF-8.
    """
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=most)
    except UnicodeDecodeError:
        raise Problem("bad-request", "The percent-encoded parameters are not UTF-8") from None
    except ValueError:
        raise Problem("bad-request", f"There are more than {most} parameters") from None


def read(req: Request, *known: str) -> dict[str, str]:
    """The parameters of a request's query by name.

    Raises:
        Problem: one is unknown, or given twice, or can't be read.
    """
    return read_text(req.query_string, *known)


def read_text(query: str, *known: str) -> dict[str, str]:
    """The parameters in a query, or in the body of a form.

    Raises:
        Problem: one is unknown, or given twice, or can't be read.
    """
    if not query:
        return {}
    found: dict[str, str] = {}
    for name, text in pairs(query, most=_MOST):
        if name not in known or name in found:
            hint = "is given twice" if name in found else f"is unknown; {nearest(name[:80], known)}"
            detail = f"the parameter {name[:80]!r} {hint}"
            raise Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}])
        found[name] = text
    return found
