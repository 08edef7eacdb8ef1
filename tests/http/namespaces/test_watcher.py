"""Changed files are noticed, whatever goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime
from rave_core.operations.catalog import Catalog
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState
from tests.http.namespaces.live_code import ANSWER, answer, live, state, write


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


async def until(holds: Callable[[], object], seconds: float = 60.0) -> float:
    """Waits until something holds; gives the seconds that the waits of this loop should have taken.

    On a busy machine they take longer, as those of the watcher do, so what is given says how long it takes elsewhere.
    """
    pause, waits, started = 0.01, 0, time.monotonic()
    while not holds():
        assert time.monotonic() < started + seconds, "it never came to hold"
        await asyncio.sleep(pause)
        waits += 1
    return waits * pause


async def serves(namespaces: LiveNamespaces, word: str) -> float:
    """Waits until ``word`` is answered; gives the seconds that this takes where nothing else runs."""
    return await until(lambda: answer(namespaces) == word)


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
    while "watcher does not respond" not in Path(sys.argv[2]).read_text():
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
