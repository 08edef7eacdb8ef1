"""The store of one monitor: its samples, and the checkpoint from which its next leader goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import sqlalchemy as sql
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from rave_core.errors import FenceError
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.sample_database import SampleDatabase
from rave_monitor.sample_tables import MONITORS, SAMPLES

_M, _S = MONITORS.c, SAMPLES.c
_SOME: Final = 1000


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """How it stands with reloads that others asked for.

    Attributes:
        wanted: the number of the latest request.
        done: the latest that was carried out, or refused.
        error: why it was refused; empty if it was not.
    """

    wanted: int
    done: int
    error: str


class SampleStore:
    """What the processes of one monitor share. Safe for threads and processes.

    Every method raises `rave_core.errors.StoreAwayError` if the database can't be reached.
    """

    def __init__(self, database: SampleDatabase, monitor: str) -> None:
        """Keeps the samples of ``monitor`` in ``database``."""
        self.database = database
        self.monitor = monitor

    def claim(self, fence: int) -> Checkpoint:
        """The latest checkpoint; from now on, nobody with an earlier fence writes.

        Raises:
            FenceError: a later leader has claimed it.
            DecodeError: a later version wrote it.
        """

        def act(connection: sql.Connection) -> bytes:
            self._pass(connection, fence)
            return bytes(connection.execute(select(_M.checkpoint).where(_M.name == self.monitor)).scalar_one())

        payload = self.database.write(act)
        return msgspec.msgpack.decode(payload, type=Checkpoint) if payload else Checkpoint()

    def commit(self, fence: int, checkpoint: Checkpoint, samples: Sequence[Sample], status: dict[str, Any]) -> None:
        """Writes samples, the checkpoint and the status, all or nothing. To write the same again changes nothing.

        Raises:
            FenceError: a later leader has claimed the checkpoint; nothing was written.
        """
        values = {
            "checkpoint": msgspec.msgpack.encode(checkpoint),
            "status": msgspec.json.encode(status).decode(),
            "settled": checkpoint.settled,
        }
        rows = [
            {
                "monitor": self.monitor,
                "processor": each.processor,
                "time": each.time,
                "sample": msgspec.json.encode(each.values).decode(),
            }
            for each in samples
        ]

        def act(connection: sql.Connection) -> None:
            self._pass(connection, fence)
            connection.execute(sql.update(MONITORS).where(_M.name == self.monitor).values(values))
            if rows:
                insert = sqlite.insert if self.database.is_sqlite else postgresql.insert
                connection.execute(insert(SAMPLES).on_conflict_do_nothing(), rows)

        self.database.write(act)

    def status(self) -> dict[str, Any] | None:
        """What the leader wrote last; ``None`` if there was no leader yet."""
        asked = select(_M.status).where(_M.name == self.monitor)
        text = self.database.read(lambda connection: connection.execute(asked).scalar_one_or_none())
        return msgspec.json.decode(text) if text else None

    def monitors(self) -> list[str]:
        """The names of all monitors whose samples are in this database, in order."""
        asked = select(_M.name).order_by(_M.name)
        return self.database.read(lambda connection: list(connection.execute(asked).scalars()))

    def samples(self, processor: str, start: float, end: float, *, limit: int | None = None) -> list[Sample]:
        """The samples of a processor from ``start`` up to, but not including ``end``, newest first."""
        asked = (
            select(_S.time, _S.sample)
            .where(_S.monitor == self.monitor, _S.processor == processor, _S.time >= start, _S.time < end)
            .order_by(_S.time.desc())
            .limit(limit)
        )
        rows = self.database.read(lambda connection: connection.execute(asked).all())
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        return [Sample(processor, time, decode(text)) for time, text in rows]

    def samples_after(self, processors: Sequence[str], start: float, end: float) -> tuple[list[Sample], float]:
        """The first samples of some processors in a range, oldest first, and the time before which these are all.

        They are about a thousand at most; with the last of them, that time is ``end``, which is not in the range.
        """
        most = max(_SOME, 2 * len(processors))
        asked = (
            select(_S.processor, _S.time, _S.sample)
            .where(_S.monitor == self.monitor, _S.processor.in_(processors), _S.time >= start, _S.time < end)
            .order_by(_S.time, _S.processor)
            .limit(most)
        )
        rows = self.database.read(lambda connection: connection.execute(asked).all())
        decode = msgspec.json.Decoder(dict[str, Any]).decode
        found = [Sample(processor, time, decode(text)) for processor, time, text in rows]
        if len(found) < most:
            return found, end
        last = found[-1].time  # some of its samples may be missing
        return [each for each in found if each.time < last], last

    def settled_before(self) -> float:
        """The time before which no sample is added any more: each that is still taken or waits is later."""
        asked = select(_M.settled).where(_M.name == self.monitor)
        return float(self.database.read(lambda connection: connection.execute(asked).scalar_one_or_none()) or 0.0)

    def expire(self, fence: int, before: float) -> int:
        """Removes the samples before a time; returns how many.

        Raises:
            FenceError: a later leader has claimed the checkpoint.
        """

        def act(connection: sql.Connection) -> int:
            self._pass(connection, fence)
            old = sql.delete(SAMPLES).where(_S.monitor == self.monitor, _S.time < before)
            return int(connection.execute(old).rowcount)

        return self.database.write(act)

    def oldest(self) -> float | None:
        """The time of the oldest sample; ``None`` if there is none."""
        asked = select(sql.func.min(_S.time)).where(_S.monitor == self.monitor)
        found: float | None = self.database.read(lambda connection: connection.execute(asked).scalar_one())
        return found

    def thin(self, fence: int, start: float, end: float, width: float) -> int:
        """Of the samples from ``start`` to ``end``, keeps the first in each ``width`` seconds; returns how many went.

        Raises:
            FenceError: a later leader has claimed the checkpoint.
        """
        earlier = SAMPLES.alias("earlier")
        place = _S.time / width
        begin = (sql.cast(place, sql.BigInteger) if self.database.is_sqlite else sql.func.floor(place)) * width
        is_later = sql.exists().where(
            earlier.c.monitor == _S.monitor,
            earlier.c.processor == _S.processor,
            earlier.c.time >= begin,
            earlier.c.time < _S.time,
        )

        def act(connection: sql.Connection) -> int:
            self._pass(connection, fence)
            own = (_S.monitor == self.monitor, _S.time >= start, _S.time < end)
            return int(connection.execute(sql.delete(SAMPLES).where(*own, is_later)).rowcount)

        return self.database.write(act)

    def ask_reload(self) -> int:
        """Asks the leader to load its configuration again; returns the number of the request."""

        def act(connection: sql.Connection) -> int:
            self._make_row(connection)
            asked = sql.update(MONITORS).where(_M.name == self.monitor).values(reload_wanted=_M.reload_wanted + 1)
            return int(connection.execute(asked.returning(_M.reload_wanted)).scalar_one())

        return self.database.write(act)

    def reload_request(self) -> ReloadRequest:
        """How it stands with reloads."""
        asked = select(_M.reload_wanted, _M.reload_done, _M.reload_error).where(_M.name == self.monitor)
        row = self.database.read(lambda connection: connection.execute(asked).one_or_none())
        return ReloadRequest(0, 0, "") if row is None else ReloadRequest(*row)

    def answer_reload(self, fence: int, number: int, error: str) -> None:
        """Notes that a request was carried out, or with an error that it was refused.

        Raises:
            FenceError: a later leader has claimed the checkpoint.
        """

        def act(connection: sql.Connection) -> None:
            self._pass(connection, fence)
            values = {"reload_done": number, "reload_error": error}
            connection.execute(sql.update(MONITORS).where(_M.name == self.monitor).values(values))

        self.database.write(act)

    def _make_row(self, connection: sql.Connection) -> None:
        insert = sqlite.insert if self.database.is_sqlite else postgresql.insert
        empty = {
            "checkpoint": b"",
            "status": "",
            "settled": 0.0,
            "reload_wanted": 0,
            "reload_done": 0,
            "reload_error": "",
        }
        values = {"name": self.monitor, "fence": 0, **empty}
        connection.execute(insert(MONITORS).on_conflict_do_nothing(), values)

    def _pass(self, connection: sql.Connection, fence: int) -> None:
        """Raises the fence of the monitor to this one, and holds the lock of its row until the commit.

        Raises:
            FenceError: it is a later one already.
        """
        raised = sql.update(MONITORS).where(_M.name == self.monitor, _M.fence <= fence).values(fence=fence)
        if connection.execute(raised).rowcount:
            return
        self._make_row(connection)
        if not connection.execute(raised).rowcount:
            newest = connection.execute(select(_M.fence).where(_M.name == self.monitor)).scalar_one()
            raise FenceError(f"monitor:{self.monitor}", fence, newest)
