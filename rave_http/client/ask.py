"""A question to the service: a URL, with the arguments in the query or in the body.

Arguments go into the query as the service reads them there: numbers and texts as they are, ``true`` and ``false``,
dates in ISO form, a list as one parameter for each of its items, everything nested as JSON. ``None`` leaves an
argument out, so that its default holds.

A query has no types: an operation without a typemap reads the text ``"10"`` as a number. If a text could be mistaken
like this, or the URL would exceed `LONGEST_URL`, the arguments go as a JSON object by POST, with the same answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, time
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit
from uuid import UUID

LONGEST_URL: Final = 4000
_FORM: Final = "application/x-www-form-urlencoded"
_FORM_NAME: Final = "rave.f"
_REFRESHING: Final = ("rave.refresh", "rave.deep_refresh")
_TEXTUAL: Final = (Decimal, IPv4Address, IPv4Network, IPv6Address, IPv6Network, PurePath, UUID)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request.

    Attributes:
        url: absolute, without a fragment.
        headers: in addition to those that every request has.
        body: of a POST; without one it is a GET.
        verb: the method, if it is neither.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    verb: str = ""

    @property
    def method(self) -> str:
        """``GET``, or ``POST`` where there is a body, unless it is another one."""
        return self.verb or ("GET" if self.body is None else "POST")

    def having(self, headers: Mapping[str, str]) -> Ask:
        """The same with more headers."""
        return replace(self, headers={**self.headers, **headers}) if headers else self

    @property
    def form(self) -> str:
        """The form that the URL asks for by name; empty for none."""
        return _form_in(self.url)

    def in_its_form(self, url: str) -> str:
        """The URL of a ticket, changed to give the product in the form that this asks for."""
        form = self.form
        return _extended(url, [(_FORM_NAME, form)]) if form and not _form_in(url) else url

    def without_refresh(self) -> Ask:
        """The same without the options that compute the product again."""
        parts = urlsplit(self.url)
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        kept = [pair for pair in pairs if pair[0] not in _REFRESHING]
        return self if kept == pairs else replace(self, url=urlunsplit(parts._replace(query=_query(kept))))


def ask_operation(base: str, operation: str, arguments: Mapping[str, Any], controls: Sequence[tuple[str, str]]) -> Ask:
    """The request for an operation's product.

    Args:
        base: the service's URL.
        operation: ``namespace/operation``.
        arguments: values by name.
        controls: ``rave.…`` parameters.

    Raises:
        TypeError, ValueError: an argument has no form that the service could read.
    """
    url = f"{base.rstrip('/')}/{quote(operation.strip('/'), safe='/:@,+=~')}"
    values = {name: plain(value, name) for name, value in arguments.items() if value is not None}
    texts = [pair for name, value in values.items() for pair in _pairs(name, value)]
    whole = _extended(url, [*texts, *controls])
    if len(whole) <= LONGEST_URL and not any(map(_could_be_mistaken, values.values())):
        return Ask(whole)
    body = json.dumps({name: _finite(value) for name, value in values.items()}, allow_nan=False).encode()
    return Ask(_extended(url, controls), {"Content-Type": "application/json"}, body)


def ask_url(url: str, texts: Iterable[tuple[str, str]], controls: Sequence[tuple[str, str]]) -> Ask:
    """The request for a whole URL.

    Args:
        url: of an operation, with or without arguments, or of a ticket.
        texts: more arguments, read as those of a query are; they go as a form by POST where the URL would be too long.
        controls: ``rave.…`` parameters.
    """
    parts = urlsplit(url)
    bare = urlunsplit(parts._replace(fragment=""))
    texts = list(texts)
    whole = _extended(bare, [*texts, *controls])
    if len(whole) <= LONGEST_URL or not texts:
        return Ask(whole)
    given = parse_qsl(parts.query, keep_blank_values=True)
    ours = [pair for pair in given if "." in pair[0]]
    form = _query([pair for pair in given if "." not in pair[0]] + texts).encode()
    target = _extended(urlunsplit(parts._replace(query="", fragment="")), [*ours, *controls])
    return Ask(target, {"Content-Type": _FORM}, form)


def plain(value: Any, name: str) -> Any:
    """An argument as JSON has it.

    Args:
        value: what was given.
        name: what messages call it.

    Raises:
        TypeError: it has no such form.
        ValueError: a number in it has none.
    """
    if isinstance(value, Mapping):
        return {str(key): _nested(each, f"{name}[{key!r}]") for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, range)):
        return [_nested(each, f"{name}[{index}]") for index, each in enumerate(value)]
    if hasattr(value, "tolist"):  # an array, or a scalar of one
        return plain(value.tolist(), name)
    return _scalar(value, name)


def _nested(value: Any, name: str) -> Any:
    found = plain(value, name)
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(f"argument {name}: JSON has no {found}")
    return found


def _scalar(value: Any, name: str) -> Any:
    if isinstance(value, Enum):
        return plain(value.value, name)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, _TEXTUAL):
        return str(value)
    raise TypeError(f"argument {name}: a {type(value).__name__} has no form that the service could read")


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    """The parameters for one argument."""
    if isinstance(value, list) and len(value) > 1 and all(map(_is_simple, value)):
        return [(name, _text(each)) for each in value]
    return [(name, _text(value))]


def _is_simple(value: Any) -> bool:
    """Whether an item of a list may stand alone: anything else would be read as something else."""
    if isinstance(value, str):
        return not _could_be_mistaken(value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _could_be_mistaken(value: Any) -> bool:
    """Whether a text would be read as something else where the operation has no typemap."""
    if not isinstance(value, str):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _finite(value: Any) -> Any:
    """A number that JSON can't express goes as text, which a typemap reads."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _form_in(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query)).get(_FORM_NAME, "")


def _extended(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    if not pairs:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}{_query(pairs)}"


def _query(pairs: Sequence[tuple[str, str]]) -> str:
    return urlencode(pairs, quote_via=quote_plus, safe=",:")
