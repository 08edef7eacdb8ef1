"""Converts a request to its call: the query or the body, and the ``rave.…`` parameters beside it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from rave_core.arguments.parser import ArgumentReader
from rave_core.backend import parse_flag
from rave_core.engine.execution import ResolvedOperation
from rave_core.errors import ArgumentError, RaveError, describe_error, nearest
from rave_core.model import Call, Options
from rave_core.operations.operation import Operation
from rave_http.description.argument_checks import wrong_arguments
from rave_http.protocol.json_bodies import from_json, text_of
from rave_http.protocol.problems import Problem

CONTROLS: Final = ("rave.f", "rave.prefer", "rave.refresh", "rave.deep_refresh", "rave.only_cached")
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
_MOST_FIELDS: Final = 1000
_LONGEST_QUERY: Final = 2000

_log = logging.getLogger("rave.http")


@dataclass(frozen=True, slots=True)
class Controls:
    """The ``rave.…`` parameters of a request.

    Attributes:
        form: the wanted form: a short name or a media type, or ``None``.
        prefer: what a header ``Prefer`` would say, or ``None``.
        refresh, deep_refresh: as the options of a call.
        only_cached: whether only a kept result is wanted.
    """

    form: str | None = None
    prefer: str | None = None
    refresh: bool = False
    deep_refresh: bool = False
    only_cached: bool = False

    @property
    def options(self) -> Options | None:
        """The options of the call; ``None`` for an ordinary one."""
        if not (self.refresh or self.deep_refresh):
            return None
        return Options(refresh=self.refresh, deep_refresh=self.deep_refresh)


PLAIN_CONTROLS: Final = Controls()


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call as the client wrote it. Any process that has the operation can repeat it.

    Attributes:
        operation: ``namespace/operation``.
        texts: names and texts, as in a query.
        document: a JSON object in their place, or ``None``.
    """

    operation: str
    texts: tuple[tuple[str, str], ...] = ()
    document: dict[str, Any] | None = None

    @property
    def query(self) -> str | None:
        """The same as the query of a URL, with its question mark, empty for none; ``None`` if it is too long for one,
        or was JSON."""
        if self.document:
            return None
        query = f"?{urlencode(self.texts)}" if self.texts else ""
        return query if len(query) <= _LONGEST_QUERY else None


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks of an operation."""

    asked: Asked
    controls: Controls = field(default=PLAIN_CONTROLS)


def read_query(operation: str, query: str) -> Question:
    """What the query string of a request asks.

    Raises:
        Problem: it can't be read, or a control parameter is unknown, wrong, or given twice.
    """
    if not query:
        return Question(Asked(operation=operation))
    texts, controls = _parted(_pairs(query))
    return Question(Asked(operation=operation, texts=tuple(texts)), _controls(controls))


def read_body(operation: str, query: str, content_type: str | None, body: bytes) -> Question:
    """What a request with a body asks; its query may hold control parameters, and nothing else.

    Args:
        operation: ``namespace/operation``.
        query: the query string.
        content_type: the header, ``None`` if it is not sent.
        body: as it was sent.

    Raises:
        Problem: one of them can't be read.
    """
    texts, controls = _parted(_pairs(query)) if query else ([], [])
    if texts:
        detail = f"The arguments of a POST stand in its body; {texts[0][0]!r} in the query is one too many"
        raise Problem("bad-arguments", detail, errors=[{"parameter": texts[0][0], "detail": detail}])
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == FORM:
        more, others = _parted(_pairs(text_of(body)))
        return Question(Asked(operation=operation, texts=tuple(more)), _controls([*controls, *others]))
    if kind == JSON or (not body and not kind):
        return Question(Asked(operation=operation, document=_document(body)), _controls(controls))
    raise Problem(
        "unsupported-media-type",
        f"A body of type {kind[:80] or 'unknown'!r} is not understood; {JSON} or {FORM} is",
        headers={"Accept-Post": f"{JSON}, {FORM}"},
    )


def bind(asked: Asked, operation: Operation[..., Any], resolved: ResolvedOperation) -> Call:
    """The call that the request asks for. It may read files if an argument stands for the content of one.

    Args:
        asked: the call as it was written.
        operation: its operation.
        resolved: the resolved operation of the runtime that answers.

    Raises:
        Problem: the arguments do not fit the operation.
    """
    reader = ArgumentReader(asked.operation, resolved.spec)
    try:
        if asked.document is None:
            return resolved.binder.bind_converted(*reader.read_pairs(asked.texts))
        _refuse_wrong(operation, asked.document)
        return resolved.binder.bind(*reader.read_document(asked.document))
    except ArgumentError as error:
        raise _misfit(reader, error) from error
    except RaveError:
        raise
    # Any failure of a converter is a refusal: argparse exits. Outside the service it stays a visible bug.
    except (Exception, SystemExit) as error:
        _log.warning("%s: an argument can't be converted", asked.operation, exc_info=error)
        raise Problem("bad-arguments", f"an argument can't be converted: {describe_error(error)[:300]}") from error


def _refuse_wrong(operation: Operation[..., Any], document: Mapping[str, Any]) -> None:
    """Refuses values that break the schema: unlike texts, JSON values have types."""
    wrong = wrong_arguments(operation, document)
    if wrong:
        raise Problem("bad-arguments", str(wrong[0]["detail"]), errors=wrong)


def _misfit(reader: ArgumentReader, error: ArgumentError) -> Problem:
    name = error.parameter
    # A message starts with its operation, which the client knows.
    detail = str(error)
    errors = [{"parameter": name, "detail": detail, "schema": reader.schema(name)}] if name else []
    return Problem("bad-arguments", detail, errors=errors)


def _pairs(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except UnicodeDecodeError:
        raise Problem("bad-request", "The percent-encoded parameters are not UTF-8") from None
    except ValueError:
        raise Problem("bad-request", f"There are more than {_MOST_FIELDS} parameters") from None


def _document(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    document = from_json(body)
    if not isinstance(document, dict):
        raise Problem("bad-request", "The body is not a JSON object; expected one with the arguments by name")
    dotted = next((name for name in document if name.startswith("rave.")), None)
    if dotted is not None:
        raise Problem("bad-request", f"{dotted[:80]!r} belongs in the query, not in the body")
    return document


def _parted(pairs: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Arguments, and control parameters: a name with a dot can't be an argument's."""
    texts: list[tuple[str, str]] = []
    controls: list[tuple[str, str]] = []
    for name, text in pairs:
        (controls if "." in name else texts).append((name, text))
    return texts, controls


def _controls(pairs: Sequence[tuple[str, str]]) -> Controls:
    if not pairs:
        return PLAIN_CONTROLS
    given: dict[str, Any] = {}
    for name, text in pairs:
        if name not in CONTROLS:
            detail = f"There is no parameter {name[:80]!r}; {nearest(name[:80], CONTROLS)}"
            raise Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}])
        if name in given:
            detail = f"{name!r} is given twice"
            raise Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}])
        given[name] = text if name in ("rave.f", "rave.prefer") else _flag(name, text)
    return Controls(
        form=given.get("rave.f") or None,
        prefer=given.get("rave.prefer") or None,
        refresh=given.get("rave.refresh", False),
        deep_refresh=given.get("rave.deep_refresh", False),
        only_cached=given.get("rave.only_cached", False),
    )


def _flag(name: str, text: str) -> bool:
    try:
        return parse_flag(text) if text else True
    except ValueError as error:
        detail = f"{name}={text[:40]!r}: {error}"
        raise Problem("bad-arguments", detail, errors=[{"parameter": name, "detail": detail}]) from None
