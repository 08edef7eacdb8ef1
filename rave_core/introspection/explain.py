"""Explain: why a call would hit or miss, as the difference to the nearest entry. Nothing is run or changed here."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from rave_core.backend import SupportsLease
from rave_core.engine.execution import ResolvedOperation
from rave_core.errors import EntryError, UnencodableError
from rave_core.expiry import nocache
from rave_core.fingerprint import digest
from rave_core.functions.argument_reprs import summarize
from rave_core.model import PLAIN, Call, Entry, Key, Options, Status
from rave_core.storage.lease_record import LeaseRecord, read_record
from rave_core.storage.listing import check_entry, entries_of
from rave_core.system.host import host_id
from rave_core.text.displays import lines
from rave_core.text.humanize import span, until
from rave_core.versions.manifests import changes, manifests

LOOKED_AT = 5000
"""The maximum number of an operation's entries that are compared with a call."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a call differs from the nearest entry.

    Attributes:
        what: ``argument``, ``version``, ``code`` or ``release``.
        name: of the parameter; for a version, of its strategy; for code, of what is reached: ``app.stats:mean``; for a
            release, of the installed package, or ``Python``.
        kept, asked: in a short readable form; empty if only the other side has it. For code they are values, releases
            or digests.
    """

    what: str
    name: str
    kept: str
    asked: str

    def __str__(self) -> str:
        if self.what == "version":
            return f"version ({self.name}): {self.kept} → {self.asked}"
        if self.what == "code":
            return _code_difference(self)
        if self.what == "release":
            return f"made with {self.name} {self.kept}, now {self.asked}"
        if self.kept == self.asked:
            return f"{self.name}: {self.asked} (what differs does not show in its short form)"
        return f"{self.name}: {self.kept or '(absent)'} → {self.asked or '(absent)'}"


def _code_difference(found: Difference) -> str:
    if not found.kept or not found.asked:
        return f"{found.name} {'was not reached before' if found.asked else 'is not reached any more'}"
    if _DIGEST.fullmatch(found.kept) and _DIGEST.fullmatch(found.asked):
        return f"{found.name} changed"
    return f"{found.name} {found.kept} → {found.asked}"


_DIGEST = re.compile("[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a call would be answered, and why.

    Attributes:
        operation: its full name.
        arguments: parameter to a short readable form of the argument, converted and defaulted.
        status: how the call would be answered now: one of ``hit miss refreshed stale uncached``.
        reason: one sentence, without a full stop.
        key: ``None`` if an argument has no canonical encoding.
        entry: what is kept under the key, fresh or not; ``None`` if there is nothing usable.
        nearest: for a miss, the entry of the same operation that differs least; ``None`` if there is none.
        differences: to ``nearest``.
        computing: who is computing the key, in words; empty for nobody.
        closure: what counts in the version, and of code in the arguments, by label; empty for a strategy that follows
            no code.
        untracked: what does not count in it, or only coarsely: the thing, and why.
        releases: of Python and installed packages, where ``entry`` or ``nearest`` was made with others than now.
            Whether they count is up to the settings, and to the operation's version.
    """

    operation: str
    arguments: Mapping[str, str]
    status: Status
    reason: str
    key: Key | None = None
    entry: Entry | None = None
    nearest: Entry | None = None
    differences: tuple[Difference, ...] = ()
    computing: str = ""
    closure: Mapping[str, str] = field(default_factory=dict, compare=False)
    untracked: Mapping[str, str] = field(default_factory=dict, compare=False)
    releases: tuple[Difference, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        called = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        told = [f"{self.operation}({called}): {self.status}, since {self.reason}"]
        told += [f"  {difference}" for difference in (*self.differences, *self.releases)]
        told += [f"  not tracked: {line}" for line in untracked_lines(self)]
        return "\n".join(told + ([f"  {self.computing}"] if self.computing else []))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the lines of its text."""
        return lines(str(self))


def untracked_lines(explanation: Explanation) -> list[str]:
    """What is not tracked, and why: at most 20 lines, and how many more there are."""
    lines = [f"{what} ({why})" for what, why in explanation.untracked.items()]
    return lines if len(lines) <= _UNTRACKED else [*lines[:_UNTRACKED], f"and {len(lines) - _UNTRACKED} more"]


_UNTRACKED = 20


def explain(resolved: ResolvedOperation, call: Call, options: Options = PLAIN, *, now: float) -> Explanation:
    """Why ``call`` would hit or miss at Unix time ``now``.

    The entry of its key is read and checked whole, so a damaged one is reported. To find the nearest entry, at most
    ``LOOKED_AT`` headers of the operation are read.

    Raises:
        OSError: the store is in trouble.
    """
    verdict = _without_key(resolved, call, options) or _kept(resolved, call, options, now)
    return verdict if verdict is not None else _missing(resolved, call, now)


def _explanation(
    resolved: ResolvedOperation,
    call: Call,
    status: Status,
    reason: str,
    *,
    entry: Entry | None = None,
    nearest: Entry | None = None,
    differences: tuple[Difference, ...] = (),
) -> Explanation:
    arguments, computing = summarize(call.named), _computing(resolved, call)
    version = resolved.version
    return Explanation(
        resolved.name,
        arguments,
        status,
        reason,
        call.key,
        entry,
        nearest,
        differences,
        computing,
        {**resolved.argument_nodes(call), **version.nodes},
        version.untracked,
        _releases(resolved, entry or nearest),
    )


def _releases(resolved: ResolvedOperation, entry: Entry | None) -> tuple[Difference, ...]:
    """Where an entry was made with other releases than those that the operation reaches now."""
    if entry is None:
        return ()
    now = {"Python": platform.python_version(), **resolved.version.packages}
    kept = {"Python": entry.python, **entry.packages}
    found = ((name, kept.get(name, ""), release) for name, release in now.items())
    return tuple(Difference("release", *each) for each in found if each[1] and each[2] and each[1] != each[2])


def _without_key(resolved: ResolvedOperation, call: Call, options: Options) -> Explanation | None:
    """Explains a call that no entry could ever answer."""
    if options.tofile is not None:
        return _explanation(
            resolved, call, Status.UNCACHED, "rave_tofile writes a file of the caller's and keeps nothing"
        )
    if call.key is None:
        return _explanation(resolved, call, Status.UNCACHED, f"it can't be given a key: {_unencodable(resolved, call)}")
    if resolved.strategy is nocache:
        return _explanation(resolved, call, Status.UNCACHED, "its strategy is nocache, so nothing is ever kept")
    return None


def _unencodable(resolved: ResolvedOperation, call: Call) -> str:
    try:
        digest((name, value) for name, value in call.named.items() if name not in resolved.spec.ignore)
    except UnencodableError as error:
        return str(error)
    return "a variable that the function captured has no canonical encoding"


def _kept(resolved: ResolvedOperation, call: Call, options: Options, now: float) -> Explanation | None:
    """Explains a call whose key has an entry, usable or not."""
    assert call.key is not None
    try:
        entry = check_entry(resolved.cache, call.key.text)
    except EntryError as error:
        return _explanation(resolved, call, Status.MISS, f"what is stored can't be used: {error}")
    if entry is None:
        return None
    made = f"a result was made {span(now - entry.created_at)} ago"
    if options.refresh or options.deep_refresh:
        return _explanation(resolved, call, Status.REFRESHED, f"a refresh is asked for; {made}", entry=entry)
    reason = f"{made} and {until(entry.expires_at, now)}"
    if entry.is_fresh(now):
        return _explanation(resolved, call, Status.HIT, reason, entry=entry)
    if now < entry.expires_at + resolved.spec.stale_while_revalidate:
        return _explanation(
            resolved, call, Status.STALE, f"{reason}; it is served while a new one is made", entry=entry
        )
    return _explanation(resolved, call, Status.MISS, reason, entry=entry)


def _missing(resolved: ResolvedOperation, call: Call, now: float) -> Explanation:
    nearest = min(_candidates(resolved, call), key=lambda found: found[0], default=None)
    if nearest is None:
        reason = "no result of this operation is stored: it was never asked for here, or all were purged or evicted"
        return _explanation(resolved, call, Status.MISS, reason)
    entry, differences = nearest[1], nearest[2] + _code_differences(resolved, nearest[1])
    made = f"{span(now - entry.created_at)} ago"
    return _explanation(
        resolved, call, Status.MISS, _reason(differences, entry, made), nearest=entry, differences=differences
    )


def _reason(differences: tuple[Difference, ...], entry: Entry, made: str) -> str:
    arguments = [difference.name for difference in differences if difference.what == "argument"]
    changed = any(difference.what == "version" for difference in differences)
    if not entry.arguments and arguments:
        return "these arguments were not asked for yet, or what was stored is gone (record_arguments is off)"
    if not arguments:
        return f"the operation changed since its result for these arguments was made {made}"
    names = f"{', '.join(arguments)} {'differs' if len(arguments) == 1 else 'differ'}"
    also = ", and the operation changed since" if changed else ""
    return f"{names} from the nearest stored call, made {made}{also}"


def _candidates(
    resolved: ResolvedOperation, call: Call
) -> Iterator[tuple[tuple[int, bool, float], Entry, tuple[Difference, ...]]]:
    """The entries of the operation, each with its differences and a rank that is lower the nearer it is."""
    assert call.key is not None
    asked = {name: text for name, text in summarize(call.named).items() if name not in resolved.spec.ignore}
    for entry in entries_of(resolved.cache, resolved.name, most=LOOKED_AT):
        version, arguments = entry.key.rsplit("/", 2)[1:]
        differences: list[Difference] = []
        if arguments != call.key.arguments:
            kept = {name: text for name, text in entry.arguments.items() if name not in resolved.spec.ignore}
            differences += _argument_differences(kept, asked)
        count = len(differences)
        if version != call.key.version:
            differences.append(_version_difference(entry, version, resolved, call.key.version))
        yield (count, version != call.key.version, -entry.created_at), entry, tuple(differences)


def _argument_differences(kept: Mapping[str, str], asked: Mapping[str, str]) -> list[Difference]:
    names = [*asked, *(name for name in kept if name not in asked)]
    found = [
        Difference("argument", name, kept.get(name, ""), asked.get(name, ""))
        for name in names
        if kept.get(name, "") != asked.get(name, "")
    ]
    if found:
        return found
    # The digests differ, so the difference is in an argument whose short form is incomplete.
    hidden = [name for name in asked if "..." in asked[name] or "<" in asked[name]] or list(asked)
    return [Difference("argument", name, asked[name], asked[name]) for name in hidden]


def _version_difference(entry: Entry, version: str, resolved: ResolvedOperation, now: str) -> Difference:
    name = resolved.version_note.partition(" ")[0]
    kept, asked = entry.version_note, resolved.version_note
    if kept == asked or not kept:
        kept, asked = version, now
    return Difference("version", name, kept, asked)


def _code_differences(resolved: ResolvedOperation, entry: Entry) -> tuple[Difference, ...]:
    """What has changed in the code since an entry was made, as far as this process knows."""
    version = entry.key.rsplit("/", 2)[1]
    if version == resolved.version.text:
        return ()
    kept = manifests.read(resolved.name, version)
    if kept is None or not resolved.version.nodes:
        return ()
    return tuple(Difference("code", *each) for each in changes(kept, resolved.version.nodes))


def _computing(resolved: ResolvedOperation, call: Call) -> str:
    under_way = None if call.key is None else computation_of(resolved, call.key.text)
    return f"being computed by {under_way}" if under_way is not None else ""


@dataclass(frozen=True, slots=True)
class Computation:
    """A computation that is under way, in any process.

    Attributes:
        record: what its holder reports; ``None`` in some stores until the first heartbeat.
    """

    record: LeaseRecord | None

    @property
    def is_ours(self) -> bool:
        """Whether this very process computes it."""
        return self.record is not None and self.record.pid == os.getpid() and self.record.host == host_id()

    def __str__(self) -> str:
        if self.record is None:
            return "another process"
        where = "" if self.record.host == host_id() else f" on {self.record.host.partition('/')[0]}"
        return f"process {self.record.pid}{where}"


def computation_of(resolved: ResolvedOperation, key: str) -> Computation | None:
    """The computation of ``key`` that is under way, as far as the store knows; ``None`` if there is none.

    Raises:
        OSError: the store is in trouble.
    """
    store = resolved.cache.backend.capability(SupportsLease)
    data = store.lease(key) if store is not None else None
    return None if data is None else Computation(read_record(data))
