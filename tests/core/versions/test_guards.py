"""What may change while a program runs: every change that can be seen makes another version."""

from __future__ import annotations

import importlib
import linecache
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, carry, op, using
from rave_core.versions import code_changed
from tests.core.versions.programs import loaded

HEAD = "from rave_core import op\n"


@pytest.fixture(autouse=True)
def _source(make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Versions are those of the code that is reached."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)  # no prompt, where xdist has none
    with using(make_runtime(version="source", cache=["memory://"])):
        yield


class Notebook:
    """A main program without a file, whose cells are known to `linecache`, as those of IPython are."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self._count = 0
        self.run(HEAD)

    def run(self, cell: str) -> None:
        """Runs a cell."""
        self._count += 1
        name = f"<cell {id(self)} {self._count}>"
        linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
        exec(compile(cell, name, "exec"), self.names)

    def ask(self) -> str:
        """The version of ``f``."""
        return str(self.names["f"].resolved().version.text)


CELL = """
def g(x):
    return x + LIMIT + TABLE['a'] + conf.n
class Conf:
    n = 0
    def __init__(self): self.n = 3
conf = Conf()
LIMIT = 1
TABLE = {'a': 2}
@op
def f(x):
    return g(x)
"""


@pytest.mark.parametrize(
    "cell",
    [
        "def g(x):\n    return x - 1\n",
        "LIMIT = 5\n",
        "TABLE['a'] = 7\n",
        "TABLE = {'a': 8}\n",
        "conf.n = 9\n",
        "sum = 1\ndel g\n",
    ],
)
def test_a_cell_that_changes_what_an_operation_reaches_makes_another_version(cell: str) -> None:
    """Nobody has to say so, and going back finds the former version again."""
    book = Notebook()
    book.run(CELL)
    before = book.ask()
    assert book.ask() == before
    book.run(cell)
    assert book.ask() != before
    book.run(CELL)
    assert book.ask() == before


@pytest.mark.parametrize("cell", ["OTHER = 1\n", "def h():\n    return 1\n", "# a comment\n", CELL + "# again\n"])
def test_any_other_cell_keeps_the_version(cell: str) -> None:
    """New names, comments, and the same cell once more."""
    book = Notebook()
    book.run(CELL)
    before = book.ask()
    book.run(cell)
    assert book.ask() == before


def test_two_notebooks_share_what_is_equal_in_all_that_is_reached() -> None:
    """And nothing else, though both operations are called alike."""
    one, two, three = Notebook(), Notebook(), Notebook()
    for book, cell in ((one, CELL), (two, "# mine\n" + CELL), (three, CELL.replace("LIMIT = 1", "LIMIT = 2"))):
        book.run(cell)
    assert one.ask() == two.ask() != three.ask()


def test_an_explicit_version_in_a_notebook_does_not_stand_alone() -> None:
    """Another notebook may have an operation of that name; with ``name=`` it does, and the author answers for it."""
    found = []
    for head in ("@op(version=1)", "@op(version=1, name='t/mine')"):
        for limit in "12":
            book = Notebook()
            book.run(CELL.replace("@op", head).replace("LIMIT = 1", f"LIMIT = {limit}"))
            found.append(book.names["f"].resolved().version)
    assert found[0].text != found[1].text
    assert found[2].text == found[3].text
    assert "@version alone" in found[0].untracked


def test_a_name_that_is_bound_later_counts() -> None:
    """It was missing when the version was first asked for."""
    book = Notebook()
    book.run("@op\ndef f(x):\n    return g(x)\n")
    before = book.ask()
    book.run("def g(x):\n    return x\n")
    assert book.ask() != before


def test_a_reloaded_module_makes_another_version(tmp_path: Path) -> None:
    """That of a helper, while the operation's own module stays."""
    files = {"program.py": HEAD + "import other\n@op\ndef f(x):\n    return other.g(x)\n"}
    with loaded(tmp_path, files | {"other.py": "def g(x):\n    return x + 1\n"}) as program:
        before = program.f.resolved().version.text
        (tmp_path / "other.py").write_text("def g(x):\n    return x + 25\n")
        assert program.f.resolved().version.text == before
        importlib.reload(sys.modules["other"])
        assert program.f.resolved().version.text != before
        assert program.f(1) == 26


def test_code_that_was_changed_in_another_way_counts_once_it_is_said(tmp_path: Path) -> None:
    """`code_changed` begins an epoch."""
    with loaded(
        tmp_path, {"program.py": HEAD + "def g(x):\n    return x\n@op\ndef f(x):\n    return g(x)\n"}
    ) as program:
        assert program.f(3) == 3
        before = program.f.resolved().version.text
        exec("def g(x):\n    return -x\n", vars(program))
        code_changed()
        assert program.f.resolved().version.text != before
        assert program.f(3) == -3


def test_a_value_that_other_code_writes_to_is_guarded(tmp_path: Path) -> None:
    """A setter of the module that nobody of the operation's code calls."""
    text = (
        HEAD + "LIMIT = 1\ndef set_limit(n):\n    global LIMIT\n    LIMIT = n\n@op\ndef f(x):\n    return x + LIMIT\n"
    )
    with loaded(tmp_path, {"program.py": text}) as program:
        assert program.f(1) == 2
        program.set_limit(5)
        assert program.f(1) == 6
        program.set_limit(1)
        assert program.f.resolve(1).status == "hit"


def test_without_guards_the_shortcut_for_hits_stays(tmp_path: Path) -> None:
    """Constants of a module that nothing writes to cost nothing."""
    with loaded(tmp_path, {"program.py": HEAD + "LIMIT = 1\n@op\ndef f(x):\n    return x + LIMIT\n"}) as program:
        assert program.f(1) == 2
        assert program.f._memo.context is not None
        assert not program.f.resolved().version.guards


def test_what_changed_while_the_body_ran_is_not_kept(tmp_path: Path) -> None:
    """The result may be of either state; it is given to the caller."""
    text = HEAD + (
        "LIMIT = 1\ndef set_limit(n):\n    global LIMIT\n    LIMIT = n\n"
        "@op\ndef f(x, run):\n    run(3)\n    return x + LIMIT\n"
    )
    with loaded(tmp_path, {"program.py": text}) as program:
        program.f.spec.__dict__["ignore"] = frozenset({"run"})
        outcome = program.f.resolve(1, program.set_limit)
        assert (outcome.value, outcome.status) == (4, "uncached")


def test_an_operation_may_be_asked_by_many_threads_while_modules_reload(tmp_path: Path) -> None:
    """Nothing raises, and the last answer is that of the last code."""
    files = {"program.py": HEAD + "import other\n@op\ndef f(x):\n    return other.g(x)\n"}
    with loaded(tmp_path, files | {"other.py": "def g(x):\n    return x\n"}) as program:
        errors: list[BaseException] = []
        is_over = threading.Event()

        def ask() -> None:
            try:
                while not is_over.is_set():
                    program.f(1)
            except BaseException as error:  # for the main thread
                errors.append(error)

        threads = [threading.Thread(target=carry(ask)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(10):
            (tmp_path / "other.py").write_text(f"def g(x):\n    return x + {10**number}\n")
            importlib.reload(sys.modules["other"])
        is_over.set()
        for thread in threads:
            thread.join()
        assert not errors
        assert program.f(1) == 1 + 10**9


def test_the_shell_of_ipython_says_before_each_cell_that_it_runs(
    monkeypatch: pytest.MonkeyPatch, make_runtime: Callable[..., Runtime]
) -> None:
    """So everything is asked for anew, and not looked at before each call."""
    called: dict[str, Callable[..., None]] = {}
    events = types.SimpleNamespace(register=lambda name, function: called.update({name: function}))

    class Shell:
        pass

    shell = Shell()
    shell.events = events  # type: ignore[attr-defined]  # a stand-in of two attributes
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))  # type: ignore[arg-type]  # no module

    @op(name="t/shell")
    def f(x: int) -> int:
        return x

    with using(make_runtime()):
        f(1)
        memo = f._memo
        assert memo is not None
        assert memo.is_current()
        called["pre_run_cell"]("info")
        assert not memo.is_current()
