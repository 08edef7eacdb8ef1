"""Stores in trouble: full, read-only, forbidden, vanished. A call gives its value, with one warning; a save fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from rave_core import RaveError, op, op_file, using
from rave_core.documents import open_store
from rave_core.errors import StoreAwayError

SMALL, LARGE = 100, 100_000


@op(name="fire/block", version=1)
def block(number, size):
    """A value of ``size`` bytes that no codec makes smaller."""
    return bytes([number]) * size


@op_file(name="fire/page", version=1, mime_type="text/plain")
def page(out, number, size):
    """A file of ``size`` bytes."""
    with open(out, "wb") as file:
        file.write(bytes([number]) * size)


@op_file(name="fire/folder", version=1, kind="directory")
def folder(out, number, size):
    """A directory with a file of ``size`` bytes."""
    os.mkdir(f"{out}/below")
    with open(f"{out}/below/file", "wb") as file:
        file.write(bytes([number]) * size)


@op_file(name="fire/failing_page", version=1, mime_type="text/plain")
def failing_page(out, number):
    """Fails by itself, as if there were no space."""
    Path(out).write_bytes(b"half")
    raise OSError(28, "no space on a device that is not ours")


def is_right(operation, number, size):
    """Whether the call gives its value, or an existing readable file."""
    value = operation(number, size)
    if operation is folder:
        value += "/below/file"
    content = value if operation is block else Path(value).read_bytes()
    return content == bytes([number]) * size


@pytest.fixture
def on(make_runtime):
    """A runtime on a directory: values directly below it, files beside them."""

    def make(directory, **settings):
        place = [f"file://{directory}/cache"]
        return make_runtime(cache=place, products=[f"file://{directory}/products"], **settings)

    return make


def fill(disk):
    """Fills a disk to the last byte."""
    with (disk / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert os.statvfs(disk).f_bavail == 0


def _cache(runtime, operation):
    return runtime.cache if operation is block else runtime.products


@pytest.mark.parametrize("operation", [block, page, folder], ids=["value", "file", "directory"])
def test_a_full_disk_costs_a_warning_and_no_answer(mount, on, warned, operation):
    """Every call returns its value; one warning in all; ``check`` tells why; when space returns, results are kept."""
    disk = mount("4m")
    with using(on(disk)) as runtime:
        assert is_right(operation, 1, SMALL)
        fill(disk)
        with warned() as messages:
            for number in range(2, 6):
                assert is_right(operation, number, LARGE)
            assert is_right(operation, 1, SMALL)
        assert len(messages) == 1
        assert "No space left" in messages[0]
        assert "full" in _cache(runtime, operation).backend.check()
        (disk / "ballast").unlink()
        with warned() as messages:
            assert [operation.resolve(7, LARGE).status for _ in range(2)] == ["miss", "hit"]
        assert messages == []
        assert _cache(runtime, operation).backend.check() is None
        assert os.listdir(_cache(runtime, operation).backend._temporaries.directory) == []


def test_a_save_on_a_full_disk_is_refused_and_leaves_nothing_half_written(mount):
    """What was there is read; when space returns, the same save succeeds, and no number is missing."""
    disk = mount("4m")
    with open_store(f"sqlite:///{disk}/documents.sqlite") as store:
        store.save("notes", "k", b"first", expect=0, author="ada")
        fill(disk)
        with pytest.raises(StoreAwayError, match="disk is full"):
            store.save("notes", "k", b"x" * LARGE, expect=1, author="ada")
        assert store.get("notes", "k").payload == b"first"
        (disk / "ballast").unlink()
        store.save("notes", "k", b"x" * LARGE, expect=1, author="ada")
        assert [(each.version, each.sequence) for each in store.history("notes", "k")] == [(2, 2), (1, 1)]


@pytest.mark.parametrize("operation", [block, page, folder], ids=["value", "file", "directory"])
def test_a_disk_that_is_too_small_keeps_what_fits(mount, on, warned, operation):
    """256 KiB: large results are given and not kept, small ones are kept."""
    with using(on(mount("256k"))):
        with warned() as messages:
            for number in range(4):
                assert is_right(operation, number, 3 * LARGE)
        assert len(messages) == 1
        assert is_right(operation, 9, SMALL)
        assert operation.resolve(9, SMALL).status == "hit"


@pytest.mark.parametrize("operation", [block, page, folder], ids=["value", "file", "directory"])
def test_a_read_only_disk_gives_hits_and_answers(mount, on, warned, operation):
    """What is there is read; what is not is computed; one warning; ``check`` tells why."""
    disk = mount("4m")
    with using(on(disk)) as runtime:
        assert is_right(operation, 1, SMALL)
        runtime.close()  # mount(8) refuses while a file is open for writing
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for again in (runtime, on(disk)):
            with using(again), warned() as messages:
                assert operation.resolve(1, SMALL).status == "hit"
                for number in (2, 3, 3):
                    assert is_right(operation, number, SMALL)
                assert len(messages) == 1
                assert "read-only" in _cache(again, operation).backend.check()
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert [operation.resolve(4, SMALL).status for _ in range(2)] == ["miss", "hit"]


FORBIDDEN = """
import warnings
from contextlib import suppress
from pathlib import Path

@op(name="fire/small", version=1)
def small(n):
    return str(n)

@op_file(name="fire/small_page", version=1, mime_type="text/plain")
def small_page(out, n):
    Path(out).write_text(str(n))

