"""What a reader gives of a file that is written, rotated, truncated and replaced: each line once, in order, or told."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest
from rave_monitor.readers import growing_file
from rave_monitor.readers.lines import LinesReader


class Following:
    """A reader of a log, with all that it gave and told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self.lines: list[str] = []
        self.reader = self._made(None)

    def _made(self, position: dict[str, object] | None) -> LinesReader:
        reader = LinesReader(path=self.path)
        reader.tell = self.told.append
        reader.open(position)
        return reader

    def read(self) -> list[str]:
        """All that there is to read at present."""
        new: list[str] = []
        for _ in range(20):  # each look at what follows a file takes a read without events
            new += [event["line"] for event in self.reader.read(100)]
        self.lines += new
        return new

    def restart(self) -> None:
        """Goes on with another reader, as a process that starts."""
        position = self.reader.position()
        self.reader.close()
        self.reader = self._made(dict(position))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with two lines."""
    path = tmp_path / "app.log"
    path.write_text("1\n2\n")
    return path


@pytest.fixture
def following(log: Path) -> Following:
    """A reader that has read them."""
    found = Following(log)
    assert found.read() == ["1", "2"]
    return found


def pack(path: Path, mtime: int) -> None:
    """Compresses a file that was last written at ``mtime``, as gzip does, under the next free name."""
    os.utime(path, ns=(0, mtime))
    number = len(list(path.parent.glob("*.gz"))) + 1
    packed = path.with_name(f"{path.name}.{number}.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(packed, ns=(0, mtime))
    path.unlink()


def append(path: Path, text: str) -> None:
    """Appends to a file."""
    with path.open("a") as file:
        file.write(text)


def test_a_line_counts_once_it_is_complete(following: Following) -> None:
    """A restart in the middle of a line changes nothing."""
    append(following.path, "3\n4")
    assert following.read() == ["3"]
    following.restart()
    append(following.path, "4\r\n")
    assert following.read() == ["44"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_rotated_file_is_read_to_its_end(following: Following, restarts: bool) -> None:
    """Also what its writer adds after it was renamed, until the next file has something."""
    following.path.rename(f"{following.path}.1")
    append(Path(f"{following.path}.1"), "3\n")
    following.path.touch()
    if restarts:
        following.restart()
    assert following.read() == ["3"]
    append(Path(f"{following.path}.1"), "4\n5")
    append(following.path, "6\n")
    if restarts:
        following.restart()
    assert following.read() == ["4", "5", "6"]
    assert not following.told


@pytest.mark.parametrize("restarts", [False, True])
def test_a_rotated_file_is_read_until_it_is_quiet(
    following: Following, monkeypatch: pytest.MonkeyPatch, restarts: bool
) -> None:
    """Its writer may go on for a moment after the next file has something."""
    monkeypatch.setattr(growing_file, "QUIET", 3600.0)
    old = Path(f"{following.path}.1")
    following.path.rename(old)
    following.path.write_text("6\n")
    for text in ("3", "4"):
        assert following.read() == []
        append(old, f"{text}\n")
        if restarts:
            following.restart()
        assert following.read() == [text]
    append(old, "5")
    following.read()
    os.utime(old, ns=(0, 10**18))  # long ago
    assert following.read() == ["5", "6"]
    assert not following.told


def test_a_writer_that_never_changes_over_holds_up_the_next_file_for_a_minute(
    following: Following, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the next one is read, and what is still added to the old one is told."""
    monkeypatch.setattr(growing_file, "QUIET", 3600.0)
    monkeypatch.setattr(growing_file, "_PATIENCE", 0.0)
    following.path.rename(f"{following.path}.1")
    following.path.write_text("3\n")
    assert following.read() == ["3"]


@pytest.mark.parametrize("restarts", [False, True])
def test_lines_that_come_too_late_into_a_rotated_file_are_counted_and_told(
    following: Following, restarts: bool
) -> None:
    """Each once, whatever the file is called by then; at most once a minute, and when the next one is complete."""
    old = Path(f"{following.path}.1")
    following.path.rename(old)
    following.path.write_text("3\n")
    assert following.read() == ["3"]
    append(old, "late\nlater\n")
    old = old.rename(f"{following.path}.2")
    if restarts:
        following.restart()
    assert following.read() == []
    append(old, "latest\n")
    assert following.read() == []
    following.path.rename(f"{following.path}.1")
    following.path.write_text("4\n")
    assert following.read() == ["4"]
    following.restart()
    assert following.read() == []
    assert [each.partition(": ")[2].partition(" was")[0].partition(" were")[0] for each in following.told] == [
        "2 lines",
        "1 line",
    ]


def test_files_of_several_rotations_are_read_in_order(following: Following) -> None:
    """By their times, whatever their names, while nobody reads; each once."""
    append(following.path, "3\n")
    for number, name in enumerate(("app.log.2", "app.log.1", "app-20261130.log")):
        following.path.rename(following.path.with_name(name))
        os.utime(following.path.with_name(name), ns=(0, 10**18 + number))
        following.path.write_text(f"of {number}\n")
    for each in ("app.log.9.gz", "app.log.old", "other.log.1"):
        following.path.with_name(each).write_text("wrong\n")
    position = {**following.reader.position(), "mtime": 1}
    following.reader.close()
    following.reader.open(position)
    assert following.read() == ["3", "of 0", "of 1", "of 2"]
    following.restart()
    assert following.read() == []


