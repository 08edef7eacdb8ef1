"""Whether a request comes from a browser, and for what."""

from __future__ import annotations

from typing import Final

from falcon.asgi import Request

_HTML: Final = "text/html"
_ACCEPTED_BESIDE: Final = (_HTML, "application/xhtml+xml")


def is_for_window(req: Request) -> bool:
    """Whether a request is not for a part of a page, such as a frame, as far as the client says."""
    return bool(req.get_header("Sec-Fetch-Dest", default="document") == "document")


def likes_pages(req: Request) -> bool:
    """Whether a request is for something to read: it likes HTML best."""
    if req.method not in ("GET", "HEAD"):
        return False
    weights = _weights(req.get_header("Accept") or "")
    best = max(weights.values(), default=0.0)
    if not best or weights.get(_HTML) != best:
        return False
    liked = [kind for kind, weight in weights.items() if weight == best]
    return all(kind in _ACCEPTED_BESIDE or kind.startswith("image/") for kind in liked)


def is_browser(req: Request) -> bool:
    """Whether a request that likes pages comes from a browser, as far as can be told: those take anything else, too."""
    return "*/*" in _weights(req.get_header("Accept") or "")


def _weights(accept: str) -> dict[str, float]:
    """How much a client likes each media type that it names."""
    found: dict[str, float] = {}
    for each in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in each.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        try:
            found[kind] = float(weight)
        except ValueError:
            return {}
    return found
