"""Namespaces that are plain directories, named in the settings (R18)."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import Runtime
from rave_core.operations.catalog import Catalog

REPORTS = """
from rave_core import op
from .words import greeting
@op
def hello(name):
    print("ran")
    return f"{greeting}, {name}!"
__export__ = {"greeting/hello": hello}
"""


@pytest.fixture
def directory(tmp_path: Path) -> Callable[..., str]:
    """Makes a directory of modules; ``init`` is its ``__init__``."""

    def make(place: str, **modules: str) -> str:
        (tmp_path / place).mkdir()
        for name, source in modules.items():
            (tmp_path / place / f"{'__init__' if name == 'init' else name}.py").write_text(source)
        return str(tmp_path / place)

    return make


def mine(catalog: Catalog) -> list[str]:
    """The operations that are not of this checkout's own plugins."""
    return [name for name, _ in catalog if not name.startswith(("example/", "flow/", "monitor/", "sql/"))]


def test_a_directory_is_a_namespace(
    runtime: Runtime, directory: Callable[..., str], ran: Callable[[], list[str]]
) -> None:
    """Its modules, which need not be installed, are loaded, and its operations keep their results under its name."""
    place = directory("code", init="__all__ = ['reports']", reports=REPORTS, words="greeting = 'Hello'")
    catalog = Catalog.installed({"local": place})
    assert (mine(catalog), catalog.problems) == (["local/greeting/hello"], [])
    hello = catalog.find("local/greeting/hello")
    assert (hello("you"), hello("you")) == ("Hello, you!", "Hello, you!")
    assert ran() == ["ran"]
    assert hello.key("you").operation == "local/greeting/hello"


def test_modules_of_two_directories_never_meet(runtime: Runtime, directory: Callable[..., str]) -> None:
    """Each has a module called ``words``, and each sees its own."""
    places = {
        name: directory(name, init="__all__ = ['reports']", reports=REPORTS, words=f"greeting = {word!r}")
        for name, word in (("one", "Hello"), ("two", "Salve"))
    }
    catalog = Catalog.installed(places)
    assert catalog.find("one/greeting/hello")("you") == "Hello, you!"
    assert catalog.find("two/greeting/hello")("you") == "Salve, you!"


@pytest.mark.parametrize(
    ("init", "wrong"),
    [
        ("1 / 0", "could not be loaded: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "could not be loaded: SystemExit: 3"),
        (None, "there is no __init__.py"),
        ("x = 1", "it exports nothing"),
        ("__all__ = 5\nx = 1", "its exports can't be read: TypeError"),
        ("class Stop(BaseException): pass\nraise Stop('now')", "could not be loaded: Stop: now"),
    ],
)
def test_a_broken_directory_is_a_problem_and_the_rest_works(
    runtime: Runtime, directory: Callable[..., str], init: str | None, wrong: str
) -> None:
    """What is wrong is said with the directory's name, and the other one is there."""
    broken = directory("broken", **({} if init is None else {"init": init}))
    good = directory("good", init="__all__ = ['reports']", reports=REPORTS, words="greeting = 'Hello'")
    catalog = Catalog.installed({"bad": broken, "good": good})
    assert mine(catalog) == ["good/greeting/hello"]
    (problem,) = catalog.problems
    assert (problem.name, problem.origin) == ("bad", broken)
    assert wrong in problem.error


@pytest.mark.parametrize("init", ["__all__ = ['sub']\n", "from . import sub\n", "from .sub import x\n"])
@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("x = 1\ny = = 2", "SyntaxError: invalid syntax ({}, line 2)"),
        ("\n\n1 / 0", "ZeroDivisionError: division by zero ({}, line 3)"),
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library' ({}, line 1)"),
        ("from . import lost", "({}, line 1)"),
        ("import json\njson.loads('{')", "({}, line 2)"),
    ],
)
def test_a_problem_names_the_file_and_the_line(
    runtime: Runtime, directory: Callable[..., str], init: str, source: str, wrong: str
) -> None:
    """Those of the namespace's own code, wherever the exception came from."""
    broken = directory("broken", init=init, sub=source)
    error = Catalog.installed({"bad": broken}).problems[0].error
    assert "@" not in error
    assert error.startswith("could not be loaded: ")
    assert error.endswith(wrong.format(f"{broken}/sub.py"))


def test_a_directory_that_is_not_there_is_a_problem(runtime: Runtime, tmp_path: Path) -> None:
    """It says so."""
    (problem,) = Catalog.installed({"bad": str(tmp_path / "lost")}).problems
    assert "can't be read: FileNotFoundError" in problem.error


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "-", "a b", "a@1"])
def test_a_name_that_can_not_be_a_namespaces_is_a_problem(
    runtime: Runtime, directory: Callable[..., str], name: str
) -> None:
    """Nothing is loaded under it."""
    place = directory("code", init="print('loaded')")
    catalog = Catalog.installed({name: place})
    assert "a namespace is named by letters, digits, - and _" in catalog.problems[0].error
    assert name not in catalog.namespaces