def test_a_file_that_came_and_was_rotated_before_it_was_read_counts(tmp_path: Path) -> None:
    """But not those that were there before."""
    (tmp_path / "app.log.9").write_text("before\n")
    following = Following(tmp_path / "app.log")
    following.restart()
    following.path.write_text("1\n")
    following.path.rename(tmp_path / "app.log.1")
    following.restart()
    following.path.write_text("2\n")
    assert following.read() == ["1", "2"]
    assert not following.told


def test_a_rotation_without_a_next_file_waits(following: Following) -> None:
    """The old file goes on until there is another."""
    following.path.rename(f"{following.path}.1")
    assert following.read() == []
    append(Path(f"{following.path}.1"), "3\n")
    assert following.read() == ["3"]
    following.path.write_text("4\n")
    assert following.read() == ["4"]


@pytest.mark.parametrize("text", ["3\n", "5\n6\n", "100\n200\n300\n"])
def test_a_truncated_file_is_read_from_its_beginning_and_told(following: Following, text: str) -> None:
    """Whether it is shorter, as long, or longer than before."""
    with following.path.open("r+") as file:
        file.truncate(0)
        file.write(text)
    assert following.read() == text.split()
    assert len(following.told) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_a_file_that_is_copied_and_truncated_loses_nothing(following: Following, restarts: bool) -> None:
    """As logrotate does with ``copytruncate``: the copy is read from the position on, then what was written since."""
    append(following.path, "3\n")
    shutil.copyfile(following.path, f"{following.path}.1")
    os.truncate(following.path, 0)
    if restarts:
        following.restart()
    assert following.read() == ["3"]
    append(following.path, "4\n")
    if restarts:
        following.restart()
    assert following.read() == ["4"]
    following.restart()
    assert following.read() == []
    assert not following.told


def test_a_file_that_was_compressed_before_it_was_read_is_told(following: Following) -> None:
    """Once; one that was read before is not."""
    pack(following.path, 10**18)
    following.path.write_text("3\n")
    os.utime(following.path, ns=(0, 10**18 + 1))
    assert following.read() == ["3"]
    assert not following.told
    following.restart()
    pack(following.path, 10**18 + 1)
    following.path.write_text("4\n")
    pack(following.path, 10**18 + 2)
    for text in ("5", "6"):
        following.path.write_text(f"{text}\n")
        assert following.read() == [text]
        following.path.rename(f"{following.path}.{text}")
        following.restart()
    assert [each.rpartition("/")[2] for each in following.told] == [
        "app.log: the file that was read up to byte 2 is gone; what it got after that is lost",
        "app.log.3.gz was compressed before it was read to its end; leaves it out",
    ]


def test_a_replaced_file_is_read_after_the_old_one(following: Following) -> None:
    """As an editor writes it: another file in its place."""
    append(following.path, "3\n")
    other = following.path.with_name("new")
    other.write_text("a\n")
    other.replace(following.path)
    assert following.read() == ["3", "a"]


def test_a_file_that_is_gone_at_a_restart_is_told(following: Following) -> None:
    """What it may have got since is lost."""
    following.path.unlink()
    following.path.write_text("a\n")
    following.restart()
    assert following.read() == ["a"]
    assert "is gone" in following.told[0]


def test_a_file_that_is_away_is_waited_for(following: Following) -> None:
    """Its position is kept, also over restarts."""
    hidden = following.path.with_name("hidden")
    following.path.rename(hidden)
    following.restart()
    assert following.read() == []
    assert "waits for it" in str(following.reader.trouble)
    following.restart()
    hidden.rename(following.path)
    append(following.path, "3\n")
    assert following.read() == ["3"]
    assert following.reader.trouble is None
    assert not following.told


def test_a_line_that_is_too_long_is_left_out_and_told(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines around it count, and memory stays bounded."""
    monkeypatch.setattr(growing_file, "CHUNK", 64)
    monkeypatch.setattr(growing_file, "LONGEST", 256)
    append(following.path, "3\n" + "x" * 200 + "\n" + "y" * 1000)
    assert following.read() == ["3", "x" * 200]
    following.restart()
    append(following.path, "y\n4\n")
    assert following.read() == ["4"]
    assert "longer than 256 bytes" in following.told[0]


def test_long_lines_hold_up_no_rotation(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither one that is too long and has no end, nor such as are read in several pieces."""
    monkeypatch.setattr(growing_file, "CHUNK", 64)
    monkeypatch.setattr(growing_file, "LONGEST", 256)
    long = "x" * 200
    append(following.path, f"{long}\n{long}\n3\n{long}")
    following.path.rename(f"{following.path}.1")
    following.path.write_text("4\n" + "y" * 1000)
    assert following.read() == [long, long, "3", long, "4"]
    following.path.rename(f"{following.path}.2")
    following.path.write_text("5\n")
    assert following.read() == ["5"]
    assert len(following.told) == 1


def test_bytes_that_are_no_utf8_stay_apart(following: Following) -> None:
    """Different lines stay different."""
    with following.path.open("ab") as file:
        file.write(b"\xff\n\xfe\n")
    assert following.read() == ["\\xff", "\\xfe"]
