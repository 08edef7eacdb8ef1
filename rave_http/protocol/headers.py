"""Headers: reads the preferences of a request, and writes for how long and for whom an answer is valid."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

from rave_core.model import Entry

NO_STORE: Final = "no-store"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of a client (RFC 7240) that the service knows.

    Attributes:
        wait: seconds it wants to wait, or ``None``.
        respond_async: whether it wants a ticket rather than to wait.
        minimal: whether it wants a reference to the product rather than the product.
    """

    wait: float | None = None
    respond_async: bool = False
    minimal: bool = False

    def applied(self, *, waited: float = 0.0, ticket: bool = False) -> str:
        """The header ``Preference-Applied``; empty when no preference had an effect.

        Args:
            waited: seconds that the client waited at most.
            ticket: whether it got a ticket.
        """
        words = []
        if self.minimal and ticket:
            words.append("return=minimal")
        if self.respond_async and ticket:
            words.append("respond-async")
        if self.wait is not None and not self.minimal:
            words.append(f"wait={waited:g}")
        return ", ".join(words)


_DIGITS: Final = 9
_LONGEST_WAIT: Final = 1e9  # seconds; the service bounds the wait anyway
PLAIN_PREFERENCES: Final = Preferences()


def preferences(text: str | None) -> Preferences:
    """The preferences in a header ``Prefer``. If one is repeated, the first counts.

    Unknown or malformed preferences are ignored (RFC 7240, 2).
    """
    if not text:
        return PLAIN_PREFERENCES
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition(";")[0].partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return Preferences(
        wait=_wait(found["wait"]) if "wait" in found else None,
        respond_async="respond-async" in found,
        minimal=found.get("return", "").lower() == "minimal",
    )


def _wait(text: str) -> float | None:
    """Seconds; ``None`` if the text is no whole number of them."""
    if not text.isdecimal() or not text.isascii():
        return None
    return float(text[:_DIGITS]) if len(text) <= _DIGITS else _LONGEST_WAIT


def directives(text: str | None) -> frozenset[str]:
    """The names of the directives in a request's ``Cache-Control``."""
    if not text:
        return frozenset()
    return frozenset(part.partition("=")[0].strip().lower() for part in text.split(","))


def cache_control(entry: Entry, now: float, *, private: bool, forever: float) -> str:
    """How long others may keep the product of ``entry``: its remaining lifetime, and its stale windows.

    For a product that is already stale, these are the remaining windows: a cache counts from now.

    Args:
        entry: the cache entry of the product.
        now: Unix seconds.
        private: whether only the client may keep it.
        forever: seconds that others may keep a product that never expires. Its URL does not include the version of the
            code, so a cache does not learn when that changes.
    """
    left = entry.expires_at - now
    words = ["private" if private else "public", f"max-age={int(forever if math.isinf(left) else max(left, 0.0))}"]
    windows = (("stale-while-revalidate", entry.stale_while_revalidate), ("stale-if-error", entry.stale_if_error))
    rests = ((name, int(window + min(left, 0.0))) for name, window in windows)
    return ", ".join([*words, *(f"{name}={rest}" for name, rest in rests if rest > 0)])


def cache_status(outcome: str, entry: Entry | None, now: float) -> str:
    """The header ``Cache-Status`` (RFC 9211): whether the product was kept, or how it was obtained.

    Args:
        outcome: ``hit``, ``stale``, ``miss``, ``refreshed`` or ``uncached``.
        entry: the cache entry of the product; ``None`` if it is not kept.
        now: Unix seconds.
    """
    if entry is None:
        return "rave; fwd=miss"
    left = entry.expires_at - now
    ttl = "" if math.isinf(left) else f"; ttl={math.floor(left)}"
    if outcome in ("hit", "stale"):
        return f"rave; hit{ttl}"  # of a stale one the time to live is negative
    return f"rave; fwd={'request' if outcome == 'refreshed' else 'miss'}; stored{ttl}"


def caching_headers(
    outcome: str, entry: Entry | None, now: float, *, private: bool, forever: float
) -> tuple[tuple[str, str], tuple[str, str]]:
    """``Cache-Control`` and ``Cache-Status`` of a product.

    Args:
        outcome: ``hit``, ``stale``, ``miss``, ``refreshed`` or ``uncached``.
        entry, now, private, forever: as for `cache_control` and `cache_status`.
    """
    # Nobody keeps a refreshed product: the next client that asks for a refresh wants a new one.
    control = NO_STORE
    if entry is not None and outcome != "refreshed":
        control = cache_control(entry, now, private=private, forever=forever)
    return ("Cache-Control", control), ("Cache-Status", cache_status(outcome, entry, now))


def http_date(seconds: float) -> str:
    """Unix seconds as HTTP writes them, rounded down."""
    return formatdate(int(seconds), usegmt=True)


def is_token(text: str) -> bool:
    """Whether ``text`` is a token as HTTP defines it."""
    return _TOKEN.match(text) is not None


_LONGEST_LIST = 4000


def listed(texts: Iterable[str]) -> str:
    """Texts as the value of a header: a list of strings, as RFC 9651 has it.

    Non-ASCII text becomes a display string. Text after 4000 characters is left out.
    """
    found: list[str] = []
    for text in texts:
        item = _string(text)
        if sum(map(len, found)) + len(item) > _LONGEST_LIST:
            break
        found.append(item)
    return ", ".join(found)


def _string(text: str) -> str:
    if text.isascii() and text.isprintable():
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    plain = {*range(0x20, 0x7F)} - {ord("%"), ord('"')}
    content = text.encode("utf-8", "replace")
    return '%"' + "".join(chr(byte) if byte in plain else f"%{byte:02x}" for byte in content) + '"'
