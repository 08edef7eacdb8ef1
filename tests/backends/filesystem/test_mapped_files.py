"""Large values that are mapped: right for as long as they live, whatever happens to the file, and each caller's own."""

from __future__ import annotations

import json
import mmap
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rave_backends.filesystem import mapped_files
from rave_core import Runtime, op, using

SIZE = mapped_files.LARGE // 8 + 3


@op(name="mapped/numbers", version=1)
def numbers(start: int) -> Any:
    """An array over the size from which files are mapped."""
    return np.arange(start, start + SIZE, dtype="int64")


@op(name="mapped/table", version=1)
def table(start: int) -> Any:
    """An immutable table of the same."""
    import pyarrow as pa

    return pa.table({"a": np.arange(start, start + SIZE)})


@pytest.fixture
def used(make_runtime: Callable[..., Runtime], tmp_path: Path) -> Iterator[Runtime]:
    """A runtime whose values lie in a directory alone."""
    with using(make_runtime(cache=[f"file://{tmp_path}/data"])) as entered:
        yield entered


def _is_right(value: Any, start: int) -> bool:
    return bool((value == np.arange(start, start + SIZE)).all())


def _path(start: int, runtime: Runtime) -> Path:
    backend: Any = runtime.cache.backend
    return Path(backend._tree.frame(numbers.key(start).text))


def _is_mapped(runtime: Runtime, start: int) -> bool:
    frame = runtime.cache.backend.get(numbers.key(start).text)
    return isinstance(frame, memoryview) and isinstance(frame.obj, mmap.mmap)


def test_a_large_frame_is_mapped_and_a_small_one_read(used: Runtime) -> None:
    """A private store on a local file system."""
    numbers(0)
    assert _is_mapped(used, 0)
    used.cache.backend.put("a/b/c", [b"x" * (mapped_files.LARGE - 1)])
    assert isinstance(used.cache.backend.get("a/b/c"), bytearray)


def test_what_a_caller_writes_stays_with_the_caller(used: Runtime) -> None:
    """Neither the file nor another caller sees it; the array is writable as ever."""
    numbers(0)
    good = _path(0, used).read_bytes()
    mine, other = numbers(0), numbers(0)
    mine[:] = -1
    assert (mine == -1).all()
    assert _is_right(other, 0)
    assert _is_right(numbers(0), 0)
    assert _path(0, used).read_bytes() == good


