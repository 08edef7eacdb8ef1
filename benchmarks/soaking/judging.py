"""Judges a soak: which ended connections and repeated runs the chaos explains, and what else went wrong."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from soaking.asking import Cut
from soaking.chaos import Kill, Moments

SEEN_WITHIN: Final = 2.0
"""Seconds within which a request cut off by a kill has to notice."""

_SLACK: Final = 0.3
_HUP_LASTS: Final = 20.0
_HEAD = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
_MISTAKE = re.compile(r"Traceback|\b(ERROR|CRITICAL)\b")
_EXPECTED = re.compile(
    r"lab/fails failed: ValueError"
    r"|namespace trial: its change is not loaded"
    r"|Worker \(pid:\d+\) was sent SIGKILL"
)


def poisoned(log: Path) -> list[Kill]:
    """The workers that a call killed, by what it wrote before."""
    lines = (line.split(" ", 2) for line in log.read_text("utf-8").splitlines())
    return [Kill(int(pid), float(at)) for at, pid, what in lines if what.startswith("poison ")]


def poison_complaints(log: Path) -> list[str]:
    """Calls that killed more workers than two each."""
    runs = Counter(line.split(" ", 2)[2] for line in log.read_text("utf-8").splitlines())
    return [f"{what} ran {count} times" for what, count in runs.items() if what.startswith("poison ") and count > 2]


def explain(cut: Cut, moments: Moments) -> str:
    """What explains an ended connection: ``kill``, ``hup``, or nothing (empty).

    A kill explains it if it came after the connection was last known to work; a client that waits on it must notice at
    once. A reload explains the end of a used connection without a byte of an answer: the old worker may close it, and
    clients that keep connections must expect that. A reload must not end a new connection.
    """
    for kill in moments.kills:
        if cut.alive_at - _SLACK <= kill.at <= cut.seen_at and cut.seen_at - max(kill.at, cut.asked_at) <= SEEN_WITHIN:
            return "kill"
    if cut.was_used and "Incomplete" not in cut.error:
        for hup in moments.hups:
            if cut.alive_at - _SLACK <= hup + _HUP_LASTS and hup <= cut.seen_at:
                return "hup"
    return ""


def cut_complaints(cuts: Sequence[Cut], moments: Moments) -> tuple[dict[str, int], list[str]]:
    """How many connections ended for which reason, and those that ended without one."""
    reasons = Counter(explain(cut, moments) or "unexplained" for cut in cuts)
    return dict(reasons), [f"a connection ended for no reason: {cut}" for cut in cuts if not explain(cut, moments)]


def repeated_runs(log: Path, moments: Moments) -> tuple[int, int, list[str]]:
    """Bodies that ran, those that ran again because a kill ended the earlier run, and those that did without a kill."""
    runs: dict[str, list[int]] = defaultdict(list)
    for line in log.read_text("utf-8").splitlines():
        _, pid, what = line.split(" ", 2)
        runs[what].append(int(pid))
    killed = {kill.pid for kill in moments.kills}
    again, complaints = 0, []
    for what, pids in runs.items():
        for earlier, later in itertools.pairwise(pids):
            if earlier in killed:
                again += 1
            else:
                complaints.append(f"{what} ran in {earlier}, which was not killed, and again in {later}")
    return sum(map(len, runs.values())), again, complaints


def mistakes(log: str) -> list[str]:
    """What the service's log reports, by first lines, except for the chaos and the intended failures."""
    records: list[str] = []
    for line in log.splitlines():
        if _HEAD.match(line) or not records:
            records.append(line)
        else:
            records[-1] += f"\n{line}"
    return [record[:1000] for record in records if _MISTAKE.search(record) and not _EXPECTED.search(record)]
