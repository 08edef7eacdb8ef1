"""File operations: where the body writes, what is kept, and ``rave_tofile`` (R3, R4)."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, op, op_file, using
from rave_core.errors import OptionError, ProductError
from rave_core.testing.clock import FakeClock

Ran = Callable[[], list[str]]


@op_file(mime_type="text/plain", expires=100)
def note(out, text="hello"):
    """Writes its text."""
    print("note", out)
    Path(out).write_text(text)
    return "ignored"


@op_file
def misbehaving(out, how):
    """Does what a file operation must not do."""
    print(out)
    if how == "half":
        Path(out).write_text("half")
        raise KeyError(how)
    if how == "elsewhere":
        (Path(out).parent / "other.txt").write_text("x")
    if how == "directory":
        Path(out).mkdir()
    if how == "link":
        os.symlink("/etc/hostname", out)


@op_file(mime_type="text/csv")
async def table(out, rows):
    """Writes in a task."""
    await asyncio.sleep(0)
    Path(out).write_text(str(rows))


@pytest.fixture(autouse=True)
def used(make_runtime: Callable[..., Runtime], clock: FakeClock) -> Iterator[Runtime]:
    """A runtime whose clock the test turns."""
    with using(make_runtime(clock=clock, products_grace=1000)) as entered:
        yield entered


def files_under(path: Path) -> list[str]:
    """All files in the store but those that it needs for itself."""
    found = [str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()]
    return [name for name in found if not name.startswith(".") and name != "CACHEDIR.TAG"]


def age(path: Path, seconds: float) -> None:
    """Makes a file look as if it had been put, or retired, ``seconds`` ago: a store has a clock of its own."""
    status = path.stat()
    os.utime(path, (status.st_atime - seconds, status.st_mtime - seconds))


def test_the_call_gives_an_existing_file_with_the_written_bytes(ran: Ran) -> None:
    """The caller leaves the output path out, and gets the path of the kept file whatever the body returns."""
    path = note("x")
    assert type(path) is str
    assert Path(path).read_text() == "x"
    assert os.path.isabs(path)
    assert note(text="x") == path
    assert len(ran()) == 1


@pytest.mark.parametrize(
    ("mime_type", "suffix"),
    [
        ("image/png", ".png"),
        ("image/jpeg", ".jpg"),
        ("text/html", ".html"),
        ("text/plain; charset=utf-8", ".txt"),
        ("application/pdf", ".pdf"),
        ("image/svg+xml", ".svg"),
        ("application/json", ".json"),
        ("application/x-unheard-of", ".bin"),
        ("application/octet-stream", ".bin"),
    ],
)
def test_paths_end_in_the_suffix_of_the_mime_type(ran: Ran, mime_type: str, suffix: str) -> None:
    """Both the path that the body gets, since tools choose a format by it, and the one that the caller gets."""
    drawn = op_file(name=f"t/{mime_type}", mime_type=mime_type)(_drawn)
    kept = drawn()
    assert Path(ran()[0]).suffix == Path(kept).suffix == suffix


def test_a_body_finds_a_path_that_is_free(ran: Ran) -> None:
    """Nothing is there yet, its directory is, and two runs at once never get the same one."""
    paths = {note(str(number)) for number in range(3)}
    given = [line.split()[1] for line in ran()]
    assert len(paths) == len(set(given)) == 3
    assert not any(os.path.exists(path) for path in given)


@pytest.mark.parametrize("how", ["half", "nothing", "elsewhere", "directory", "link"])
def test_a_run_that_made_no_product_leaves_nothing(tmp_path: Path, ran: Ran, how: str) -> None:
    """Neither an entry nor a half-written file; the body's own exception passes, else it is a `ProductError`."""
    with pytest.raises(KeyError if how == "half" else ProductError) as caught:
        misbehaving(how)
    if how != "half":
        assert "misbehaving" in str(caught.value)
        assert "writes to its first argument" in str(caught.value)
    assert misbehaving(how, rave_dry_run=True) is None
    assert files_under(tmp_path / "products") == []
    assert not os.path.lexists(ran()[0])


def test_an_empty_file_is_a_product() -> None:
    """Zero bytes were written; that is not nothing."""
    assert Path(note("")).read_bytes() == b""


def test_a_removed_product_is_made_anew(ran: Ran) -> None:
    """Somebody deleted the file: it counts as absent, with a warning."""
    os.unlink(note("x"))
    with pytest.warns(UserWarning, match="is gone"):
        assert Path(note("x")).read_text() == "x"
    assert len(ran()) == 2


@pytest.mark.parametrize("spoilt", [b"y", b"xy"])
def test_a_changed_product_is_never_returned(make_runtime: Callable[..., Runtime], spoilt: bytes) -> None:
    """One flipped byte, or another size, is noticed on the first read of a process."""
    Path(note("x")).write_bytes(spoilt)
    with using(make_runtime()), pytest.warns(UserWarning, match=r"digest|bytes"):
        assert Path(note("x")).read_text() == "x"


def test_a_path_stays_readable_after_expiry_for_the_grace_time(used: Runtime, clock: FakeClock) -> None:
    """Purging takes the entry at once, the file only after the grace."""
    path = Path(note("x"))
    clock.advance(101)
    assert note("x", rave_dry_run=True) is None
    assert used.purge().entries == 1
    assert path.read_text() == "x"
    age(path, 900)
    used.purge()
    assert path.read_text() == "x"
    age(path, 101)
    used.purge()
    assert not path.exists()


