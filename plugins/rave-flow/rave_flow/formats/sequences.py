"""Which records of an exporter are missing, by the sequence numbers of its messages (RFC 7011, section 3.1)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_WRAP = 2**32
_FASTEST, _GRACE = 100_000, 10
"""The most records that an exporter sends in a second, and seconds by which its times may be off: a number that is
further ahead is that of another run of the exporter."""

_MOST_RUNS, _MOST_HOLES = 8, 64
"""The most runs of one domain that are told apart, and the most holes of one that late messages may fill."""


@dataclass(slots=True, eq=False)
class _Run:
    """The messages of an exporter since it started.

    Attributes:
        first, following: the number of the first record, and of the one after the last; beyond `_WRAP` after a wrap.
        exported: when the last message left, in Unix seconds.
        is_sure: whether it is known how many records the message has that was the last by number.
        holes: from where to where records are missing, the ends not included; the last ones.
        lost_before: how many are missing in the others.
    """

    first: int
    following: int
    exported: int
    is_sure: bool = True
    holes: list[tuple[int, int]] = field(default_factory=list)
    lost_before: int = 0

    @property
    def lost(self) -> int:
        """How many records are missing."""
        return self.lost_before + sum(right - left for left, right in self.holes)

    def place(self, number: int) -> int:
        """A number that may have wrapped around, as `first` and `following` are."""
        return self.following + (number - self.following + _WRAP // 2) % _WRAP - _WRAP // 2

    def fits(self, start: int, count: int) -> bool:
        """Takes records that follow the last, come before the first, or fill a hole; says whether they did."""
        end = start + count
        if start == self.following:
            self.following = end
            return True
        if end == self.first:
            self.first = start
            return True
        for place, (left, right) in enumerate(self.holes):
            if left <= start and end <= right:
                self.holes[place : place + 1] = [(a, b) for a, b in ((left, start), (end, right)) if a < b]
                return True
        return False

    def jumps(self, start: int, count: int, exported: int) -> bool:
        """Takes records that are ahead, as far as that may be a loss; says whether it did."""
        ahead = start - self.following
        if not 0 < ahead <= _FASTEST * (max(exported - self.exported, 0) + _GRACE):
            return False
        if self.is_sure:
            self.holes.append((self.following, start))
        if len(self.holes) > _MOST_HOLES:
            left, right = self.holes.pop(0)
            self.lost_before += right - left
        self.following = start + count
        return True


@dataclass(slots=True)
class Sequences:
    """The messages of all domains in one file, in any order. For one thread.

    Numbers that wrap around, messages that overtake others, and an exporter that starts anew are no losses.
    """

    _runs: dict[int, list[_Run]] = field(default_factory=dict)
    _forgotten: Counter[int] = field(default_factory=Counter)

    @property
    def missing(self) -> Counter[int]:
        """How many records are missing of each domain; 0 for none."""
        lost = {domain: sum(run.lost for run in runs) for domain, runs in self._runs.items()}
        return self._forgotten + Counter(lost)

    def take(self, domain: int, number: int, count: int | None, exported: int) -> None:
        """Takes a message.

        Args:
            domain: which observed the records.
            number: of its first record, modulo 2³².
            count: how many records it has; ``None`` if that is unknown.
            exported: in Unix seconds.
        """
        if count == 0:
            return
        runs, known = self._runs.setdefault(domain, []), count or 0
        run = next((run for run in runs if run.fits(run.place(number), known)), None)
        if run is None and runs and runs[0].jumps(runs[0].place(number), known, exported):
            run = runs[0]
        if run is None:
            run = _Run(number, number + known, exported)
            runs.append(run)
        run.exported = max(run.exported, exported)
        if run.place(number) + known == run.following:
            run.is_sure = count is not None
        runs.sort(key=lambda one: one is not run)  # the last one first
        if len(runs) > _MOST_RUNS:
            self._forgotten[domain] += runs.pop().lost
