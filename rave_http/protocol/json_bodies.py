"""JSON in bodies of requests, read so that it has one meaning."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from rave_http.protocol.problems import Problem

_MOST_DEPTH: Final = 64
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def text_of(body: bytes) -> str:
    """A body as text.

    Raises:
        Problem: it is not UTF-8.
    """
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem("bad-request", "The body is not UTF-8") from None


def from_json(body: bytes) -> Any:
    """The value that a body holds.

    Raises:
        Problem: it is not JSON, or other programs may read it as another value: it has a member twice in one object,
            half of a surrogate pair, or a number beyond those of floats. Or it nests too deep.
    """
    text = text_of(body)
    try:
        found = json.loads(text, object_pairs_hook=_members, parse_constant=_refuse_constant, parse_float=_finite)
    except ValueError as error:
        raise Problem("bad-request", f"The body is not JSON: {str(error)[:200]}") from None
    except RecursionError:
        raise Problem("bad-request", "The body is not JSON: the JSON nests too deep") from None
    if _is_deeper(found, _MOST_DEPTH):
        raise Problem("bad-request", f"The body nests deeper than {_MOST_DEPTH} levels")
    if _SURROGATE.search(text) and not _is_unicode(found):
        raise Problem("bad-request", "The body has half of a surrogate pair, such as \\ud800, where a character is due")
    return found


def _is_unicode(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members of a JSON object. Duplicates are refused: parsers differ in which one counts."""
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise Problem("bad-request", f"The body has the member {name[:80]!r} twice in one object")
        members[name] = value
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _is_deeper(value: Any, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [
            item
            for each in layer
            if isinstance(each, (dict, list))
            for item in (each.values() if isinstance(each, dict) else each)
        ]
        if not layer:
            return False
    return True