@pytest.mark.parametrize("how", ["refresh", "invalidate", "expiry"])
def test_a_path_stays_readable_after_it_was_replaced(used: Runtime, clock: FakeClock, how: str) -> None:
    """Whoever still reads the old product is not disturbed by a newer one, until the grace is over."""
    old = Path(note("x"))
    if how == "refresh":
        new = note("x", rave_refresh=True)
    elif how == "invalidate":
        assert note.invalidate("x")
        new = note("x")
    else:
        clock.advance(101)
        new = note("x")
    assert new != str(old)
    used.purge()
    assert old.read_text() == Path(new).read_text() == "x"
    age(old, 1001)
    used.purge()
    assert not old.exists()
    assert Path(new).exists()


def test_tofile_writes_exactly_there_and_keeps_nothing(tmp_path: Path, ran: Ran) -> None:
    """What was given is given back as it was, also a `Path`; the body still sees the suffix of the MIME type."""
    target = tmp_path / "out.dat"
    assert note("x", rave_tofile=target) is target
    assert target.read_text() == "x"
    assert ran()[0].endswith(".txt")
    assert note("x", rave_dry_run=True) is None
    assert files_under(tmp_path / "products") == []
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []


def test_tofile_runs_the_body_even_if_the_product_is_kept(tmp_path: Path, ran: Ran) -> None:
    """It is "execute", not "copy"."""
    kept = note("x")
    note("x", rave_tofile=str(tmp_path / "out"))
    assert len(ran()) == 2
    assert note("x") == kept


def test_a_failing_body_leaves_the_old_target_as_it_was(tmp_path: Path) -> None:
    """The target is replaced as a whole or not at all."""
    target = tmp_path / "old"
    target.write_text("old")
    with pytest.raises(KeyError):
        misbehaving("half", rave_tofile=target)
    with pytest.raises(ProductError):
        misbehaving("nothing", rave_tofile=target)
    assert target.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["data", "old", "products"]


def test_a_relative_target_counts_from_where_the_call_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if the body goes elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    wandering = op_file(name="t/wandering")(_wandering)
    assert wandering(rave_tofile="here.txt") == "here.txt"
    assert (tmp_path / "here.txt").read_text() == "x"


@pytest.mark.parametrize(
    ("target", "message"),
    [(".", "is a directory"), ("", "is a directory"), ("no/such/file", "no directory"), ("file/below", "no directory")],
)
def test_a_target_that_cannot_be_is_refused_before_the_body_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ran: Ran, target: str, message: str
) -> None:
    """A directory, the empty name, a missing directory, or a file in the place of one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ProductError, match=f"rave_tofile=.*{message}"):
        note("x", rave_tofile=target)
    assert ran() == []


@pytest.fixture
def as_nobody() -> Iterator[Callable[[str], str]]:
    """Runs a script in a directory that nobody but root may write to; as an ordinary user, since root may."""
    with tempfile.TemporaryDirectory() as place:  # whoever starts pytest closes the directory of its own to others
        os.chmod(place, 0o711)
        closed = Path(place, "closed")
        closed.mkdir()
        (closed / "mine.txt").write_text("old")
        (closed / "mine.txt").chmod(0o666)
        closed.chmod(0o555)

        def run(script: str) -> str:
            first = "import os\nfrom rave_core import op_file\nfrom rave_core.errors import ProductError\n"
            first += "from rave_core.storage.targets import Target\nif os.getuid() == 0: os.setuid(65534)\n"
            done = subprocess.run([sys.executable, "-c", first + script], cwd=closed, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        yield run


def test_an_unwritable_directory_is_refused(as_nobody: Callable[[str], str]) -> None:
    """Said by name, before the body runs."""
    printed = as_nobody("try: Target('out.txt')\nexcept ProductError as error: print(error)\n")
    assert "out.txt' can't be written: permission denied" in printed


def test_a_writable_file_in_an_unwritable_directory_is_written(as_nobody: Callable[[str], str]) -> None:
    """Nothing can be put beside it, so that it is written in place."""
    script = (
        "@op_file(name='t/f')\ndef f(out): pass\n"
        "target = Target('mine.txt'); (draft,) = target.prepare(f.spec); open(draft, 'w').write('new')\n"
        "print(target.collect(f.spec, (draft,), None), open('mine.txt').read(), os.path.exists(draft))\n"
    )
    assert as_nobody(script) == "mine.txt new False\n"


def test_a_device_or_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As in ``rave_tofile="/dev/stdout"``."""
    assert note("x", rave_tofile="/dev/null") == "/dev/null"
    assert not os.path.isfile("/dev/null")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    note("through", rave_tofile=pipe)
    reader.join(10)
    assert read == ["through"]


def test_a_target_that_is_full_is_a_product_error() -> None:
    """A disk without room, told by the name of the target."""
    with pytest.raises(ProductError, match=r"/dev/full.*No space left"):
        note("x", rave_tofile="/dev/full")


def test_tofile_is_for_file_operations_only() -> None:
    """An operation that returns a value has nothing to write."""
    with pytest.raises(OptionError, match=r"t/value: rave_tofile is for file operations"):
        op(name="t/value")(_value)(rave_tofile="x")


def test_an_async_body_writes_a_file_too(tmp_path: Path) -> None:
    """Awaiting the call gives the path."""
    path = asyncio.run(table(3))
    assert Path(path).read_text() == "3"
    assert asyncio.run(table(3)) == path
    assert asyncio.run(table(4, rave_tofile=str(tmp_path / "t"))) == str(tmp_path / "t")
    assert (tmp_path / "t").read_text() == "4"


def _drawn(out):
    print(out)
    Path(out).write_bytes(b"x")


def _wandering(out):
    os.chdir("elsewhere")
    Path(out).write_text("x")


def _value():
    return 1
