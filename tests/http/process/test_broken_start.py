"""Workers that start while the directory of a namespace is broken: they serve what was taken before (R18)."""

from __future__ import annotations

import logging
import os
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime
from rave_core.errors import PluginError
from rave_core.model import Status
from rave_core.runtime.runtime import current_runtime
from rave_core.testing.clock import FakeClock
from rave_http.namespaces.live_catalog import LiveNamespaces, NamespaceState
from rave_http.namespaces.source_store import KeptSources
from rave_http.workers.run_directory import RunDirectory

ANSWER = """
from rave_core import op
@op
def answer(x=0):
    from .words import word
    return word + {word!r}
__export__ = {{"answer": answer}}
"""


class Worker:
    """A worker of the service whose board this is."""

    def __init__(self, run_directory: RunDirectory, code: Path, *, fatal: bool = False) -> None:
        self.live = LiveNamespaces(
            {"local": str(code)},
            runtime=current_runtime(),
            clock=FakeClock(1000.0),
            load_error_fatal=fatal,
            kept=KeptSources(run_directory),
        )
        self.live.load()

    @property
    def state(self) -> NamespaceState:
        """How the namespace is doing in it."""
        return next(each for each in self.live.states() if each.name == "local")

    def find(self) -> Any:
        """The operation; ``None`` where there is none."""
        found = self.live.find("local/answer")
        return found.operation if found is not None else None

    def answer(self, x: int = 0) -> Any:
        """What it answers."""
        return self.find()(x)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A directory whose operation answers ``a one``."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "words.py").write_text("word = 'a '")
    write(tmp_path / "code", ANSWER.format(word="one"))
    return tmp_path / "code"


def write(code: Path, source: str) -> None:
    """Writes its ``__init__``."""
    (code / "__init__.py").write_text(source)


@pytest.fixture
def start(runtime: Runtime, tmp_path: Path, code: Path) -> Callable[..., Worker]:
    """Starts workers of one service."""
    (tmp_path / "board").mkdir()
    return lambda **given: Worker(RunDirectory(tmp_path / "board"), code, **given)


def break_module(code: Path) -> None:
    """A module that is imported late changes, too."""
    write(code, "def answer(:")
    (code / "words.py").write_text("1 / 0")


def break_part(code: Path) -> None:
    """What is left of it could be served, and must not be."""
    write(code, ANSWER.format(word="part") + "__all__ = ['part']")
    (code / "part.py").write_text("1 / 0")


BREAKS: dict[str, Callable[[Path], None]] = {
    "module": break_module,
    "part": break_part,
    "package": lambda code: (code / "__init__.py").unlink(),
    "directory": shutil.rmtree,
    "other": lambda code: (code.rename(code.with_name("away")), code.symlink_to("nowhere"))[1],
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_worker_that_starts_serves_what_others_do(start: Callable[..., Worker], code: Path, kind: str) -> None:
    """The code that was taken last, with its keys; and tells what is wrong, in the words of the others."""
    first = start()
    write(code, ANSWER.format(word="two"))
    first.live.reload("local")
    assert first.answer() == "a two"
    key = first.find().key()
    BREAKS[kind](code)
    assert first.live.reload("local").error
    second = start()
    assert second.find().key() == key
    assert second.find().resolve().status is Status.HIT
    assert (second.answer(1), first.answer(2)) == ("a two", "a two")
    state = second.state
    assert (state.generation, state.loaded_at, state.failed_at) == (1, 1000.0, 1000.0)
    assert state.operations == first.state.operations == ("local/answer",)
    assert (state.error, state.problems) == (first.state.error, first.state.problems)
    assert list(state.problems) == second.live.catalog.problems
    assert second.live.reload("local") == state


def test_the_mended_code_is_taken(start: Callable[..., Worker], code: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As the second generation; a worker that starts when it breaks again has that."""
    start()
    break_module(code)
    worker = start()
    assert "namespace local: its change is not loaded, and the previous code keeps serving" in caplog.text
    (code / "words.py").write_text("word = 'b '")
    write(code, ANSWER.format(word="three"))
    state = worker.live.reload("local")
    assert (state.generation, state.error, state.failed_at, state.problems) == (2, "", None, ())
    assert worker.answer() == "b three"
    break_module(code)
    assert start().answer() == "b three"


def test_code_that_was_taken_is_as_it_was_in_tracebacks(start: Callable[..., Worker], code: Path) -> None:
    """Though its file holds something else in that line."""
    write(code, ANSWER.format(word="one").replace("return word", "return 1 / 0"))
    start()
    break_module(code)
    worker = start()
    with pytest.raises(ZeroDivisionError) as caught:
        worker.answer()
    assert "return 1 / 0 + 'one'" in "".join(traceback.format_exception(caught.value))


def test_code_that_never_was_whole_is_not_kept(start: Callable[..., Worker], code: Path) -> None:
    """A worker serves what loads of it, as long as it does."""
    break_part(code)
    first = start()
    assert first.answer() == "a part"
    break_module(code)
    first.live.reload("local")
    assert first.answer(1) == "a part"
    second = start()
    assert (second.find(), second.state.generation) == (None, 0)
    assert "SyntaxError" in second.state.error


def test_where_the_code_that_was_taken_does_not_load_any_more_there_is_none(
    start: Callable[..., Worker], code: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Data that it reads when it is imported is not kept. That is logged; the state is that of what is broken now."""
    (code / "data.txt").write_text("data")
    write(code, "from pathlib import Path\nPath(__file__).with_name('data.txt').read_text()\n" + ANSWER.format(word=""))
    start()
    os.unlink(code / "data.txt")
    write(code, "1 / 0")
    worker = start()
    assert (worker.find(), worker.state.generation, worker.state.loaded_at) == (None, 0, 0.0)
    assert "ZeroDivisionError" in worker.state.error
    assert "FileNotFoundError" not in worker.state.error
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert "the previous code has a problem, too: local" in told[0]
    assert "data.txt" in told[0]


def test_another_service_has_nothing_of_it(start: Callable[..., Worker], code: Path, tmp_path: Path) -> None:
    """Nor has this one after a restart, which makes a new board."""
    start()
    break_module(code)
    (tmp_path / "another").mkdir()
    worker = Worker(RunDirectory(tmp_path / "another"), code)
    assert (worker.find(), worker.state.generation) == (None, 0)


def test_a_directory_whose_code_was_kept_is_not_fatal(start: Callable[..., Worker], code: Path) -> None:
    """A worker that dies is replaced; a service that starts is not started."""
    break_module(code)
    with pytest.raises(PluginError, match="SyntaxError"):
        start(fatal=True)
    (code / "words.py").write_text("word = 'a '")
    write(code, ANSWER.format(word="one"))
    start(fatal=True)
    break_module(code)
    assert start(fatal=True).answer() == "a one"
