"""§15: a package of operations, and which of them are reachable from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

AMOD = """
from rave_core import mime_type, op, typemap

@op
@typemap(str)
@mime_type("text/plain")
def hello(name):
    print("Executing hello")
    return "Hello, %s!" % name

@op
@typemap(str)
@mime_type("text/plain")
def goodbye(name):
    return "Goodbye, %s!" % name

@op
def secret(x):
    print("Executing secret")
    return x

__export__ = {
    'greeting/hello': hello,
    'greeting/goodbye': goodbye,
}
"""
BMOD = """
from rave_core import mime_type, op, typemap

@op
@typemap(int)
@mime_type("text/plain")
def fib(n):
    if n <= 0:
        return 0
    elif n == 1:
        return 1
    else:
        return fib(n-2) + fib(n-1)

__export__ = {'fibonacci': fib}
"""
CATALOG = "from rave_core.operations.catalog import Catalog; catalog = Catalog.installed()\n"


@pytest.fixture
def ask(tmp_path: Path, run_python: Callable[..., str]) -> Callable[[str], list[str]]:
    """Runs a line in a process where the namespace ``foo`` is installed; gives what it printed."""
    package = tmp_path / "foo_analyses"
    package.mkdir()
    (package / "__init__.py").write_text("__all__ = ['amod', 'bmod']\n")
    (package / "amod.py").write_text(AMOD)
    (package / "bmod.py").write_text(BMOD)
    info = tmp_path / "foo_analyses-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: foo-analyses\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rave.namespaces]\nfoo = foo_analyses\n")
    return lambda line: run_python("-c", CATALOG + line).splitlines()


def test_the_exports_of_all_listed_modules_are_reachable(ask: Callable[[str], list[str]]) -> None:
    """``__all__`` names the modules, ``__export__`` in each the operations; both go under the namespace's name."""
    printed = ask("print(*(name for name, _ in catalog if name.startswith('foo/'))); print(catalog.problems)")
    assert printed == ["foo/fibonacci foo/greeting/goodbye foo/greeting/hello", "[]"]


def test_an_exported_operation_takes_text_and_is_kept(ask: Callable[[str], list[str]]) -> None:
    """As over HTTP: the argument is text, and the second request runs nothing."""
    line = "print(catalog.find('foo/greeting/hello')('Phil'), catalog.find('foo/fibonacci')('50'))"
    assert ask(line) == ["Executing hello", "Hello, Phil! 12586269025"]
    assert ask(line) == ["Hello, Phil! 12586269025"]


def test_an_unexported_operation_is_out_of_reach_but_kept(ask: Callable[[str], list[str]]) -> None:
    """From outside it does not exist; from inside it works and its results are kept."""
    printed = ask(
        "from foo_analyses.amod import secret; print(secret(1), secret(1))\n"
        "for name in ('foo/secret', 'foo/amod/secret', 'foo/amod:secret', 'baz/hello', '/hello'):\n"
        "    try: print(catalog.find(name))\n"
        "    except LookupError as error: print('no')\n"
    )
    assert printed == ["Executing secret", "1 1", "no", "no", "no", "no", "no"]
