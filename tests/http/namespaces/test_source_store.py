"""Kept sources: the code that was taken last, for workers that start while a directory is broken (R18)."""

from __future__ import annotations

import logging
import os
import random
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from rave_core.reloading.source_snapshot import Snapshot, Source
from rave_http.namespaces import source_store
from rave_http.namespaces.source_store import KeptSources
from rave_http.workers.run_directory import RunDirectory


@pytest.fixture
def run_directory(tmp_path: Path) -> RunDirectory:
    """The board of a service."""
    (tmp_path / "board").mkdir(mode=0o700)
    return RunDirectory(tmp_path / "board")


@pytest.fixture
def kept(run_directory: RunDirectory) -> KeptSources:
    """What is kept on it."""
    return KeptSources(run_directory)


def sources(read_at: float, data: bytes = b"x = 1") -> Snapshot:
    """A snapshot of one file."""
    return Snapshot("/srv/lab", {"/srv/lab/__init__.py": Source(data, 1234567890123456789)}, read_at)


def test_what_one_worker_keeps_another_one_finds_as_it_was(
    kept: KeptSources, run_directory: RunDirectory, tmp_path: Path
) -> None:
    """Every byte and every time of it; whatever the namespace and its files are called."""
    (tmp_path / "code" / "part").mkdir(parents=True)
    (tmp_path / "code" / "__init__.py").write_bytes("# -*- coding: latin-1 -*-\nword = 'grün'\r\n".encode("latin-1"))
    (tmp_path / "code" / "part" / "größe.py").write_bytes(b"\xff\0")
    (tmp_path / "code" / "data.txt").write_text("no source")
    read = Snapshot.of(str(tmp_path / "code"))
    assert len(read.files) == 2
    for name in ("lab", "Lab_2", "größe-x"):
        kept.keep(name, "/srv/code", read)
        assert KeptSources(RunDirectory(run_directory.directory)).find(name, "/srv/code") == read


def test_only_the_owner_can_read_what_is_kept(kept: KeptSources, run_directory: RunDirectory) -> None:
    """Like everything on a board."""
    kept.keep("lab", "/srv/lab", sources(1.0))
    assert {path.stat().st_mode & 0o077 for path in run_directory.directory.iterdir()} == {0}


def test_nothing_is_found_where_nothing_was_kept(kept: KeptSources) -> None:
    """Nor where a namespace of that name was in another directory."""
    assert kept.find("lab", "/srv/lab") is None
    kept.keep("lab", "/srv/lab", sources(1.0))
    assert kept.find("lab", "/srv/other") is None
    assert kept.find("other", "/srv/lab") is None
    kept.keep("lab", "/srv/other", sources(2.0))
    assert kept.find("lab", "/srv/lab") is None


def test_what_was_read_later_stays(kept: KeptSources) -> None:
    """However long a worker took to load what it read before."""
    for read_at in (1.0, 3.0, 2.0, 3.0, 2.5):
        kept.keep("lab", "/srv/lab", sources(read_at, str(read_at).encode()))
    assert kept.find("lab", "/srv/lab") == sources(3.0, b"3.0")


def test_of_many_workers_at_once_that_counts_which_read_last(run_directory: RunDirectory) -> None:
    """Whoever reads meanwhile finds one as a whole."""
    times = [float(number) for number in range(60)]
    random.Random(7).shuffle(times)

    def work(read_at: float) -> bool:
        worker = KeptSources(RunDirectory(run_directory.directory))
        worker.keep("lab", "/srv/lab", sources(read_at, str(read_at).encode() * 10_000))
        found = worker.find("lab", "/srv/lab")
        assert found is not None
        return found == sources(found.read_at, str(found.read_at).encode() * 10_000) and found.read_at >= read_at

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, times))
    found = KeptSources(run_directory).find("lab", "/srv/lab")
    assert found is not None
    assert found.read_at == 59.0


def test_what_is_too_large_is_not_kept_and_said_once(
    kept: KeptSources, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was kept before it goes, too, since it is not what serves; a small one after it is kept."""
    monkeypatch.setattr(source_store, "MAX_BYTES", 100)
    kept.keep("lab", "/srv/lab", sources(1.0))
    for read_at in (3.0, 4.0):
        kept.keep("lab", "/srv/lab", sources(read_at, b"#" * 101))
        assert kept.find("lab", "/srv/lab") is None
    kept.keep("lab", "/srv/lab", sources(2.0))
    assert kept.find("lab", "/srv/lab") is None
    (told,) = (record.getMessage() for record in caplog.records)
    assert told == (
        "namespace lab: its code can't be kept for workers that start while it is broken: "
        "it has 101 bytes, of which 100 at most are kept"
    )
    kept.keep("lab", "/srv/lab", sources(5.0, b"#" * 100))
    assert kept.find("lab", "/srv/lab") is not None


def test_a_path_that_is_no_text_is_not_kept(kept: KeptSources, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, and what was kept before goes."""
    kept.keep("lab", "/srv/lab", sources(1.0))
    path = os.fsdecode(b"/srv/lab/\xff.py")
    kept.keep("lab", "/srv/lab", replace(sources(2.0), files={path: Source(b"", 0)}))
    assert kept.find("lab", "/srv/lab") is None
    assert "can't be kept" in caplog.text


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"directory": "/srv/lab", "read_at": "now"}', b"\xff\xfe"])
def test_what_is_damaged_is_nothing(
    kept: KeptSources, run_directory: RunDirectory, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and replaced by what is kept next."""
    kept.keep("lab", "/srv/lab", sources(1.0))
    (path,) = run_directory.directory.glob("sources-*.json")
    path.write_bytes(damage)
    assert kept.find("lab", "/srv/lab") is None
    assert "can't be used" in caplog.text
    kept.keep("lab", "/srv/lab", sources(0.5))
    assert kept.find("lab", "/srv/lab") == sources(0.5)


def test_without_its_board_a_worker_goes_on(
    kept: KeptSources, run_directory: RunDirectory, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody may have removed it; that is said once."""
    shutil.rmtree(run_directory.directory)
    for _ in range(2):
        kept.keep("lab", "/srv/lab", sources(1.0))
        assert kept.find("lab", "/srv/lab") is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
