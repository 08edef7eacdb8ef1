"""The test tool that says which code of a call counts nowhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, using
from rave_core.testing import uncounted_code
from tests.core.versions.programs import HEAD, loaded

PROGRAM = """
import functools, logging, threading
import other
class Handler(logging.Handler):
    def emit(self, record):
        hidden(record)
def hidden(record):
    pass
log = logging.getLogger("test_counted_code")
log.propagate = False
log.handlers[:] = [Handler()]
def traced(function):
    @functools.wraps(function)
    def within(*args):
        return function(*args)
    return within
@traced
def helper(x):
    return [inner(each) for each in range(x)]
def inner(x):
    return x + 1
@op
def child(x):
    return other.twice(x)
@op
def f(x):
    from other import late
    thread = threading.Thread(target=inner, args=(1,))
    thread.start()
    thread.join()
    return helper(x), child(x), late.Late().go(x), sorted([3, 1], key=lambda each: other.twice(each))
@op
def g(x):
    log.warning("running")
    return x
@op
def h(thing):
    return thing.go(1)
"""
OTHER = {
    "other/__init__.py": "def twice(x):\n    return 2 * x\n",
    "other/late.py": "class Late:\n    def go(self, x):\n        return deep(x)\ndef deep(x):\n    return x\n",
}


@pytest.fixture(autouse=True)
def _runtime(make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with using(make_runtime(cache=["memory://"])):
        yield


def test_all_that_a_call_reaches_counts(tmp_path: Path) -> None:
    """Wrapped functions, other operations, modules imported late, lambdas, and what runs in a thread."""
    with loaded(tmp_path, {"program.py": HEAD + PROGRAM, **OTHER}) as program:
        assert uncounted_code(program.f, 3) == []


def test_code_that_a_library_calls_back_is_named(tmp_path: Path) -> None:
    """A handler of logs runs, but no name in the body leads to it."""
    with loaded(tmp_path, {"program.py": HEAD + PROGRAM, **OTHER}) as program:
        assert uncounted_code(program.g, 3) == ["program:Handler.emit", "program:hidden"]


def test_classes_of_arguments_count_by_the_key(tmp_path: Path) -> None:
    """Their methods are no part of the version."""
    with loaded(tmp_path, {"program.py": HEAD + PROGRAM, **OTHER}) as program:
        from other.late import Late  # type: ignore[import-not-found]  # written above

        assert uncounted_code(program.h, Late()) == []
        assert "other.late:Late" not in program.h.resolved().version.nodes
        assert "other.late:Late" in program.h.explain(Late()).closure


def test_a_version_that_follows_no_code_is_refused(tmp_path: Path, make_runtime: Callable[..., Runtime]) -> None:
    """There is nothing to compare with."""
    with (
        loaded(tmp_path, {"program.py": HEAD + PROGRAM, **OTHER}) as program,
        using(make_runtime(version="file")),
        pytest.raises(ValueError, match=r"by 'file'; only 'source'"),
    ):
        uncounted_code(program.f, 3)


def test_an_observer_that_was_there_before_is_there_again(tmp_path: Path) -> None:
    """Such as that of a debugger or of a measurement of coverage."""

    def own(*_: object) -> None:
        return None

    with loaded(tmp_path, {"program.py": HEAD + PROGRAM, **OTHER}) as program:
        sys.setprofile(own)
        try:
            uncounted_code(program.f, 1)
            assert sys.getprofile() is own
        finally:
            sys.setprofile(None)