def test_a_forked_child_writes_for_itself(used: Runtime) -> None:
    """What it writes into a value that its parent mapped stays in the child, and back."""
    numbers(0)
    value = numbers(0)
    if not (child := os.fork()):
        value[:] = -1
        os._exit(int(_is_right(numbers(0), 0)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert _is_right(value, 0)


def _replaced(runtime: Runtime, root: Path) -> None:
    numbers.resolve(0, rave_refresh=True)
    path = _path(0, runtime)
    path.with_suffix(".other").write_bytes(b"\0" * path.stat().st_size)
    path.with_suffix(".other").replace(path)


def _evicted(runtime: Runtime, root: Path) -> None:
    backend: Any = runtime.cache.backend
    from rave_backends.budget import Budget, Limit

    backend.budget = Budget(Limit(1))
    backend.purge(lambda entry: False, grace=0)
    assert not _path(0, runtime).exists()


def _purged(runtime: Runtime, root: Path) -> None:
    backend: Any = runtime.cache.backend
    assert backend.purge(lambda entry: True, grace=0).entries == 1


def _set_aside(runtime: Runtime, root: Path) -> None:
    runtime.cache.backend.set_aside(numbers.key(0).text)
    assert not _path(0, runtime).exists()


def _removed(runtime: Runtime, root: Path) -> None:
    shutil.rmtree(root / "data")


@pytest.mark.parametrize("change", [_replaced, _evicted, _purged, _set_aside, _removed])
def test_a_value_in_use_stays_right(used: Runtime, tmp_path: Path, change: Callable[[Runtime, Path], None]) -> None:
    """When its entry is replaced, evicted, purged or set aside, or the whole cache is removed under it."""
    numbers(0)
    value = numbers(0)
    change(used, tmp_path)
    assert _is_right(value, 0)
    value += 1
    assert _is_right(value, 1)


@pytest.mark.parametrize("memory", [(), ("memory://",)], ids=["directory", "memory in front"])
def test_each_hit_is_the_caller_s_own(
    make_runtime: Callable[..., Runtime], tmp_path: Path, memory: tuple[str, ...]
) -> None:
    """Memory in front of the directory gives no caller what another may write into, in a new process either."""
    for _ in range(2):
        with using(make_runtime(cache=[*memory, f"file://{tmp_path}/data"])):
            for _ in range(3):
                value = numbers(0)
                assert _is_right(value, 0)
                value[:] = -1
            assert table(0).equals(table(0))
            assert _is_right(table(0)["a"].to_numpy(), 0)


@pytest.mark.parametrize("how", ["group", "everybody", "linked", "another's", "remote"])
def test_what_others_may_write_is_not_mapped(used: Runtime, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """By its mode, another name or owner, or from another host: it is read, and right."""
    numbers(0)
    path = _path(0, used)
    if how in ("group", "everybody"):
        path.chmod(0o620 if how == "group" else 0o602)
    elif how == "linked":
        os.link(path, path.with_name("second"))
    elif how == "another's":
        user = os.geteuid()
        monkeypatch.setattr(mapped_files.os, "geteuid", lambda: user + 1)
        assert _read(path)[0] is None
        return
    else:
        monkeypatch.setattr(mapped_files, "_is_local", lambda file: False)
    assert not _is_mapped(used, 0)
    assert _is_right(numbers(0), 0)


def _read(path: Path) -> tuple[memoryview | None, os.stat_result]:
    file = os.open(path, os.O_RDONLY)
    try:
        return mapped_files.mapped(file, os.fstat(file)), os.fstat(file)
    finally:
        os.close(file)


def test_another_kind_of_file_system_is_not_local() -> None:
    """Such as `/proc`, and like it those of a network."""
    file = os.open("/proc/self/stat", os.O_RDONLY)
    assert not mapped_files._is_local(file)
    os.close(file)


def test_mappings_leave_descriptors_to_the_program(used: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each holds one, so there are few at a time; what lives beyond that is read. Dropped values give theirs back."""
    monkeypatch.setattr(mapped_files, "MOST", 3)
    numbers(0)
    before = len(mapped_files._mapped)
    values = [numbers(0) for _ in range(6)]
    assert len(mapped_files._mapped) == 3
    assert all(_is_right(value, 0) for value in values)
    del values
    assert len(mapped_files._mapped) == before


def test_a_cut_file_is_a_miss(used: Runtime) -> None:
    """By somebody else, while nobody had it mapped: the frame lacks its end."""
    numbers(0)
    os.truncate(_path(0, used), mapped_files.LARGE + 8)
    assert [numbers.resolve(0).status for _ in range(2)] == ["miss", "hit"]


TRACED = """
import json, os, sys
from pathlib import Path
seen = []
def note(event, arguments):
    if event == "open":
        path, _, flags = arguments
        name = os.fsdecode(path) if isinstance(path, (str, bytes)) else str(path)
        if name.endswith(".rave") and flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC) and not flags & os.O_EXCL:
            seen.append((event, name))
    elif event == "os.truncate":
        seen.append((event, str(arguments[0])))
sys.addaudithook(note)

import numpy as np
from rave_core import Runtime, Settings, op, op_file, using
from rave_core.storage.listing import verify

@op(version=1, expires=1000)
def numbers(start):
    return np.arange(start, start + 200_000)

@op_file(version=1, mime_type="text/plain")
def written(out, n):
    Path(out).write_text("x" * n)

root = sys.argv[1]
runtime = Runtime(Settings(cache=[f"file://{root}/data?max_bytes=5MiB"], products=[f"file://{root}/products"]))
with using(runtime):
    for n in (0, 0, 1, 2, 3, 4, 5):
        numbers(n)
        written(n)
    numbers.resolve(0, rave_refresh=True)
    written.resolve(0, rave_refresh=True)
    backend = runtime.cache.backend
    frame = Path(backend._tree.frame(numbers.key(0).text))
    frame.rename(frame.with_name("aside"))
    frame.write_bytes(frame.with_name("aside").read_bytes()[:-1])
    assert [each.health for each in verify(runtime.cache, repair=True)].count("damaged") == 1
    numbers(0)
    runtime.cache.forget(numbers.key(0))
    for cache in (runtime.cache, runtime.products):
        cache.backend.purge(lambda entry: True, grace=0)
print(json.dumps([str(frame), seen]))
"""


def test_no_entry_is_ever_opened_for_writing(run_python: Callable[..., str], tmp_path: Path) -> None:
    """Nor cut: stores, refreshes, evictions, repairs and purges only make new files, move them and remove them."""
    script = tmp_path / "traced.py"
    script.write_text(TRACED)
    damaged, seen = json.loads(run_python(str(script), str(tmp_path)).splitlines()[-1])
    assert seen == [["open", damaged]]  # by the test itself
