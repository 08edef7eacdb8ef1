"""Logs that are written, rotated, copied, truncated and compressed in any order while they are read, with kills.

``make stress`` tries many more orders.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import shutil
from pathlib import Path

import pytest
from rave_monitor.readers.zeek import ZeekReader

HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
    "#fields\tuid\tservice\n#types\tstring\tstring\n"
)


class ZeekWriter:
    """Writes a log as Zeek does, with a header in each file; or as JSON, which needs none.

    Attributes:
        written: the identifiers of all entries, in order.
        rotated: the files that were put aside and are not compressed, each with the number of entries up to its end.
    """

    def __init__(self, path: Path, *, is_json: bool) -> None:
        self.path, self.is_json = path, is_json
        self.written: list[str] = []
        self.rotated: list[tuple[Path, int]] = []
        self._begun = ""
        self._number = 0
        self._file = path.open("a")
        self._begin()

    def write(self, number: int, *, cuts: bool) -> None:
        """Writes entries; if it ``cuts``, the last one in two pieces, the second with the next write."""
        text, self._begun = self._begun, ""
        for _ in range(number):
            uid = f"C{len(self.written)}"
            self.written.append(uid)
            text += json.dumps({"uid": uid, "service": "-"}) + "\n" if self.is_json else f"{uid}\tdns,é\n"
        if cuts and number:
            text, self._begun = text[:-5], text[-5:]
        self._file.write(text)
        self._file.flush()

    def rename(self) -> None:
        """Ends the file, which gets another name, and begins the next one."""
        self._end()
        self._file.close()
        self.path.rename(self._put_aside())
        self._file = self.path.open("a")
        self._begin()

    def copy_and_truncate(self) -> None:
        """Copies the file, and goes on in it from its beginning."""
        self._end()
        shutil.copyfile(self.path, self._put_aside())
        os.truncate(self.path, 0)
        self._begin()

    def compress(self, before: float) -> None:
        """Compresses the earliest file that was put aside, if its entries are among the first ``before``."""
        if not self.rotated or self.rotated[0][1] >= before:
            return
        old, _ = self.rotated.pop(0)
        packed, mtime = Path(f"{old}.gz"), old.stat().st_mtime_ns
        packed.write_bytes(gzip.compress(old.read_bytes()))
        os.utime(packed, ns=(mtime, mtime))
        old.unlink()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _put_aside(self) -> Path:
        self._number += 1
        aside = self.path.with_name(f"{self.path.stem}-26-11-30_{self._number:06d}.log")
        self.rotated.append((aside, len(self.written)))
        return aside

    def _begin(self) -> None:
        self._file.write("" if self.is_json else HEADER)
        self._file.flush()

    def _end(self) -> None:
        self.write(0, cuts=False)
        self._file.write("" if self.is_json else "#close\t2026-11-30-00-00-00\n")
        self._file.flush()


class KilledReader:
    """A reader that is killed: what it gave since it was saved counts for nothing, and the next one gives it again."""

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self.saved: list[str] = []
        self._path = path
        self._position: dict[str, object] | None = None
        self._open()
        self.save()

    def _open(self) -> None:
        self._reader = ZeekReader(path=self._path)
        self._reader.tell = self.told.append
        self._reader.open(self._position)
        self._given: list[str] = []

    def read(self) -> None:
        """Reads once."""
        self._given += [event["uid"] for event in self._reader.read(100)]

    def save(self) -> None:
        """Saves what was given together with the position, as a monitor does."""
        self._position = json.loads(json.dumps(self._reader.position()))
        self.saved, self._given = [*self.saved, *self._given], []

    def kill(self) -> None:
        """Goes on with another reader, from what was saved."""
        self.close()
        self._open()

    def close(self) -> None:
        """Lets go of the log."""
        self._reader.close()


def live(writer: ZeekWriter, reader: KilledReader, chosen: random.Random, *, is_patient: bool) -> None:
    """Lets anything happen; a patient host compresses what was read, another one anything."""
    for _ in range(200):
        match chosen.choice(["write", "write", "rename", "copy", "compress", "read", "read", "read", "save", "kill"]):
            case "write":
                writer.write(chosen.randrange(4), cuts=chosen.random() < 0.3)
            case "rename":
                writer.rename()
            case "copy" if writer.is_json:
                writer.copy_and_truncate()
            case "compress":
                writer.compress(len(reader.saved) if is_patient else math.inf)
            case "read":
                reader.read()
            case "save":
                reader.save()
            case "kill":
                reader.kill()
    writer.write(1, cuts=False)
    for _ in range(400):  # each look at what follows a file takes a read without events
        reader.read()
    reader.save()
    reader.close()
    writer.close()


@pytest.mark.parametrize("is_patient", [False, True])
@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize("seed", range(500 if "RAVE_STRESS" in os.environ else 8))
def test_each_entry_is_read_once_in_order_or_its_loss_is_told(
    tmp_path: Path, is_patient: bool, is_json: bool, seed: int
) -> None:
    """Whatever happens to its file. Nothing is lost if files are compressed some time after they were read."""
    writer = ZeekWriter(tmp_path / "conn.log", is_json=is_json)
    reader = KilledReader(writer.path)
    live(writer, reader, random.Random(seed), is_patient=is_patient)
    read = set(reader.saved)
    assert reader.saved == [uid for uid in writer.written if uid in read]
    assert len(read) == len(writer.written) or (reader.told and not is_patient)
    assert not (is_patient and reader.told)