what = sys.argv[1]
with Runtime() as first, using(first):  # everything is imported while that is allowed
    small(0), small_page(0)
os.environ.update(RAVE_CACHE=sys.argv[2], RAVE_PRODUCTS=sys.argv[2])
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    runtime = Runtime(plugins=first.plugins)
    cache = runtime.cache if what == "small" else runtime.products
    with using(runtime):
        for n in (1, 2, 2):
            answer = small(n) if what == "small" else Path(small_page(n)).read_text()
            assert answer == str(n), answer
    trouble = cache.backend.check()
print([w.category.__name__ for w in caught], trouble)
"""


@pytest.mark.parametrize("mode", [0o755, 0o700, 0o500])
@pytest.mark.parametrize("what", ["small", "small_page"])
def test_a_directory_without_permission_costs_a_warning_and_no_answer(start, what, mode, as_root):
    """Whether its owner lets us look or not."""
    with tempfile.TemporaryDirectory() as directory:  # the directories above tmp_path keep others out
        os.chmod(directory, mode | 0o055)
        os.mkdir(f"{directory}/cache", mode)
        url = f"file://{directory}/cache"
        child = start(FORBIDDEN, what, url)
        output = child.communicate()[0]
        assert child.returncode == 0
        assert output.startswith("['RaveWarning'] the cache directory")
        assert "no permission" in output


@pytest.mark.parametrize("operation", [block, page], ids=["value", "file"])
def test_a_directory_that_vanishes_is_made_again(on, tmp_path, warned, operation):
    """Between calls nobody notices, and results are kept again."""
    with using(on(tmp_path)), warned() as messages:
        for number in range(3):
            assert operation.resolve(number, SMALL).status == "miss"
            shutil.rmtree(tmp_path / ("products" if operation is page else "cache"))
            assert is_right(operation, number, SMALL)
            assert operation.resolve(number, SMALL).status == "hit"
    assert messages == []


@pytest.mark.parametrize("moment", ["before it writes", "after it wrote"])
@pytest.mark.parametrize("what", ["value", "file"])
def test_a_directory_that_vanishes_under_a_body_costs_no_answer(on, tmp_path, what, moment, warned, tape):
    """The value comes back; of a file operation a file that exists."""
    tape.once = lambda: tape.append(1) or (len(tape) == 1 and shutil.rmtree(tmp_path / "products"))
    tape.whole = lambda: tape.append(1) or shutil.rmtree(tmp_path / "cache")

    @op(name="fire/sweeps_values")
    def sweeps(moment):
        tape.whole()
        return [1]

    @op_file(name="fire/sweeps_files", mime_type="text/plain")
    def sweeps_files(out, moment):
        if moment == "before it writes":
            tape.once()
        Path(out).write_text("1")
        if moment == "after it wrote":
            tape.once()

    with using(on(tmp_path)), warned() as messages:
        if what == "value":
            assert (sweeps(moment), sweeps.resolve(moment).status) == ([1], "hit")
            assert messages == []
        else:
            assert Path(sweeps_files(moment)).read_text() == "1"
            assert len(messages) <= 1
            assert sweeps_files.resolve(moment).status in ("miss", "hit")
            assert sweeps_files.resolve(moment).status == "hit"


def test_a_body_s_own_trouble_is_its_callers(on, tmp_path, warned):
    """An operation that runs out of space elsewhere raises what it raises, and leaves no draft behind."""
    with using(on(tmp_path)), warned() as messages, pytest.raises(OSError, match="not ours"):
        failing_page(1)
    assert messages == []
    assert list((tmp_path / "products" / ".rave" / "tmp").iterdir()) == []


def test_drafts_outside_of_the_store_are_cleared_away(mount, on, tmp_path, monkeypatch):
    """A body that fails while the store is in trouble leaves nothing in the directory for temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    disk = mount("4m")
    with using(on(disk)) as runtime:
        runtime.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(OSError, match="not ours"):
            failing_page(1)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("operation", [block, page], ids=["value", "file"])
def test_strict_mode_raises(mount, on, operation):
    """A result that can't be kept is an error there, which says why."""
    disk = mount("4m")
    with using(on(disk, strict=True)):
        fill(disk)
        with pytest.raises(OSError, match="No space left") as caught:
            operation(1, LARGE)
        assert isinstance(caught.value, RaveError)


def test_a_cache_below_a_device_costs_a_warning_and_no_answer(on, warned):
    """``/dev/full`` is no directory, and never will be."""
    with using(on("/dev/full")) as runtime, warned() as messages:
        assert is_right(block, 1, SMALL)
        assert is_right(block, 2, SMALL)
        assert len(messages) == 1
        assert is_right(page, 1, SMALL)
        assert len(messages) == 2
        assert "/dev/full" in runtime.cache.backend.check()


def test_writing_to_a_full_device_is_an_error(on, tmp_path):
    """Who names the target with ``rave_tofile`` hears that it can't take the file."""
    with using(on(tmp_path)), pytest.raises(OSError, match="No space left"):
        page(1, SMALL, rave_tofile="/dev/full")


def test_values_that_could_not_be_kept_stay_the_callers_own(mount, on, together):
    """Of those who waited for one run on a full disk each gets a value of its own."""
    disk = mount("4m")

    @op(name="fire/shared_list")
    def shared_list(size):
        return [bytes(size)]

    with using(on(disk)):
        fill(disk)
        answers = together(8, lambda _: shared_list(LARGE))
        answers[0].append(1)
    assert [len(answer) for answer in answers] == [2] + [1] * 7
