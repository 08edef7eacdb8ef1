"""Versions: whether an operation changed since a result was kept (R11)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rave_core import Runtime, op, using, version
from rave_core.errors import ConfigurationError, DecorationError

MODULE = """
from rave_core import op, version
@op{keywords}
def f(x):
    print("ran")
    return x * {factor}
"""
ASK = "from module import f; print(f(1))"


@pytest.fixture
def edit(tmp_path: Path) -> Callable[..., Path]:
    """Writes the module that defines ``f``."""

    def write(factor: int = 1, keywords: str = "", more: str = "") -> Path:
        path = tmp_path / "module.py"
        path.write_text(MODULE.format(factor=factor, keywords=keywords) + more)
        return path

    return write


def test_a_touched_or_moved_file_keeps_its_hits(
    tmp_path: Path, edit: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """The content decides: neither the time nor the place of the file, as after a reinstall or on another host."""
    path = edit()
    assert run_python("-c", ASK) == "ran\n1"
    os.utime(path, (1, 1))
    assert run_python("-c", ASK) == "1"
    elsewhere = tmp_path / "site-packages"
    elsewhere.mkdir()
    path.rename(elsewhere / "module.py")
    assert run_python("-c", ASK, PYTHONPATH=str(elsewhere)) == "1"


def test_an_edit_invalidates_and_going_back_finds_old_results(
    edit: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """The version is part of the key, so that earlier generations stay."""
    edit(1)
    assert run_python("-c", ASK) == "ran\n1"
    edit(2)
    assert run_python("-c", ASK) == "ran\n2"
    edit(1)
    assert run_python("-c", ASK) == "1"


def test_the_loaded_code_counts_not_the_file_at_the_first_call(
    edit: Callable[..., Path], run_python: Callable[..., str]
) -> None:
    """A file that is edited between import and call is keyed as it was when it was loaded."""
    edit(1)
    later = "import module; text = open(module.__file__).read()\n"
    later += "open(module.__file__, 'w').write(text.replace('x * 1', 'x * 2')); print(module.f(1))"
    assert run_python("-c", later) == "ran\n1"
    assert run_python("-c", ASK) == "ran\n2"
    edit(1)
    assert run_python("-c", ASK) == "1"


def test_by_mtime_a_touched_file_misses(edit: Callable[..., Path], run_python: Callable[..., str]) -> None:
    """Chosen by name in the settings, for operations that do not choose for themselves; an edit at one time hits."""
    path = edit()
    os.utime(path, (1, 1))
    assert run_python("-c", ASK, RAVE_VERSION="mtime") == "ran\n1"
    edit(2)
    os.utime(path, (1, 1))
    assert run_python("-c", ASK, RAVE_VERSION="mtime") == "1"
    os.utime(path, (2, 2))
    assert run_python("-c", ASK, RAVE_VERSION="mtime") == "ran\n2"


def test_a_reload_is_a_new_version(
    tmp_path: Path, edit: Callable[..., Path], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process: the edited module answers with its new code, and back again with the old results."""
    import importlib
    import sys

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    edit(1)
    module = importlib.import_module("module")
    try:
        found = [module.f(1)]
        for factor in (2, 1):
            edit(factor)
            found.append(importlib.reload(module).f.resolve(1))
    finally:
        del sys.modules["module"]
    assert found[0] == 1
    assert [(outcome.value, outcome.status) for outcome in found[1:]] == [(2, "miss"), (1, "hit")]


@pytest.mark.parametrize("value", ["20070211", 1, None, (1, {"a": [2]}), 1.5, b"x", frozenset({1, 2})])
def test_any_value_is_a_version(runtime: Runtime, value: object) -> None:
    """By value: the same one finds its results again, as decorator and as keyword."""
    first = version(value)(_function())
    assert op(name="t/versioned")(first).resolve(1).status == "miss"
    assert op(name="t/versioned", version=value)(_function()).resolve(1).status == "hit"


def test_versions_are_told_apart_by_type_and_value(runtime: Runtime) -> None:
    """``1``, ``True``, ``1.0``, ``"1"`` and ``None`` are five versions, and none is like no version at all."""
    keys = [op(name="t/versioned", version=value)(_function()).key(1) for value in (1, True, 1.0, "1", None)]
    keys.append(op(name="t/versioned")(_function()).key(1))
    assert len({key.version for key in keys}) == 6


class Release:
    """A value that only pickle can keep apart."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __getstate__(self) -> int:
        return self.number

    def __setstate__(self, state: int) -> None:
        self.number = state


def test_a_version_need_only_be_picklable(runtime: Runtime) -> None:
    """A class of the author's own is enough."""
    first, again, second = (
        op(name="t/versioned", version=Release(number))(_function()).key(1).version for number in (1, 1, 2)
    )
    assert first == again != second


def test_a_version_that_cannot_be_pickled_is_refused(runtime: Runtime) -> None:
    """The message names the value."""
    with pytest.raises(DecorationError, match=r"@version\(<.*lock.*can't be pickled"):
        op(name="t/locked", version=__import__("threading").Lock())(_function())(1)


@pytest.mark.parametrize("write", [lambda: version(), lambda: version(1, strategy="file")])
def test_version_takes_a_value_or_a_strategy(write: Callable[[], object]) -> None:
    """One of them, and not both."""
    with pytest.raises(DecorationError, match="@version takes a value"):
        write()


def test_an_unknown_strategy_is_an_error_that_names_the_nearest(make_runtime: Callable[..., Runtime]) -> None:
    """In the decorator and in the settings."""
    operation = op(name="t/strange")(version(strategy="mtme")(_function()))
    with using(make_runtime()), pytest.raises(ConfigurationError, match=r"t/strange.*mtme.*mtime"):
        operation(1)
    with using(make_runtime(version="fil")), pytest.raises(ConfigurationError, match=r"t/plain.*'fil'.*file"):
        op(name="t/plain")(_function())(1)


def test_a_strategy_in_the_decorator_goes_before_the_settings(make_runtime: Callable[..., Runtime]) -> None:
    """And says so in what is recorded."""
    with using(make_runtime(version="mtime")):
        chosen = op(name="t/chosen")(version(strategy="file")(_function())).resolve(1).entry
        left = op(name="t/left")(_function()).resolve(1).entry
        explicit = op(name="t/explicit", version="v1")(_function()).resolve(1).entry
    assert chosen is not None
    assert left is not None
    assert explicit is not None
    assert (chosen.version_note, left.version_note, explicit.version_note) == ("file", "mtime", "explicit v1")


def _function():
    def versioned(x):
        return x

    return versioned
