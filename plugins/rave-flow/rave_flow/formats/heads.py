"""What the head of a text log says about the rest: its columns, separator and unset values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from rave_flow.errors import UnreadableError
from rave_flow.model.columns import ALIASES, is_alias, resolve

BOM = b"\xef\xbb\xbf"
SIZE = 1 << 20
"""The first bytes of a log, which must contain its head."""

_ZEEK_JSON = (
    "ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p", "proto", "service", "duration", "conn_state",
    "history", "orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes", "ip_proto",
    "orig_bytes", "resp_bytes", "local_orig", "local_resp", "missed_bytes", "tunnel_parents",
)  # fmt: skip
"""Fields that Zeek may write first in any line, because it leaves out unset ones."""

_IP_BYTES = {"orig_ip_bytes", "resp_ip_bytes"}
_OF_DIRECTIONS = {"bytes": {"orig_bytes", "resp_bytes"}, "packets": {"orig_pkts", "resp_pkts"}}

_SAMPLE = 200
"""How many of the first lines name the fields of all."""

EVE = {
    "start": "/flow/start", "end": "/flow/end", "src_ip": "/src_ip", "src_port": "/src_port", "dest_ip": "/dest_ip",
    "dest_port": "/dest_port", "proto": "/proto", "icmp_type": "/icmp_type", "icmp_code": "/icmp_code",
    "app_proto": "/app_proto", "bytes_toserver": "/flow/bytes_toserver", "bytes_toclient": "/flow/bytes_toclient",
    "pkts_toserver": "/flow/pkts_toserver", "pkts_toclient": "/flow/pkts_toclient",
}  # fmt: skip
"""Where Suricata's ``eve.json`` has what a flow needs, in the records whose ``event_type`` is ``flow``."""

_ALL = frozenset(alias for aliases in ALIASES.values() for alias in aliases)


@dataclass(frozen=True, slots=True)
class Head:
    """What decides how the lines of a log are read; equal heads read equal lines alike.

    Attributes:
        fields: names of the columns; for TSV in order, for JSON those to look for.
        pointers: where each of these is in an object; ``()`` for TSV.
        separator: between fields, one byte.
        unset: what represents a missing value.
        fault: why no line under it can be read; ``""`` if they can. Only a later head of a log has one.
    """

    fields: tuple[str, ...]
    pointers: tuple[str, ...] = ()
    separator: str = "\t"
    unset: str = "-"
    fault: str = ""

    @property
    def is_json(self) -> bool:
        """Whether the lines are objects."""
        return bool(self.pointers)

    @property
    def is_eve(self) -> bool:
        """Whether they are those of Suricata, of which only some are flows."""
        return self.is_json and self.pointers[0] == EVE["start"]


@dataclass(frozen=True, slots=True)
class LogKind:
    """Logs of one kind, by the path that Zeek gives them.

    Attributes:
        name: of such a log, in messages.
        pattern: what the whole path matches.
        check: takes names of columns and a place for messages, and raises `ColumnsError` if one is missing.
    """

    name: str
    pattern: str
    check: Callable[[Sequence[str], str], object] = resolve

    def accepts(self, path: str) -> bool:
        """Whether a log of that path is of this kind."""
        return re.fullmatch(self.pattern, path) is not None


CONNECTIONS = LogKind("connection", r"conn(?!-summary)(?:[_-].*)?")
"""Zeek's log of connections, or a selection of it such as ``conn_long``."""


def head_of(path: str, block: bytes, kind: LogKind = CONNECTIONS) -> Head:
    """The head that the first lines of a log have.

    Raises:
        UnreadableError: it is not a log of that kind.
    """
    lines = _lines(block[:SIZE].removeprefix(BOM))
    if b"\r" in lines[0]:
        raise UnreadableError(f"{path}: its lines end in carriage returns alone; expected line feeds")
    first = next((line.lstrip()[:1] for line in lines if line.strip()), b"")
    if first == b"[":
        raise UnreadableError(f"{path}: is a JSON array; expected an object on each line, as jq -c '.[]' writes them")
    if first == b"{":
        return _of_objects(path, lines, kind)
    return _of_comments(path, lines, kind)


def _lines(block: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in block.split(b"\n")]


def _of_objects(path: str, lines: list[bytes], kind: LogKind) -> Head:
    objects = [found for line in lines[:_SAMPLE] if isinstance(found := _parsed(line), dict)]
    if not objects:
        raise UnreadableError(f"{path}: it has no complete line")
    if all("event_type" in one for one in objects):
        found = EVE | _others_of_eve(objects)
        return Head(tuple(found), tuple(found.values()))
    seen = {name: f"/{_escaped(name)}" for one in objects for name in one if name in _ALL}
    nested = {
        f"id.{end}": f"/id/{end}"
        for one in objects
        if isinstance(one.get("id"), dict)
        for end in ("orig_h", "orig_p", "resp_h", "resp_p")
    }
    found = seen | nested
    if "id.orig_h" in found:
        found = {name: f"/{name}" for name in _ZEEK_JSON if name not in _unlikely(found)} | found
    others = {one.get("_path") for one in objects} - {None}
    if others and not any(kind.accepts(str(name)) for name in others):
        raise UnreadableError(f"{path}: is not a {kind.name} log, its _path is {others.pop()!r}")
    if not found:
        return Head(("",), ("/",))
    found |= _others(objects, passing={*found, "_path", *(["id"] if nested else [])})
    return Head(tuple(found), tuple(found.values()))


