"""What is missing from an answer, and why: how it is added up, written into a table's metadata, and said in words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from rave_core.rendering import NOTES

REASONS = {
    "line": "cut, of another number of fields, or no JSON",
    "head": "under a later head of their log that can't be read",
    "time": "without a time that can be read",
    "address": "with text that is not an address",
    "port": "with a port out of range",
    "number": "with bytes or packets that are no number or out of range",
    "protocol": "without a protocol",
    "event": "events that are no end of a flow",
    "no data": "that say that there are no data",
    "packet": "packets of a capture that are cut or have no time",
    "lost": "packets of a capture that nfpcapd makes no flow of, such as fragments and what is cut within its head",
}
"""Why a line is left out: `lines` of `LeftOut` has these names."""

LOSSES = {
    "duration": "have an end before their start, or a duration that is none or over thirty years: it is unknown",
    "start": "seem to start 49.7 days before their end, since a router's clock wrapped: it is moved by that",
    "ahead": "seem to start 49.7 days after they were received, since a router's clock wrapped: they are moved by that",
    "sampled": "come from a sample of the packets: bytes and packets are those of the sample, or estimates from it",
}
"""Values that a flow can lack and still count."""

METADATA = "rave.flow.left_out"
_FILES_SAID = 5

Counts = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What is missing from an answer. Immutable; two are added up with ``+``.

    Attributes:
        lines: how many lines are left out, by reason, one of `REASONS`.
        losses: how many flows count without one of their values, by its name in `LOSSES`.
        duplicates: how many records do not count because the same connection has another.
        apart: how many flows are in no bin, because they start far from all others.
        files: the names of files that are not read at all, each with the reason.
        first: the first line left out, and why; ``""`` if there is none.
        alike: how many flows count although they may be copies: they equal a flow of another file in all values, and
            neither a uid nor a fraction of a second shows whether they are the same.
        missing: how many records exporters sent that are not there, by domain, as the numbers of messages show.
        breaks: how often the numbers of messages jump, by exporter, where nothing says how much is missing.
    """

    lines: Counts = ()
    losses: Counts = ()
    duplicates: int = 0
    apart: int = 0
    files: tuple[tuple[str, str], ...] = ()
    first: str = ""
    alike: int = 0
    missing: Counts = ()
    breaks: Counts = ()

    @classmethod
    def of(cls, lines: Mapping[str, int], losses: Mapping[str, int], first: str = "", duplicates: int = 0) -> Self:
        """Of some lines."""
        return cls(_sorted(lines), _sorted(losses), duplicates, first=first)

    def __add__(self, other: LeftOut) -> LeftOut:
        return LeftOut(
            _added(self.lines, other.lines),
            _added(self.losses, other.losses),
            self.duplicates + other.duplicates,
            self.apart + other.apart,
            tuple(dict.fromkeys((*self.files, *other.files))),
            self.first or other.first,
            self.alike + other.alike,
            _added(self.missing, other.missing),
            _added(self.breaks, other.breaks),
        )

    def __bool__(self) -> bool:
        return self != LeftOut()

    @property
    def skipped(self) -> int:
        """How many lines are left out."""
        return sum(number for _, number in self.lines)

    def metadata(self) -> dict[str, str]:
        """What the metadata of a table's schema say.

        ``rave.flow.skipped`` is the number of lines, ``rave.flow.first_bad`` the first of them, ``rave.flow.left_out``
        all of it as JSON, and ``rave.notes`` the same as sentences, which RAVE shows with every answer.
        """
        facts = {"rave.flow.skipped": str(self.skipped)}
        if self.first:
            facts["rave.flow.first_bad"] = self.first
        if self:
            facts |= {METADATA: json.dumps(self.facts()), NOTES: json.dumps(self.sentences(), ensure_ascii=False)}
        # File names may not be text.
        return {name: value.encode("utf-8", "backslashreplace").decode() for name, value in facts.items()}

    def facts(self) -> dict[str, Any]:
        """The same as plain values, without zero and empty ones."""
        found = {
            "lines": dict(self.lines), "losses": dict(self.losses), "duplicates": self.duplicates, "apart": self.apart,
            "files": dict(self.files), "first": self.first, "alike": self.alike,
            "missing": dict(self.missing), "breaks": dict(self.breaks),
        }  # fmt: skip
        return {name: value for name, value in found.items() if value}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """What `facts` gave."""
        return cls(
            _sorted(facts.get("lines", {})),
            _sorted(facts.get("losses", {})),
            facts.get("duplicates", 0),
            facts.get("apart", 0),
            tuple(facts.get("files", {}).items()),
            facts.get("first", ""),
            facts.get("alike", 0),
            _sorted(facts.get("missing", {})),
            _sorted(facts.get("breaks", {})),
        )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """What `metadata` gave; nothing if it gave nothing."""
        return cls.from_facts(json.loads(metadata.get(METADATA, "{}")))

    def sentences(self) -> list[str]:
        """The same in words."""
        said = []
        if self.lines:
            reasons = ", ".join(f"{number} {REASONS.get(reason, reason)}" for reason, number in self.lines)
            first = f"; first: {self.first}" if self.first else ""
            said.append(f"{_many(self.skipped, 'line')} left out: {reasons}{first}")
        said += [f"{_many(number, 'flow')} {LOSSES.get(name, name)}" for name, number in self.losses]
        if self.duplicates:
            said.append(f"{_many(self.duplicates, 'record')} left out: the same connection has another, which counts")
        if self.alike:
            why = "equal to one of another file, and no uid or fraction of a second tells"
            said.append(f"{_many(self.alike, 'flow')} may be copies, and count: {why}")
        said += self._gaps()
        if self.apart:
            said.append(f"{_many(self.apart, 'flow')} in no bin: they start far from all others")
        if self.files:
            named = [f"{name} ({reason})" for name, reason in self.files[:_FILES_SAID]]
            more = [f"and {len(self.files) - _FILES_SAID} more"] if len(self.files) > _FILES_SAID else []
            said.append(f"{_many(len(self.files), 'file')} not read: {', '.join([*named, *more])}")
        return said

    def _gaps(self) -> list[str]:
        """What exporters sent that never came, in words."""
        said = []
        if self.missing:
            lost = _many(sum(number for _, number in self.missing), "record")
            said.append(f"{lost} of exporters never came, as the numbers of their messages show: {_each(self.missing)}")
        if self.breaks:
            jumps = _many(sum(number for _, number in self.breaks), "break")
            why = "messages were lost, or came in another order, or the exporter was restarted"
            said.append(f"{jumps} in the numbers of exporters' messages: {_each(self.breaks)}; {why}")
        return said


def merged(parts: Iterable[LeftOut]) -> LeftOut:
    """All of them added up."""
    return sum(parts, LeftOut())


def _sorted(counts: Mapping[str, int]) -> Counts:
    return tuple(sorted((name, number) for name, number in counts.items() if number))


def _added(one: Counts, other: Counts) -> Counts:
    return _sorted(Counter(dict(one)) + Counter(dict(other)))


def _each(counts: Counts) -> str:
    return ", ".join(f"{number} of {name}" for name, number in counts)


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
