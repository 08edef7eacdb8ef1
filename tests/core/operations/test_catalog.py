"""Exports: what of a namespace is reachable from outside, and what is wrong with the rest (R17, R19)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """
from rave_core import op
@op
def hello(name):
    print("ran")
    return f"Hello, {name}!"
@op
def inner(x):
    return x
@op(name="fixed")
def named(x):
    return x
__export__ = {"greeting/hello": hello, "named": named}
"""
LATER = """
from rave_core import op
@op
def other(x):
    return x
__export__ = {"other": other}
"""
ASK = """
import json, logging, sys
logging.basicConfig(level=logging.CRITICAL)
from rave_core.operations.catalog import Catalog
catalog = Catalog.installed()
print(json.dumps({
    "names": [name for name, _ in catalog if not name.startswith(("example/", "flow/", "monitor/", "sql/"))],
    "problems": [str(problem) for problem in catalog.problems],
}))
"""


class Installation:
    """Packages beside the metadata of a distribution, as if pip had put them there."""

    def __init__(self, path: Path, run_python: Callable[..., str]) -> None:
        self.path = path
        self.run_python = run_python

    def add(self, namespace: str, package: str, **modules: str) -> None:
        """Installs a package; ``init`` is its ``__init__``."""
        (self.path / package).mkdir()
        for name, source in modules.items():
            (self.path / package / f"{'__init__' if name == 'init' else name}.py").write_text(source)
        info = self.path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[rave.namespaces]\n{namespace} = {package}\n")

    def found(self) -> tuple[list[str], list[str]]:
        """The names in the catalog, and the problems."""
        told = json.loads(self.run_python("-c", ASK))
        return told["names"], told["problems"]


@pytest.fixture
def installation(tmp_path: Path, run_python: Callable[..., str]) -> Installation:
    """An empty one."""
    return Installation(tmp_path, run_python)


def test_exports_of_the_package_and_its_listed_modules(installation: Installation) -> None:
    """Under the name of the entry point, in order; what is not exported is not there."""
    installation.add("foo", "foo_package", init="__all__ = ['sub']\n" + GOOD, sub=LATER, unlisted="1 / 0")
    assert installation.found() == (["foo/greeting/hello", "foo/named", "foo/other"], [])


def test_an_exported_operation_is_one_however_it_is_reached(installation: Installation) -> None:
    """Imported or asked for by name it has one key, named by namespace and export; a given name stays."""
    installation.add("foo", "foo_package", init=GOOD)
    asked = installation.run_python(
        "-c",
        "from rave_core.operations.catalog import Catalog; from foo_package import hello, inner, named\n"
        "found = Catalog.installed().find('foo/greeting/hello')\n"
        "print(hello('you'), found('you'), found is hello)\n"
        "print(hello.key('x').operation, inner.key(1).operation, named.key(1).operation)",
    )
    assert asked.splitlines() == [
        "ran",
        "Hello, you! Hello, you! True",
        "foo/greeting/hello foo/inner fixed",
    ]


FACES = """
import logging
from foo_package.where import total
names = [total.key(1).operation, total.resolve(1).entry.key.rsplit("/", 2)[0], total.explain(1).operation]
names += [str(total.plan(2)).partition(":")[0], *logging.statistics["RAVE"]["Operations"]]
try: total(1, 2)
except TypeError as error: names.append(str(error).partition(":")[0])
from rave_core.operations.catalog import Catalog
names += [name for name, operation in Catalog.installed() if operation is total]
print(*names, sep="\\n")
"""


def test_an_operation_that_another_module_exports_has_one_name(installation: Installation) -> None:
    """In keys, entries, explanations, plans, statistics, messages and the catalog, whatever is loaded."""
    where = "from rave_core import op\n@op\ndef total(n):\n    return n\n"
    exports = "from foo_package.where import total\n__export__ = {'the/total': total}\n"
    installation.add("foo", "foo_package", init="__all__ = ['exports']\n", where=where, exports=exports)
    names = installation.run_python("-c", FACES).split()
    assert len(names) >= 7
    assert set(names) == {"foo/the/total"}


def test_an_operation_that_is_not_exported_is_not_found(installation: Installation) -> None:
    """The message names the nearest, and tells what is wrong with the namespace, if anything."""
    installation.add("foo", "foo_package", init=GOOD)
    installation.add("sad", "sad_package", init="import no_such_library")
    ask = (
        "from rave_core.operations.catalog import Catalog; catalog = Catalog.installed()\n"
        "for name in ('foo/inner', 'foo/greeting/hallo', 'sad/op'):\n"
        "    try: catalog.find(name)\n"
        "    except LookupError as error: print(type(error).__name__, error)\n"
    )
    inner, hallo, sad = installation.run_python("-c", ask).splitlines()
    assert "UnknownNameError no operation is called 'foo/inner'" in inner
    assert "did you mean 'foo/greeting/hello'?" in hallo
    assert "sad (sad_package): could not be loaded: ModuleNotFoundError" in sad


BAD = {
    "broken": ("raise RuntimeError('on import')", "could not be loaded: RuntimeError: on import"),
    "leaving": ("raise SystemExit", "could not be loaded: SystemExit"),
    "empty": ("", "it exports nothing"),
    "list": ("__export__ = ['a']", "__export__ is not a dict"),
    "function": ("__export__ = {'f': print}", "is not an operation; decorate it with @op"),
    "slash": (GOOD + "__export__ = {'/x': hello, 'ok': hello}", "an export name is a text without empty parts"),
    "dots": (GOOD + "__export__ = {'../x': hello, 'ok': hello}", "an export name is a text without empty parts"),
    "strategy": (
        "from rave_core import op\n@op(expires='unheard_of')\ndef f(): pass\n__export__ = {'f': f}",
        "'unheard_of' is not a strategy",
    ),
    "unbacked": (
        "from rave_core import op\n@op(behind='tabel')\ndef f(n): pass\n__export__ = {'f': f, 'table': op(print)}",
        "behind='tabel' is no other export of the namespace; did you mean 'table'?",
    ),
    "unlike": (
        "from rave_core import op\n@op(behind='g')\ndef f(n, m): pass\n"
        "@op\ndef g(n): pass\n__export__ = {'f': f, 'g': g}",
        "behind='g' takes no parameter 'm'",
    ),
}


def test_a_broken_namespace_does_not_stop_the_others(installation: Installation) -> None:
    """Each is a problem that names it and what is wrong; the good exports of a half-broken one are there."""
    for name, (source, _) in BAD.items():
        installation.add(name, f"{name}_package", init=source)
    installation.add("foo", "foo_package", init=GOOD)
    names, problems = installation.found()
    assert {"foo/greeting/hello", "foo/named", "slash/ok"} <= set(names)
    assert not [name for name in names if ".." in name or "//" in name]
    for name, (_, message) in BAD.items():
        told = [problem for problem in problems if problem.startswith(name)]
        assert any(message in problem for problem in told), (name, told)


def test_load_errors_are_fatal_where_that_is_asked(installation: Installation) -> None:
    """All of them at once."""
    installation.add("broken", "broken_package", init="1 / 0")
    ask = "from rave_core.operations.catalog import Catalog; Catalog.installed(load_error_fatal=True)"
    assert "PluginError: broken (broken_package): could not be loaded: ZeroDivisionError" in installation.run_python(
        "-c", ask, fails=True
    )


def test_duplicate_names_are_problems_that_name_both_sides(installation: Installation) -> None:
    """Two distributions with one namespace; two modules that export one name."""
    installation.add("foo", "first_package", init="__all__ = ['a', 'b']", a=LATER, b=LATER)
    installation.add("foo", "second_package", init=GOOD)
    names, problems = installation.found()
    assert names == ["foo/other"]
    text = "\n".join(problems)
    assert "namespace 'foo' is claimed by both first_package and second_package" in text
    assert "two operations are called 'foo/other': first_package.a:other (line 3) and first_package.b:other" in text


def test_a_listed_module_that_is_missing_is_a_problem(installation: Installation) -> None:
    """``__all__`` may name other things, too: only what is neither a module nor in the package is wrong."""
    installation.add("foo", "foo_package", init="__all__ = ['sub', 'hello', 'lost']\n" + GOOD, sub="1 / 0")
    names, problems = installation.found()
    assert names == ["foo/greeting/hello", "foo/named"]
    text = "\n".join(problems)
    assert "foo/sub (foo_package.sub): could not be loaded: ZeroDivisionError" in text
    assert "lost" in text
    assert "'hello'" not in text
