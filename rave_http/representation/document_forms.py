"""Other forms of documents: what a plugin gets to know of a client's wish, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from falcon import mediatypes
from falcon.asgi import Request
from falcon.errors import InvalidMediaRange, InvalidMediaType

BUILT_IN: Final = ("application/json", "text/html")


@dataclass(frozen=True, slots=True)
class DocumentForm:
    """A form of a document.

    Attributes:
        media_type: with its charset, for a text.
        content: its bytes.
    """

    media_type: str
    content: bytes


class Accept(str):
    """What a client asks for: the form named by ``rave.f``, or else the header ``Accept``."""

    __slots__ = ("is_name",)
    is_name: bool

    def __new__(cls, text: str, *, is_name: bool) -> Self:
        """A name, or a header."""
        made = super().__new__(cls, text)
        made.is_name = is_name
        return made

    @classmethod
    def of(cls, req: Request, form: str | None) -> Self:
        """That of a request, with the value of its parameter ``rave.f``."""
        return cls(form, is_name=True) if form else cls(req.get_header("Accept") or "", is_name=False)

    def wants(self, name: str, media_type: str) -> bool:
        """Whether the client asks for a form: by its name or its media type, and rather than for JSON or a page.

        A header has to name the media type: ``*/*`` asks for what the service has by itself.
        """
        if self.is_name:
            return self.strip().lower().replace(" ", "+") in (name, media_type)
        return self._quality(media_type) > max(map(self._quality, BUILT_IN))

    @property
    def is_other(self) -> bool:
        """Whether it asks for anything that the service does not have by itself."""
        if self.is_name:
            return True
        kinds = (part.partition(";")[0].strip().lower() for part in self.split(","))
        return any("/" in kind and "*" not in kind and self.wants("", kind) for kind in kinds)

    def _quality(self, media_type: str) -> float:
        """How much the header wants a media type, from 0 to 1, going by the ranges that name it."""
        named = [part for part in self.split(",") if part.partition(";")[0].strip().lower() == media_type]
        try:
            return max((mediatypes.quality(media_type, part.lower()) for part in named), default=0.0)
        except (InvalidMediaRange, InvalidMediaType):
            return 0.0
