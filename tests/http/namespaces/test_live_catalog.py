"""Live namespaces: what the service serves while the directories of namespaces are edited (R18)."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime
from rave_core.clock import SystemClock
from rave_core.errors import ConfigurationError, PluginError, UnknownNameError
from rave_core.operations.catalog import Catalog
from rave_core.runtime.runtime import current_runtime
from rave_core.testing.clock import FakeClock
from rave_http.namespaces.ini_file import read_namespaces
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState

ANSWER = """
from rave_core import op
@op
def answer(x=0):
    return {word!r}
__export__ = {{"answer": answer}}
"""


def write(directory: Path, word: str) -> None:
    """Makes the directory a namespace whose operation answers ``word``."""
    directory.mkdir(exist_ok=True)
    (directory / "__init__.py").write_text(ANSWER.format(word=word))


def live(clock: Any = None, *, polling: bool = False, fatal: bool = False, **directories: Path) -> LiveNamespaces:
    """Live namespaces over some directories."""
    places = {name: str(directory) for name, directory in directories.items()}
    made = LiveNamespaces(
        places, runtime=current_runtime(), clock=clock or SystemClock(), load_error_fatal=fatal, polling=polling
    )
    made.load()
    return made


def state(namespaces: LiveNamespaces, name: str = "local") -> NamespaceState:
    """How one of them is doing."""
    return next(each for each in namespaces.states() if each.name == name)


def answer(namespaces: LiveNamespaces, name: str = "local") -> Any:
    """What its operation answers; ``None`` where it has none."""
    found = namespaces.find(f"{name}/answer")
    return found.operation() if found is not None else None


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory whose operation answers ``one``."""
    write(tmp_path / "code", "one")
    return tmp_path / "code"


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Logs of this service are as they were when a test is over."""
    logger = logging.getLogger("watchfiles")
    level = logger.level
    yield
    logger.setLevel(level)


class TestFiles:
    """The INI file of §14.2.2."""

    @staticmethod
    def read(tmp_path: Path, text: str, root: str | None = None) -> dict[str, str]:
        """What a file with that text says."""
        (tmp_path / "namespaces.ini").write_text(textwrap.dedent(text))
        return read_namespaces(str(tmp_path / "namespaces.ini"), root)

    def test_names_stand_for_directories(self, tmp_path: Path) -> None:
        """In order, with their case; relative ones start at the file; comments are left out."""
        text = """
            # The analyses of two teams.
            [namespaces]
            foo = /usr/local/home/foo/namespace
            Bar: bar/../code  ; not ours
            # old = /nowhere
            baz=~/baz
        """
        assert list(self.read(tmp_path, text).items()) == [
            ("foo", "/usr/local/home/foo/namespace"),
            ("Bar", f"{tmp_path}/code"),
            ("baz", f"{os.environ['HOME']}/baz"),
        ]

    def test_nsroot_is_the_root(self, tmp_path: Path) -> None:
        """As often as it is used, whatever is in it."""
        text = "[namespaces]\nfoo = %(nsroot)s/foo/namespace\nbar=%(nsroot)s/bar%%20"
        assert self.read(tmp_path, text, "/srv/100%") == {
            "foo": "/srv/100%/foo/namespace",
            "bar": "/srv/100%/bar%20",
        }

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ("[namespaces]\n\nfoo = %(nsroot)s/x", "line 3: %(nsroot)s is used; give --namespace-root"),
            ("[namespaces]\nfoo = %(root)s/x", "line 2: nothing is called %(root)s; did you mean 'nsroot'?"),
            ("[namespaces]\nfoo = /100%x", "line 2: write %% for a percent sign"),
            ("[namespaces]\nfoo = %(foo)s/x", "line 2: 'foo' is explained by itself"),
            ("[namespaces]\nfoo = /a\nbar = /b\nfoo = /c", "namespace 'foo' stands in line 2 and again in line 4"),
            ("[namespaces]\na = /a\n[namespaces]\nb = /b", "section [namespaces] starts in line 1 and again in line 3"),
            ("[namespaces]\na = /a\n[namespace]\nb = /b", "line 3: unknown section [namespace]; the only one is"),
            ("[DEFAULT]\nnsroot = /a\n[namespaces]\n", "line 1: unknown section [DEFAULT]"),
            ("foo = /a", "line 1: the section [namespaces] has to start before 'foo = /a'"),
            ("[namespaces]\nfoo", "line 2: name = directory expected, not 'foo'"),
            ("[namespaces]\nfoo =", "line 2: foo = one directory expected, not ''"),
            ("[namespaces]\nfoo = /a\n  /b", "line 2: foo = one directory expected"),
            ("[namespaces]\nnsroot = /a", "line 2: nsroot is what --namespace-root gives"),
            ("", "has no section [namespaces]"),
        ],
    )
    def test_a_mistake_names_file_and_line(self, tmp_path: Path, text: str, wrong: str) -> None:
        """And says what would be right."""
        with pytest.raises(ConfigurationError) as caught:
            self.read(tmp_path, text)
        assert wrong in str(caught.value)
        assert f"{tmp_path}/namespaces.ini" in str(caught.value)

    def test_a_file_that_can_not_be_read_is_named(self, tmp_path: Path) -> None:
        """It is not there, or is no text."""
        (tmp_path / "bytes").write_bytes(b"\xff\xfe")
        for name in ("lost", "bytes"):
            with pytest.raises(ConfigurationError, match=f"the namespaces file {tmp_path}/{name} can't be read"):
                read_namespaces(f"{tmp_path}/{name}")


class TestReload:
    """Without watching: as somebody asks for it."""

    def test_operations_are_found_by_either_name(self, runtime: Runtime, code: Path) -> None:
        """That of the URL, and that of the keys, which may have been given by the decorator."""
        more = "@op(name='fixed')\ndef named(): pass\n__export__ |= {'other': named, 'a/b': answer}\n"
        (code / "__init__.py").write_text(ANSWER.format(word="one") + more)
        namespaces = live(local=code)
        named, found = namespaces.find("local/other"), namespaces.find("local/answer")
        assert found is not None
        assert namespaces.by_full_name("fixed") is named
        other = namespaces.by_full_name(found.resolved.name)
        assert other is not None
        assert (other.name, other.operation) == ("local/a/b", found.operation)
        assert [each.name for each in namespaces.by_quoted_name(found.resolved.name)] == ["local/a/b", "local/answer"]
        for absent in ("local/named", "local", "", "nowhere/answer"):
            assert namespaces.find(absent) is None
            assert namespaces.by_full_name(absent) is None

    def test_a_change_is_taken(self, runtime: Runtime, code: Path) -> None:
        """The state tells when, and how often; whoever wants to hears of it."""
        clock, heard = FakeClock(1000.0), list[NamespaceState]()
        namespaces = live(clock, local=code)
        first, generation = state(namespaces), namespaces.generation
        namespaces.on_change.append(heard.append)
        assert first == NamespaceState("local", "directory", str(code), 1, 1000.0, ("local/answer",))
        write(code, "two")
        clock.advance(5)
        after = namespaces.reload("local")
        assert (after.generation, after.loaded_at, after.error) == (2, 1005.0, "")
        assert (answer(namespaces), state(namespaces), heard) == ("two", after, [after])
        assert namespaces.generation > generation

    def test_a_broken_change_is_reported_and_not_taken(
        self, runtime: Runtime, code: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """In the log once, with file and line; in the state and the catalog until it is mended."""
        clock, heard = FakeClock(1000.0), list[NamespaceState]()
        namespaces = live(clock, local=code)
        namespaces.on_change.append(heard.append)
        before, generation = state(namespaces), namespaces.generation
        clock.advance(5)
        for source in ("1 / 0", "1 / 0", "\n1 / 0"):
            (code / "__init__.py").write_text(source)
            namespaces.reload("local")
        after = state(namespaces)
        assert (after.generation, after.loaded_at, after.operations) == (1, 1000.0, before.operations)
        assert (after.failed_at, answer(namespaces), namespaces.generation) == (1005.0, "one", generation)
        assert f"ZeroDivisionError: division by zero ({code}/__init__.py, line 2)" in after.error
        assert [str(problem) for problem in after.problems] == [after.error]
        assert after.problems[0] in namespaces.catalog.problems
        told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert len(told) == 2
        assert "namespace local: its change is not taken, generation 1 serves on" in told[0]
        assert "__init__.py, line 1)" in told[0]
        assert "__init__.py, line 2)" in told[1]
        assert [bool(each.error) for each in heard] == [True, True, True]
        write(code, "two")
        mended = namespaces.reload("local")
        assert (mended.generation, mended.error, mended.failed_at, mended.problems) == (2, "", None, ())

    def test_what_never_loaded_is_reported_until_it_does(self, runtime: Runtime, tmp_path: Path) -> None:
        """It is there, with nothing in it."""
        namespaces = live(FakeClock(7.0), local=tmp_path / "lost")
        first = state(namespaces)
        assert (first.kind, first.generation, first.loaded_at, first.operations) == ("directory", 0, 0.0, ())
        assert "can't be read" in first.error
        assert first.failed_at == 7.0
        write(tmp_path / "lost", "found")
        assert namespaces.reload("local").generation == 1
        assert answer(namespaces) == "found"

    def test_a_listener_that_fails_does_not_keep_others_from_hearing(
        self, runtime: Runtime, code: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is logged."""
        heard: list[NamespaceState] = []
        namespaces = live(local=code)
        namespaces.on_change += [lambda state: 1 / 0, heard.append]
        namespaces.reload("local")
        assert len(heard) == 1
        assert "failed to hear of namespace local" in caplog.text

    def test_only_directories_can_be_loaded_anew(self, runtime: Runtime, code: Path) -> None:
        """For a package it is said how; an unknown name is unknown."""
        namespaces = live(local=code)
        assert state(namespaces, "example").kind == "installed"
        with pytest.raises(
            ConfigurationError, match=r"'example' is the installed package rave_example, .* by the signal HUP"
        ):
            namespaces.reload("example")
        with pytest.raises(UnknownNameError, match="no namespace is called 'locla'; did you mean 'local'"):
            namespaces.reload("locla")

    def test_a_name_that_is_taken_is_a_problem(self, runtime: Runtime, code: Path) -> None:
        """It names both sides; the package stays, and the directory is not loaded."""
        namespaces = live(example=code)
        told = state(namespaces, "example")
        assert (told.kind, told.generation) == ("installed", 1)
        assert f"claimed by both rave_example and {code}" in str(told.problems[0])
        with pytest.raises(ConfigurationError):
            namespaces.reload("example")

    def test_load_errors_are_fatal_at_the_start_where_that_is_asked(self, runtime: Runtime, code: Path) -> None:
        """And at no other time."""
        namespaces = live(fatal=True, local=code)
        (code / "__init__.py").write_text("1 / 0")
        assert namespaces.reload("local").error
        with pytest.raises(PluginError, match="ZeroDivisionError"):
            live(fatal=True, local=code)


