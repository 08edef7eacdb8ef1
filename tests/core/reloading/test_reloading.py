"""Namespaces that are directories are loaded anew, while what is there goes on (R18)."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from rave_core.model import Status
from tests.core.reloading.served_code import ANSWER, Gate, Served


def test_a_change_is_served(served: Served) -> None:
    """By a new catalog; the old one is as it was, and so is its operation."""
    before, old = served.catalog, served.find()
    served.code.answer("two")
    assert served.reload()
    assert (served.find()(), old(), before.find("local/answer")()) == ("two", "one", "one")
    assert (served.find().key().operation, served.problems) == ("local/answer", [])


def test_going_back_finds_the_old_results(served: Served) -> None:
    """A change gives new keys; the code as it was has the old ones."""
    served.find()()
    first = served.find().key()
    served.code.answer("two")
    served.reload()
    assert served.find().resolve().status is Status.MISS
    assert served.find().key() != first
    served.code.answer("one")
    served.reload()
    assert served.find().key() == first
    assert served.find().resolve().status is Status.HIT


BROKEN = {
    "syntax": ("def answer(:", "SyntaxError: invalid syntax ({}, line 1)"),
    "import": ("\nimport no_such_library", "No module named 'no_such_library' ({}, line 2)"),
    "exit": ("import sys\nsys.exit('bye')", "SystemExit: bye ({}, line 2)"),
    "unusual": ("class Stop(BaseException): pass\nraise Stop", "Stop ({}, line 2)"),
    "recursion": ("def f(): f()\nf()", "RecursionError"),
    "empty": ("", "it exports nothing"),
    "function": (ANSWER.format(word="two") + "__export__['print'] = print", "is not an operation"),
    "strategy": (ANSWER.format(word="two").replace("@op", "@op(expires='unheard_of')"), "is not a strategy"),
    "module": (ANSWER.format(word="two") + "__all__ = ['lost']", "there is no such module in rave_namespaces.local"),
    "list": (ANSWER.format(word="two") + "__all__ = 5", "its exports can't be read: TypeError"),
    "part": (
        ANSWER.format(word="two") + "__all__ = ['part']",
        "local/part ({}): could not be loaded: ZeroDivisionError",
    ),
    "twice": (ANSWER.format(word="two") + "__all__ = ['other']", "two operations are called 'local/answer'"),
    "bytes": ("\0", "null bytes"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_change_leaves_what_is_there(served: Served, kind: str) -> None:
    """The same namespace serves on, whole; the catalog tells what is wrong, and forgets it when it is mended."""
    source, wrong = BROKEN[kind]
    before, modules = served.catalog.namespaces["local"], set(sys.modules)
    served.code.write(init=source, part="1 / 0", other=ANSWER.format(word="two"))
    assert not served.reload()
    assert served.catalog.namespaces["local"] is before
    (problem,) = served.problems
    assert wrong.format(served.code.directory if kind == "part" else served.code.file("init")) in problem
    assert served.find()(1) == "one"
    gc.collect()
    served.code.answer("three")
    assert served.reload()
    assert len([name for name in set(sys.modules) - modules if name.startswith(("rave_namespaces", "local@"))]) == 1
    assert (served.find()(1), served.problems) == ("three", [])


def test_a_keyboard_interrupt_passes_and_changes_nothing(served: Served, elsewhere: Any) -> None:
    """It is meant for the process, not for the namespace; in another thread than the main one it is a mistake."""
    served.code.write(init="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        served.reload()
    assert served.find()() == "one"
    assert not elsewhere(served.reload).result()
    assert "could not be loaded: KeyboardInterrupt" in served.problems[0]
    served.code.answer("two")
    assert served.reload()


@pytest.mark.parametrize("lost", ["file", "directory"])
def test_what_is_deleted_serves_on_until_it_is_back(served: Served, lost: str) -> None:
    """Without ``__init__`` a directory is broken, and so is one that is not there."""
    place = served.code.file("init") if lost == "file" else served.code.directory
    place.rename(f"{place}.away")
    assert not served.reload()
    assert served.find()() == "one"
    Path(f"{place}.away").rename(place)
    assert served.reload()
    assert served.problems == []


def test_an_edit_that_keeps_time_and_size_is_seen(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the code, in the key, and in what a traceback shows."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, key = served.code.file("init"), served.find().key()
    status = file.stat()
    for source in (ANSWER.format(word="two"), ANSWER.format(word="one").replace("'one'", "  1/0")):
        served.code.write(init=source)
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert file.stat().st_size == status.st_size
        assert served.reload()
        assert served.find().key() != key
        key = served.find().key()
    try:
        served.find()()
    except ZeroDivisionError:
        assert "return   1/0" in traceback.format_exc()
    else:
        pytest.fail("the last edit was not seen")


def test_the_version_is_of_the_code_that_was_compiled(
    served: Served, gate: Gate, elsewhere: Any, tmp_path: Path
) -> None:
    """Not of what the file holds when the decorator asks for it."""
    slow = f"{gate.stop}\n{ANSWER.format(word='slow')}"
    served.code.write(init=slow)
    loaded = elsewhere(served.reload)
    gate.wait()
    served.code.answer("edited")
    gate.open()
    assert loaded.result()
    assert served.find()() == "slow"
    slow_key = served.find().key()
    assert served.reload()
    assert (served.find()(), served.find().key() == slow_key) == ("edited", False)
    served.code.write(init=slow)
    loaded = elsewhere(served.reload)
    gate.wait()
    gate.open()
    assert loaded.result()
    assert served.find().key() == slow_key


def test_an_operation_may_move_between_modules(served: Served) -> None:
    """Under one name, be it that of its export or one of its own, and back again."""
    named = ANSWER.replace("@op", "@op(name='fixed')").replace("answer", "named")
    modules = {"one": ANSWER.format(word="x"), "two": named.format(word="y")}
    for one, two in (("one", "two"), ("two", "one"), ("one", "two")):
        served.code.write(init="__all__ = ['a', 'b']", a=modules[one], b=modules[two])
        assert served.reload(), served.problems
        assert (served.find()(), served.find("named")()) == ("x", "y")
        assert (served.find().key().operation, served.find("named").key().operation) == ("local/answer", "fixed")


def test_two_operations_of_one_name_are_still_a_mistake(served: Served) -> None:
    """In new code that is whole otherwise."""
    named = ANSWER.replace("@op", "@op(name='fixed')")
    served.code.write(
        init="__all__ = ['a', 'b']", a=named.format(word="x"), b=named.format(word="y").replace("answer", "named")
    )
    assert not served.reload()
    assert "two operations are called 'fixed'" in served.problems[0]


def test_what_is_not_exported_any_more_is_not_found(served: Served) -> None:
    """It is no mistake to take an operation away; who has it can go on calling it."""
    old = served.find()
    served.code.write(init=ANSWER.format(word="two").replace('"answer"', '"other"'))
    assert served.reload()
    with pytest.raises(LookupError, match="local/other"):
        served.find()
    assert old(5) == "one"
