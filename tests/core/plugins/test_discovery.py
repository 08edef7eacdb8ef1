"""Plugins: what is wrong with one does not stop the others (R19)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rave_core import Runtime, Settings
from rave_core.errors import PluginError
from rave_core.hookspecs import hookimpl
from rave_core.plugins import discovery
from rave_core.plugins.discovery import FoundPlugin, Plugins


class Hooks:
    """A plugin made of single hooks, each given as a function."""

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        for name, function in hooks.items():
            setattr(self, name, hookimpl(function))


class Exploding:
    """Its attributes can't even be looked at."""

    @property
    def rave_called(self) -> None:
        """Raises."""
        raise RuntimeError("do not touch")


def open_shelf(url: Any) -> None:
    """Stands for the factory of a backend."""


GOOD = Hooks(
    rave_register_backends=lambda registry: registry.add("shelf", open_shelf, origin="good"),
    rave_register_strategies=lambda registry: registry.add("minute", print, origin="good"),
)


def test_a_hook_that_does_not_exist_is_a_problem(caplog: pytest.LogCaptureFixture) -> None:
    """The message names the nearest; nothing of that plugin is called, and the others are."""
    misspelt = Hooks(rave_register_backend=lambda registry: None, rave_entry_stored=lambda key: 1 / 0)
    plugins = Plugins([FoundPlugin("bad", "bad.origin", misspelt), FoundPlugin("good", "good.origin", GOOD)])
    (problem,) = plugins.problems
    assert (
        str(problem)
        == "bad (bad.origin): there is no hook 'rave_register_backend'; did you mean 'rave_register_backends'?"
    )
    assert not plugins.implements("rave_entry_stored")
    assert "shelf" in plugins.backends
    assert [found.name for found in plugins.found] == ["good"]