@asynccontextmanager
async def watched(namespaces: LiveNamespaces) -> AsyncIterator[LiveNamespaces]:
    """Watches in the block."""
    task = asyncio.create_task(namespaces.watch())
    try:
        yield namespaces
    finally:
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], object], seconds: float = 10.0) -> float:
    """Waits until something holds; gives the seconds that this took."""
    started = time.monotonic()
    while not holds():
        assert time.monotonic() < started + seconds, "it never came to hold"
        await asyncio.sleep(0.01)
    return time.monotonic() - started


async def serves(namespaces: LiveNamespaces, word: str, seconds: float = 10.0) -> float:
    """Waits until ``word`` is answered; gives the seconds that this took."""
    return await until(lambda: answer(namespaces) == word, seconds)


def run(test: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine in an event loop."""
    asyncio.run(test)


@pytest.mark.parametrize("polling", [False, True])
class TestWatch:
    """With the system's watcher, and without."""

    def test_changes_are_served_within_two_seconds(self, runtime: Runtime, code: Path, polling: bool) -> None:
        """Each of several, the first right at the start, and two of one time and size."""
        namespaces = live(polling=polling, local=code)

        async def test() -> None:
            async with watched(namespaces):
                for word in ("two", "six", "ten", "seven"):
                    write(code, word)
                    assert await serves(namespaces, word) < 2
                status = (code / "__init__.py").stat()
                write(code, "eight")
                os.utime(code / "__init__.py", ns=(status.st_atime_ns, status.st_mtime_ns))
                assert await serves(namespaces, "eight") < 2

        run(test())

    def test_editors_replace_files(self, runtime: Runtime, code: Path, polling: bool) -> None:
        """What they leave beside them does not count; new modules and data do."""
        namespaces = live(polling=polling, local=code)
        source = ANSWER.replace("{word!r}", "words").replace("@op", "from . import words as w\nwords = w.read()\n@op")

        async def test() -> None:
            async with watched(namespaces):
                (code / "words.py").write_text(
                    "from pathlib import Path\nread = Path(__file__).with_name('data.txt').read_text"
                )
                (code / "data.txt").write_text("data")
                (code / "new~").write_text(source.format())
                (code / "new~").rename(code / "__init__.py")
                assert await serves(namespaces, "data") < 2
                generation = namespaces.generation
                for name in ("__pycache__/x.pyc", ".git/index", ".answer.swp", "answer~", "#answer#", "4913", "x.tmp"):
                    (code / name).parent.mkdir(exist_ok=True)
                    (code / name).write_text("x")
                (code / "data.txt").write_text("more")
                await until(lambda: namespaces.generation > generation)
                assert namespaces.generation == generation + 1

        run(test())

    def test_a_checkout_of_many_files_counts_once(self, runtime: Runtime, code: Path, polling: bool) -> None:
        """It is loaded when it is quiet."""
        namespaces = live(polling=polling, local=code)

        async def test() -> None:
            async with watched(namespaces):
                for number in range(200):
                    (code / f"module_{number}.py").write_text("x = 1")
                    await asyncio.sleep(0)
                write(code, "two")
                await serves(namespaces, "two")
                assert namespaces.generation <= 3

        run(test())

    def test_a_link_that_is_set_elsewhere_is_noticed(self, runtime: Runtime, tmp_path: Path, polling: bool) -> None:
        """And the new place is watched from then on."""
        for word in ("one", "two"):
            write(tmp_path / word, word)
        link = tmp_path / "link"
        link.symlink_to("one")
        namespaces = live(polling=polling, local=link)

        async def test() -> None:
            async with watched(namespaces):
                (tmp_path / "next").symlink_to("two")
                (tmp_path / "next").rename(link)
                assert await serves(namespaces, "two") < 2
                write(tmp_path / "two", "three")
                assert await serves(namespaces, "three") < 2

        run(test())

    def test_a_directory_may_go_and_come_back(self, runtime: Runtime, tmp_path: Path, polling: bool) -> None:
        """Old code serves meanwhile; one that was not there at the start is served when it is."""
        code = tmp_path / "later"
        namespaces = live(polling=polling, local=code)

        async def test() -> None:
            async with watched(namespaces):
                for word in ("one", "two"):
                    write(code, word)
                    assert await serves(namespaces, word) < 2
                    write(code, f"{word} edited")
                    assert await serves(namespaces, f"{word} edited") < 2
                    shutil.rmtree(code)
                    await until(lambda: "can't be read" in state(namespaces).error)
                    assert answer(namespaces) == f"{word} edited"

        run(test())

    def test_what_is_mended_is_taken(
        self, runtime: Runtime, code: Path, polling: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A mistake is logged once, also if the file is written again."""
        namespaces = live(polling=polling, local=code)
        failed: list[NamespaceState] = []
        namespaces.on_change.append(failed.append)

        async def test() -> None:
            async with watched(namespaces):
                for number in (1, 2):
                    (code / "__init__.py").write_text("import sys; sys.exit('broken')")
                    await until(lambda number=number: len(failed) == number)
                assert answer(namespaces) == "one"
                write(code, "two")
                assert await serves(namespaces, "two") < 2

        run(test())
        assert caplog.text.count("SystemExit: broken") == 1


def test_other_namespaces_answer_while_one_is_loaded(runtime: Runtime, code: Path, tmp_path: Path) -> None:
    """However long that takes, and so does the one that is loaded, by its old code."""
    reached, opened = tmp_path / "reached", tmp_path / "opened"
    os.mkfifo(reached)
    os.mkfifo(opened)
    slow = f"open({str(reached)!r}, 'w').close(); open({str(opened)!r}).close()"
    write(tmp_path / "other", "else")
    namespaces = live(local=code, other=tmp_path / "other")

    async def test() -> None:
        async with watched(namespaces):
            (code / "__init__.py").write_text(f"{slow}\n{ANSWER.format(word='two')}")
            (await asyncio.to_thread(open, reached)).close()
            assert (answer(namespaces), answer(namespaces, "other")) == ("one", "else")
            (await asyncio.to_thread(open, opened, "w")).close()
            await serves(namespaces, "two")

    run(test())


def test_a_directory_that_its_own_code_changes_is_not_loaded_for_ever(
    runtime: Runtime, code: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is loaded ever less often, and that is said."""
    namespaces = live(local=code)
    grow = "from pathlib import Path\nwith open(Path(__file__).with_name('log.txt'), 'a') as log: log.write('loaded')\n"

    async def test() -> None:
        async with watched(namespaces):
            (code / "__init__.py").write_text(grow + ANSWER.format(word="two"))
            await until(lambda: "its directory changes each time that it is loaded" in caplog.text)
            assert namespaces.generation <= 5
            assert answer(namespaces) == "two"

    run(test())


def test_the_watcher_survives_what_goes_wrong_in_it(
    runtime: Runtime, code: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and the next change is taken."""
    namespaces = live(local=code)

    def fail(*_: object) -> Catalog:
        raise RuntimeError("a mistake of ours")

    async def test() -> None:
        async with watched(namespaces):
            with monkeypatch.context() as patch:
                patch.setattr(Catalog, "with_namespace", fail)
                write(code, "two")
                await until(lambda: "a mistake of ours" in caplog.text)
            write(code, "three")
            await serves(namespaces, "three")

    run(test())


WITHOUT_DESCRIPTORS = """
import asyncio, logging, os, resource, sys
from pathlib import Path
from rave_core import Runtime, Settings, using
from rave_core.clock import SystemClock
from rave_core.runtime.runtime import current_runtime
from rave_http.namespaces.live_catalog import LiveNamespaces

async def main(code):
    live = LiveNamespaces({"local": str(code)}, runtime=current_runtime(), clock=SystemClock(), load_error_fatal=True)
    live.load()
    await asyncio.to_thread(os.getpid)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    taken = []
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        os.close(taken.pop())
        os.close(taken.pop())
    watching = asyncio.create_task(live.watch())
    while "word from the system" not in Path(sys.argv[2]).read_text():
        await asyncio.sleep(0.01)
    (code / "__init__.py").write_text((code / "__init__.py").read_text().replace("one", "two"))
    while live.find("local/answer").operation.function() != "two":
        await asyncio.sleep(0.01)
    print("served")

logging.basicConfig(filename=sys.argv[2])
with using(Runtime(Settings(cache="memory://", products=sys.argv[3]))):
    asyncio.run(main(Path(sys.argv[1])))
"""


def test_changes_are_served_where_the_system_can_not_watch(code: Path, tmp_path: Path) -> None:
    """Here it has no file descriptor left for that; it is logged."""
    arguments = [str(code), str(tmp_path / "log"), f"file://{tmp_path}/products"]
    (tmp_path / "log").touch()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DESCRIPTORS, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "served\n", done.stderr


def test_watching_nothing_waits(runtime: Runtime) -> None:
    """Until it is cancelled."""
    namespaces = live()

    async def test() -> None:
        async with watched(namespaces):
            await asyncio.sleep(0)

    run(test())
