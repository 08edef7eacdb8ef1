"""Saved calls: a question to an operation as a document, ``rave.call/1``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

Title: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_With: TypeAlias = Annotated[
    str, msgspec.Meta(extra_json_schema={"pattern": r"^(everyone|(namespace|user):[^\u0000-\u001f\u007f]{1,128})$"})
]
Shared: TypeAlias = Annotated[list[_With], msgspec.Meta(max_length=100)]
"""As `rave_http.auth.sharing.Sharing` has it."""
OperationName: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[^/?#]+/[^?#]+$", max_length=300)]
"""``namespace/operation``."""
Texts: TypeAlias = dict[str, str | list[str]]
"""Texts by parameter, several where it takes a list."""

_PLAIN: Final = " $,:;/?@!*'()<>={}[]|"
"""Characters that mean nothing in a query that a person types."""


class AskedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An operation with its arguments as a query has them.

    Attributes:
        operation: ``namespace/operation``.
        arguments: by parameter.
    """

    operation: OperationName
    arguments: Texts = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, operation: str, pairs: Iterable[tuple[str, str]]) -> AskedCall:
        """The call of a query's names and texts."""
        found: Texts = {}
        for name, text in pairs:
            known = found.get(name)
            found[name] = text if known is None else [*known, text] if isinstance(known, list) else [known, text]
        return cls(operation=operation, arguments=found)

    @classmethod
    def read(cls, text: str) -> AskedCall:
        """The call in a text such as ``flow/top?n=5``, as the addresses of results have it.

        Raises:
            ValueError: there is no operation in it.
        """
        name, _, query = text.strip().lstrip("/").partition("?")
        if not all(name.partition("/")[::2]):
            raise ValueError(f"{text[:80]!r} is no call; write one such as 'flow/top?n=5'")
        return cls.of(name, parse_qsl(query, keep_blank_values=True))

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Names and texts of a query."""
        found: list[tuple[str, str]] = []
        for name, text in self.arguments.items():
            found += [(name, each) for each in ([text] if isinstance(text, str) else text)]
        return found

    @property
    def query(self) -> str:
        """The query of a URL with its question mark; empty for no arguments."""
        return f"?{urlencode(self.pairs)}" if self.arguments else ""

    @property
    def plain(self) -> str:
        """As `read` takes it, and as easy to read as it can be."""
        pairs = "&".join(f"{quote(name)}={quote(text, safe=_PLAIN)}" for name, text in self.pairs)
        return f"{self.operation}{'?' if pairs else ''}{pairs}"


class SavedCall(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A call that a user keeps under a title.

    Attributes:
        format: of the document.
        title: in words.
        call: the call.
        shared: with whom.
    """

    format: Literal["rave.call/1"]
    title: Title
    call: AskedCall
    shared: Shared = msgspec.field(default_factory=list)