def test_a_name_may_have_a_dash(runtime: Runtime, directory: Callable[..., str]) -> None:
    """Though it is no name for a Python package."""
    place = directory("code", init="__all__ = ['reports']", reports=REPORTS, words="greeting = 'Hello'")
    catalog = Catalog.installed({"my-code_2": place})
    assert catalog.find("my-code_2/greeting/hello")("you") == "Hello, you!"


IDIOMS = """
from __future__ import annotations
import importlib, importlib.resources, pkgutil, sys, typing
from dataclasses import dataclass
from . import inner
from .inner import deep
from .plain import leaf
here = sys.modules[__name__]
assert here.__dict__ is globals()
loaded = [importlib.import_module(f"{__name__}.{found.name}").mark for found in pkgutil.iter_modules(__path__)]
assert loaded == ["inner", "words"]
assert importlib.resources.files(__package__).joinpath("table.txt").read_text() == "1 2"
assert pkgutil.get_data(__name__, "table.txt") == b"1 2"
assert importlib.util.find_spec(".nowhere", __package__) is None
assert (__name__, leaf.mark, deep.mark) == ("rave_namespaces.idioms", "leaf", "deep")
@dataclass
class Row:
    count: typing.ClassVar[int] = 0
    other: deep.Other | None = None
assert typing.get_type_hints(Row)["other"] == deep.Other | None
from rave_core import op
@op
def row():
    return Row(deep.Other())
__export__ = {"row": row}
"""


def test_usual_idioms_work_in_a_directory(runtime: Runtime, tmp_path: Path) -> None:
    """Whichever way modules ask for themselves, for each other and for files beside them."""
    files = {
        "__init__.py": IDIOMS,
        "table.txt": "1 2",
        "words.py": "mark = 'words'",
        "inner/__init__.py": "mark = 'inner'",
        "inner/deep.py": "from .. import words\nmark = 'deep'\nclass Other: pass",
        "plain/leaf.py": "from ..inner import deep\nmark = 'leaf'",
    }
    for name, text in files.items():
        (tmp_path / "code" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "code" / name).write_text(text)
    catalog = Catalog.installed({"idioms": str(tmp_path / "code")})
    assert catalog.problems == []
    value = catalog.find("idioms/row")()
    assert type(value).__module__ == "rave_namespaces.idioms"
    assert type(pickle.loads(pickle.dumps(value)).other) is type(value.other)
    import rave_namespaces.idioms.inner.deep as deep

    assert deep.Other is type(value.other)
    assert sys.modules["rave_namespaces"].idioms.Row is type(value)


def test_modules_of_a_directory_are_not_found_by_their_bare_names(
    runtime: Runtime, directory: Callable[..., str]
) -> None:
    """Two namespaces would meet there: imports are relative."""
    place = directory("code", init="import words", words="")
    assert "No module named 'words'" in Catalog.installed({"local": place}).problems[0].error


def test_nothing_is_written_to_a_directory(
    runtime: Runtime, directory: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No bytecode, which would be mistaken for that of a later edit; so it need not be ours to write to."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    place = directory("code", init="__all__ = ['reports']", reports=REPORTS, words="greeting = 'Hello'")
    assert Catalog.installed({"local": place}).find("local/greeting/hello")("you") == "Hello, you!"
    assert sorted(os.listdir(place)) == ["__init__.py", "reports.py", "words.py"]


def test_links_in_circles_end(runtime: Runtime, directory: Callable[..., str]) -> None:
    """A directory may hold a link to itself."""
    place = directory("code", init="__all__ = ['reports']", reports=REPORTS, words="greeting = 'Hello'")
    os.symlink(place, f"{place}/again")
    assert mine(Catalog.installed({"local": place})) == ["local/greeting/hello"]


def test_a_directory_can_not_take_the_name_of_an_installed_namespace(
    runtime: Runtime, directory: Callable[..., str]
) -> None:
    """Both sides are named, and the installed one stays."""
    place = directory("example", init="")
    catalog = Catalog.installed({"example": place})
    assert "example/fibonacci" in dict(catalog)
    assert f"claimed by both rave_example and {place}" in str(catalog.problems[0])


def test_the_command_line_runs_operations_of_a_directory(
    directory: Callable[..., str], run_python: Callable[..., str], tmp_path: Path
) -> None:
    """By way of the table ``[namespaces]`` of the settings."""
    directory("code", init="__all__ = ['reports']", reports=REPORTS, words="greeting = 'Hello'")
    (tmp_path / "rave.toml").write_text('[namespaces]\nlocal = "code"\n')
    ask = ("-m", "rave_core.cli.main", "run", "local/greeting/hello", "name=you")
    assert run_python(*ask, cwd=tmp_path).splitlines()[-1] == "Hello, you!"
    assert "ran" not in run_python(*ask, cwd=tmp_path)