def _unlikely(seen: Collection[str]) -> set[str]:
    """Amounts that objects do not have, because the fields seen in some of them give these otherwise.

    If they were looked for, they would count as unset in every line.
    """
    given = {ours for ours, aliases in ALIASES.items() if not {*aliases}.isdisjoint(seen)}
    found: set[str] = set()
    if not given.isdisjoint(("bytes", "src_bytes", "dst_bytes")) and _IP_BYTES.isdisjoint(seen):
        found |= _IP_BYTES
    for total, pair in _OF_DIRECTIONS.items():
        if total in given and given.isdisjoint((f"src_{total}", f"dst_{total}")):
            found |= pair
    return found


def _others(objects: list[dict[str, Any]], passing: Collection[str]) -> dict[str, str]:
    """Where objects have what is no column of ours."""
    names = dict.fromkeys(name for one in objects for name in one if name not in passing and not is_alias(name))
    return {name: f"/{_escaped(name)}" for name in names}


_OWN_OF_EVE = ("flow", "event_type", "timestamp")


def _others_of_eve(objects: list[dict[str, Any]]) -> dict[str, str]:
    """The same of flows in ``eve.json``: ``flow_id``, and ``flow.state`` of what lies in the object ``flow``."""
    ours = [one for one in objects if one["event_type"] == "flow" and isinstance(one.get("flow"), dict)]
    found = _others(ours, passing=_OWN_OF_EVE)
    inner = dict.fromkeys(name for one in ours for name in one["flow"] if f"/flow/{name}" not in EVE.values())
    return found | {f"flow.{name}": f"/flow/{_escaped(name)}" for name in inner}


def is_object(line: bytes) -> bool:
    """Whether a line is a whole object."""
    return isinstance(_parsed(line), dict)


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def later_head(path: str, comments: bytes, kind: LogKind, earlier: Head) -> Head:
    """The head that comments within a log make, where it goes on with other columns; what they don't say stays."""
    try:
        found = _of_comments(path, _lines(comments), kind, earlier)
        if found.fields != earlier.fields:
            kind.check(found.fields, path)
    except UnreadableError as error:
        return Head((), fault=str(error).removeprefix(f"{path}: "))
    return found


def head_of_objects(path: str, block: bytes, kind: LogKind) -> Head:
    """The head of the objects with which a log goes on, the first of which is at the start of ``block``."""
    try:
        found = head_of(path, block, kind)
        kind.check(found.fields, path)
    except UnreadableError as error:
        return Head((), ("",), fault=str(error).removeprefix(f"{path}: "))
    return found


def _of_comments(path: str, lines: list[bytes], kind: LogKind, earlier: Head | None = None) -> Head:
    fields: tuple[str, ...] = ()
    separator, unset = (earlier.separator.encode("latin-1"), earlier.unset) if earlier else (b"\t", "-")
    for line in _of_last_head(lines):
        name, rest = _name_of(line, separator)
        if name == b"separator":
            separator = _unescaped(path, rest)
        elif name == b"unset_field":
            unset = rest.decode("utf-8", "replace")
        elif name == b"path" and not kind.accepts(rest.decode("utf-8", "replace")):
            raise UnreadableError(f"{path}: is not a {kind.name} log, its #path is {rest.decode('utf-8', 'replace')!r}")
        elif name == b"fields":
            fields = tuple(field.decode("utf-8", "replace") for field in rest.split(separator))
    if not fields:
        raise UnreadableError(f"{path}: no #fields line before the data, so its columns are unknown")
    return Head(fields, (), separator.decode("latin-1"), unset)


def _of_last_head(lines: list[bytes]) -> list[bytes]:
    """The comments at the start, without those of a head under which there is nothing."""
    comments = list(takewhile(lambda line: line.startswith(b"#"), lines))
    places = [place for place, line in enumerate(comments) if line.startswith(b"#fields")]
    return comments[places[-2] + 1 :] if len(places) > 1 else comments


def _name_of(line: bytes, separator: bytes) -> tuple[bytes, bytes]:
    """A comment's subject and content. The separator itself follows a blank."""
    if line.startswith(b"#separator"):
        return b"separator", line[len(b"#separator") + 1 :]
    name, _, rest = line[1:].partition(separator)
    return name, rest


def _unescaped(path: str, text: bytes) -> bytes:
    found = re.fullmatch(rb"\\x([0-9A-Fa-f]{2})", text)
    one = bytes([int(found[1], 16)]) if found else text
    if len(one) != 1 or one in b"\n\r":
        raise UnreadableError(f"{path}: its #separator is {text.decode('utf-8', 'replace')!r}; expected one byte")
    return one
