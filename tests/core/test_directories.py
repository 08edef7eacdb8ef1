"""Namespaces that are plain directories, named in the settings (R18)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime
from rave_core.exports import Catalog

REPORTS = """
from rave_core import op
from .words import greeting
@op
def hello(name):
    print("ran")
    return f"{greeting}, {name}!"
__export__ = {"greeting/hello": hello}
"""


@pytest.fixture(autouse=True)
def _fresh_imports() -> Iterator[None]:
    """Each test imports its directories anew."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("rave_namespaces"):
            del sys.modules[name]


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
    return [name for name, _ in catalog if not name.startswith(("flow/", "example/"))]


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