BROKEN = {
    "no @hookimpl": (SimpleNamespace(rave_called=lambda call: None), "rave_called lacks its decorator @hookimpl"),
    "wrong parameter": (Hooks(rave_called=lambda cal: None), "rave_called"),
    "raises": (
        Hooks(rave_register_backends=lambda registry: 1 / 0),
        "rave_register_backends failed: ZeroDivisionError",
    ),
    "attributes that raise": (Exploding(), "do not touch"),
    "a name of ours": (
        Hooks(rave_register_strategies=lambda registry: registry.add("forever", print, origin="bad")),
        "expiration strategy 'forever' is claimed by both rave_core and bad",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_does_not_stop_the_others(case: str) -> None:
    """It becomes a problem that says what is wrong, before or behind a good one."""
    bad, message = BROKEN[case]
    for order in (["bad", "good"], ["good", "bad"]):
        plugins = Plugins([FoundPlugin(name, f"{name}.origin", {"bad": bad, "good": GOOD}[name]) for name in order])
        (problem,) = plugins.problems
        assert (problem.name, problem.origin) == ("bad", "bad.origin")
        assert message in problem.error
        assert {"shelf"} == set(plugins.backends)
        assert "minute" in plugins.strategies


def test_one_name_registered_twice_names_both_sides() -> None:
    """The first keeps it."""
    again = Hooks(rave_register_backends=lambda registry: registry.add("shelf", print, origin="again"))
    plugins = Plugins([FoundPlugin("good", "good", GOOD), FoundPlugin("again", "again.origin", again)])
    assert plugins.backends["shelf"] is open_shelf
    assert "backend 'shelf' is claimed by both good and again" in plugins.problems[0].error


def test_two_plugins_of_one_name_leave_the_first_as_it_is() -> None:
    """The second is a problem; the first goes on being asked."""
    first, second = Hooks(rave_entry_stored=lambda key: None), Hooks(rave_called=lambda call: None)
    plugins = Plugins([FoundPlugin("same", "one", first), FoundPlugin("same", "two", second)])
    assert [problem.origin for problem in plugins.problems] == ["two"]
    assert plugins.implements("rave_entry_stored")
    assert not plugins.implements("rave_called")


def test_problems_are_fatal_only_where_that_is_set(tmp_path: Path) -> None:
    """``load_error_fatal`` lists all of them, and nothing is opened."""
    import rave_backends.plugin

    found = [FoundPlugin("backends", "rave_backends.plugin", rave_backends.plugin)]
    found += [FoundPlugin(case, case, BROKEN[case][0]) for case in ("raises", "no @hookimpl")]
    stores = {"cache": ["memory://"], "products": [f"file://{tmp_path}/products"]}
    assert len(Runtime(Settings(**stores), plugins=Plugins(found)).plugins.problems) == 2
    with pytest.raises(PluginError, match=r"raises \(raises\): rave_register_backends failed.*; no @hookimpl .*lacks"):
        Runtime(Settings(**stores, load_error_fatal=True), plugins=Plugins(found))


INSTALLED = {
    "absent": (None, "ModuleNotFoundError: No module named 'absent'"),
    "broken": ("import no_such_library\n", "No module named 'no_such_library'"),
    "syntax": ("def (:\n", "SyntaxError"),
    "quitting": ("raise SystemExit('bye')\n", "SystemExit: bye"),
    "asserting": ("assert False, 'not here'\n", "AssertionError: not here"),
    "same1": ("", ""),
    "fine": (
        "from rave_core.hookspecs import hookimpl\n"
        "@hookimpl\ndef rave_register_strategies(registry):\n"
        "    registry.add('minute', lambda request: request.generated_at + 60, origin=__name__)\n",
        "",
    ),
}
ASK = """
import logging; logging.basicConfig(level=logging.CRITICAL)
from rave_core import op
from rave_core import current_runtime
@op(name="t/f", expires="minute")
def f(x):
    return x
print(f(1), f.resolve(1).status)
for problem in current_runtime().plugins.problems:
    print(problem)
"""


@pytest.fixture
def installed(tmp_path: Path) -> None:
    """Modules beside a distribution's metadata, as if pip had put them there."""
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    lines = ["[rave.plugins]"]
    for name, (source, _) in INSTALLED.items():
        lines.append(f"{name} = {name}")
        if source is not None:
            (tmp_path / f"{name}.py").write_text(source)
    (info / "entry_points.txt").write_text("\n".join(lines))


@pytest.mark.usefixtures("installed")
def test_installed_plugins_that_fail_to_load_are_problems(run_python: Callable[..., str]) -> None:
    """Whatever they raise, an exit included; a good one among them works, and so do our own."""
    printed = run_python("-c", ASK)
    assert printed.splitlines()[0] == "1 hit"
    for name, (_, message) in INSTALLED.items():
        if message:
            assert f"{name} ({name}): could not be loaded: " in printed
            assert message in printed
        else:
            assert f"{name} (" not in printed


@pytest.mark.usefixtures("installed")
def test_installed_problems_are_fatal_where_that_is_set(run_python: Callable[..., str]) -> None:
    """By the environment, here."""
    assert "PluginError: absent (absent): could not be loaded" in run_python(
        "-c", ASK, fails=True, RAVE_LOAD_ERROR_FATAL="1"
    )


@pytest.mark.usefixtures("installed")
def test_a_disabled_plugin_is_not_even_imported(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """By the name of its entry point."""
    others = [name for name in INSTALLED if name != "fine"]
    (tmp_path / "quitting.py").write_text("import os; os._exit(9)")
    assert run_python("-c", ASK, RAVE_DISABLED_PLUGINS=" ".join(others)) == "1 hit"


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Grows with each look at what is installed; caches are empty before and after."""
    made: list[object] = []
    entry_points = discovery.entry_points
    monkeypatch.setattr(discovery, "entry_points", lambda **group: made.append(group) or entry_points(**group))
    caches = discovery._installed, discovery.namespace_packages, discovery._entry_points
    for cache in caches:
        cache.cache_clear()
    yield made
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


def test_plugins_and_namespaces_are_found_in_one_look(looks: list[object]) -> None:
    """It takes most of the time of a first call."""
    with Runtime(Settings(cache=["memory://"])):
        discovery.namespace_packages()
    assert len(looks) == 1


def test_a_namespace_that_is_installed_after_the_plugins_were_found_is_found(
    looks: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a directory that was looked into before."""
    monkeypatch.syspath_prepend(str(tmp_path))
    with Runtime(Settings(cache=["memory://"])):
        info = tmp_path / "late-1.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text("[rave.namespaces]\nlate = latecomer\n")
        os.utime(tmp_path, (1, 1))  # for file systems with coarse times
        assert discovery.namespace_packages()["latecomer"] == "late"
    assert len(looks) == 2
