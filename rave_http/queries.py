"""The parameters of the system's own paths: few, each given once, and no others."""

from __future__ import annotations

from urllib.parse import parse_qsl

from falcon.asgi import Request

from rave_core.errors import nearest
from rave_http.problems import Problem


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
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise Problem("bad-request", "The parameters can't be read: too many, or not UTF-8") from None
    found: dict[str, str] = {}
    for name, text in pairs:
        if name not in known or name in found:
            hint = "is given twice" if name in found else f"is unknown; {nearest(name[:80], known)}"
            detail = f"the parameter {name[:80]!r} {hint}"
            raise Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}])
        found[name] = text
    return found
