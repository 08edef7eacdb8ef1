"""The product: the bytes that an operation's URL gives, and what the service says about them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from rave_http.client.displays import product_bundle
from rave_http.client.record import key_in
from rave_http.client.sinks import Facts

_MAX_AGE = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The requested product.

    Attributes:
        url: where it came from.
        path: the file that holds it; ``None`` for one in memory or passed to a stream.
        size: in bytes.
        media_type: without parameters, as in ``text/csv``.
        charset: of a text; ``utf-8`` where the service does not say.
        etag: the validator as it was sent; empty without one.
        key: the text of its key; empty if the service did not say.
        cache_status: the header ``Cache-Status``, as in ``rave; hit; ttl=30``; may be empty.
        expires_in: seconds that it stays fresh; 0 if it must not be stored, ``None`` if the service did not say.
    """

    url: str
    size: int
    media_type: str = ""
    charset: str = "utf-8"
    etag: str = ""
    key: str = ""
    cache_status: str = ""
    expires_in: float | None = None
    path: Path | None = None
    body: bytes | None = None

    @property
    def content(self) -> bytes:
        """Its bytes; those of a file are read each time.

        Raises:
            OSError: the file can't be read.
            ValueError: they went to a stream and are no longer available.
        """
        if self.body is not None:
            return self.body
        if self.path is None:
            raise ValueError("the product was written to a stream, so its bytes are not here")
        return self.path.read_bytes()

    @property
    def text(self) -> str:
        """Its text. Bytes that are invalid in its charset become replacement characters."""
        try:
            return self.content.decode(self.charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    @property
    def is_hit(self) -> bool:
        """Whether the service had it."""
        return any(part.strip() == "hit" for part in self.cache_status.split(";"))

    def json(self) -> Any:
        """What its JSON says.

        Raises:
            ValueError: it is no JSON.
        """
        return json.loads(self.content)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: how the service answered, and the product, if it is a picture or a text."""
        fresh = "" if self.expires_in is None else f"good for {self.expires_in:,.0f} s"
        size, place = f"{self.size:,} bytes", "" if self.path is None else str(self.path)
        line = " · ".join(filter(None, ("hit" if self.is_hit else "made", self.media_type, size, fresh, place)))
        return product_bundle(line, content=self.body, media_type=self.media_type, text=self.text if self.body else "")


def product_of(
    facts: Facts, headers: Mapping[str, str], size: int, *, key: str = "", path: Path | None, body: bytes | None
) -> Product:
    """The product that came with these headers."""
    kind = Message()
    kind["Content-Type"] = facts.media_type or "application/octet-stream"
    return Product(
        url=facts.url,
        size=size,
        media_type=kind.get_content_type(),
        charset=str(kind.get_param("charset") or "utf-8"),
        etag=headers.get("ETag") or facts.etag,
        key=key or key_in(headers.get("Content-Location", "")) or key_in(facts.url),
        cache_status=headers.get("Cache-Status", ""),
        expires_in=_expires_in(headers),
        path=path,
        body=body,
    )


def _expires_in(headers: Mapping[str, str]) -> float | None:
    text = headers.get("Cache-Control", "")
    if "no-store" in text.lower():
        return 0.0
    found = _MAX_AGE.search(text)
    if found is None:
        return None
    age = headers.get("Age", "0").strip()
    return max(float(found[1]) - (float(age) if age.isdecimal() else 0.0), 0.0)
