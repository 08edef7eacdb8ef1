"""Namespaces that are directories are loaded anew, while what is there goes on (R18)."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
import sys
import threading
import traceback
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rave_core import RaveWarning, Runtime, carry, using
from rave_core.model import Status
from rave_core.operations.catalog import Catalog

ANSWER = """
from rave_core import op
@op
def answer(x=0):
    return {word!r}
__export__ = {{"answer": answer}}
"""


class Code:
    """A directory of code, as its maintainer edits it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()

    def write(self, **modules: str) -> None:
        """Writes modules; ``init`` is the package's ``__init__``."""
        for name, source in modules.items():
            self.file(name).write_text(source)

    def answer(self, word: str) -> None:
        """Exports an operation that gives ``word``."""
        self.write(init=ANSWER.format(word=word))

    def file(self, module: str) -> Path:
        """The file of a module."""
        return self.directory / f"{'__init__' if module == 'init' else module}.py"


class Gate:
    """A place where code stops, until the test lets it on: ``stop`` is the code that does."""

    def __init__(self, path: Path) -> None:
        self.reached, self.opened = f"{path}-reached", f"{path}-opened"
        os.mkfifo(self.reached)
        os.mkfifo(self.opened)
        self.stop = f"open({self.reached!r}, 'w').close(); open({self.opened!r}).close()"

    def wait(self) -> None:
        """Waits until the code is there."""
        open(self.reached).close()

    def open(self) -> None:
        """Lets it on."""
        open(self.opened, "w").close()


class Served:
    """A directory that is served as the namespace ``local``."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.catalog = Catalog.installed({"local": str(code.directory)})
        assert self.problems == []

    @property
    def problems(self) -> list[str]:
        """Of the catalog, in words."""
        return [str(problem) for problem in self.catalog.problems]

    def reload(self) -> bool:
        """Loads the code as it is now; whether it was taken."""
        before = self.catalog
        self.catalog = before.with_namespace("local", str(self.code.directory))
        return self.catalog.namespaces["local"] is not before.namespaces["local"]

    def find(self, name: str = "answer") -> Any:
        """An operation."""
        return self.catalog.find(f"local/{name}")


@pytest.fixture
def code(tmp_path: Path) -> Code:
    """An operation that answers ``one``."""
    made = Code(tmp_path / "code")
    made.answer("one")
    return made


@pytest.fixture
def served(runtime: Runtime, code: Code) -> Served:
    """It, served."""
    return Served(code)


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """A gate that is shut."""
    return Gate(tmp_path / "gate")


@pytest.fixture
def elsewhere() -> Any:
    """A thread that does what would stop the test; it is over when the test is."""
    with ThreadPoolExecutor(4) as pool:
        yield pool.submit


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
    "function": (ANSWER.format(word="two") + "__export__['print'] = print", "is no operation"),
    "strategy": (ANSWER.format(word="two").replace("@op", "@op(expires='unheard_of')"), "is no strategy"),
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


LAZY = """
from rave_core import op
@op
def inner(x):
    from .words import word
    return word
@op
def answer(x=0):
    {stop}
    return inner(x)
__export__ = {{"answer": answer}}
"""


def test_a_call_under_way_ends_with_the_code_it_began_with(served: Served, gate: Gate, elsewhere: Any) -> None:
    """Also where it calls operations, and imports modules, that it did not need before the new code took over."""
    served.code.write(init=LAZY.format(stop=gate.stop), words="word = 'old'")
    served.reload()
    old = elsewhere(served.find(), 7)
    gate.wait()
    served.code.write(init=LAZY.format(stop=""), words="word = 'new'")
    assert served.reload()
    assert served.find()(7) == "new"
    gate.open()
    assert old.result() == "old"


def test_old_code_imports_what_it_was_loaded_with(served: Served) -> None:
    """A broken change of a module that was not needed yet does not reach it."""
    served.code.write(init=LAZY.format(stop=""), words="word = 'old'")
    served.reload()
    served.code.write(init="1 / 0", words="1 / 0")
    assert not served.reload()
    assert served.find()(7) == "old"


ADDING = """
from rave_core import op
@op
def answer(x=0):
    from .inner.words import word
    return word
@op
def adding():
    from . import added
    return added.word
__export__ = {"answer": answer, "adding": adding}
"""


def test_old_code_does_not_find_what_is_newer(served: Served) -> None:
    """A module that was added is none of its own, and does not get in the way of those that are."""
    inner = served.code.directory / "inner"
    inner.mkdir()
    (inner / "words.py").write_text("word = 'old'")
    served.code.write(init=ADDING)
    assert served.reload(), served.problems
    (inner / "__init__.py").write_text("1 / 0")
    served.code.write(added="word = 'added'")
    assert served.find()(7) == "old"
    with pytest.raises(ImportError, match="/added can't be read, or is newer"):
        served.find("adding")()
    served.code.write(init=f"{ADDING}#")
    assert served.reload(), served.problems
    assert served.find("adding")() == "added"
    with pytest.raises(ZeroDivisionError):
        served.find()()


def test_a_module_that_can_not_be_read_is_named(served: Served) -> None:
    """It is not said that there is none."""
    served.code.file("part").symlink_to("/proc/self/mem")  # which nobody can read from its beginning
    served.code.write(init=f"from . import part\n{ANSWER.format(word='two')}")
    assert not served.reload()
    assert f"{served.code.directory}/part can't be read" in served.problems[0]


def test_code_is_loaded_from_what_it_was_loaded_from(served: Served) -> None:
    """With its keys, in place of what the directory holds by then, or where that is gone."""
    served.code.write(init=LAZY.format(stop=""), words="word = 'old'")
    assert served.reload()
    key, sources = served.find().key(), served.catalog.namespaces["local"].sources
    assert sources is not None
    served.find()()
    served.code.write(init=LAZY.format(stop="1 / 0"), words="1 / 0")
    assert served.reload()
    assert served.find().key() != key
    for _ in ("broken", "gone"):
        loaded = served.catalog.with_namespace("local", str(served.code.directory), sources=sources)
        assert loaded.find("local/answer").resolve().status is Status.HIT
        assert loaded.find("local/answer")(3) == "old"
        assert loaded.namespaces["local"].sources is sources
        shutil.rmtree(served.code.directory, ignore_errors=True)


KEPT = """
from dataclasses import dataclass
from rave_core import op
@dataclass
class Row:
    word: str
@op
def answer(x=0):
    return Row({word!r})
__export__ = {{"answer": answer}}
"""


def test_what_is_there_is_not_disturbed_by_a_load_that_takes_long(
    served: Served, gate: Gate, elsewhere: Any, tmp_path: Path
) -> None:
    """Its results are kept and read meanwhile, though the new code has classes of the same names. Other loads wait."""
    served.code.write(init=KEPT.format(word="old"))
    served.reload()
    served.find()(1)
    served.code.write(init=KEPT.format(word="new") + gate.stop)
    loaded = elsewhere(served.reload)
    gate.wait()
    other = Code(tmp_path / "other")
    other.answer("else")
    waiting = elsewhere(Catalog.installed, {"other": str(other.directory)})
    old = served.find()
    with warnings.catch_warnings(record=True) as warned:
        for x, status in ((1, Status.HIT), (2, Status.MISS), (2, Status.HIT)):
            outcome = old.resolve(x)
            assert (outcome.value.word, outcome.status) == ("old", status)
    assert warned == []
    assert type(pickle.loads(pickle.dumps(old(1)))) is type(old(1)) is sys.modules["rave_namespaces.local"].Row
    assert not loaded.done()
    assert not waiting.done()
    gate.open()
    assert loaded.result()
    assert waiting.result().find("other/answer")() == "else"
    assert served.find()(1).word == "new"


def test_pickles_name_classes_alike_in_every_generation(served: Served) -> None:
    """What old code has pickled, new code can read, as its own."""
    served.code.write(init=KEPT.format(word="old"))
    served.reload()
    old = served.find()()
    pickled = pickle.dumps(old)
    assert b"rave_namespaces.local" in pickled
    assert b"@" not in pickled
    served.code.write(init=KEPT.format(word="new"))
    served.reload()
    read = pickle.loads(pickled)
    assert (read.word, type(read)) == ("old", type(served.find()()))
    assert type(read) is not type(old)


def test_old_code_answers_but_can_not_keep_values_of_its_own_classes(served: Served) -> None:
    """Once the names of these stand for others: that is said once."""
    served.code.write(init=KEPT.format(word="old"))
    served.reload()
    old = served.find()
    served.code.write(init=KEPT.format(word="new"))
    served.reload()
    with pytest.warns(RaveWarning, match="uncached"):
        assert old(9).word == "old"


ANNOTATED = """
from __future__ import annotations
import sys, typing
{more}
from dataclasses import dataclass, fields
from rave_core import op
assert sys.modules[__name__].__dict__ is globals()
@dataclass
class Row:
    limit: typing.ClassVar[int] = 0
    {field}
typing.get_type_hints(Row)
names = [field.name for field in fields(Row)]
@op
def answer(x=0):
    return names
__export__ = {{"answer": answer}}
"""


def test_classes_of_new_code_see_their_own_module(served: Served) -> None:
    """Whoever looks for their annotations in `sys.modules` while they are made finds what only new code has."""
    served.code.write(init=ANNOTATED.format(more="", field="x: int = 1"))
    served.reload()
    more = "import typing as t\nclass New: pass"
    served.code.write(init=ANNOTATED.format(more=more, field="y: t.ClassVar[int] = 0\n    z: New | None = None"))
    assert served.reload(), served.problems
    assert served.find()() == ["z"]


def test_modules_imported_by_their_full_name_are_loaded_anew(served: Served) -> None:
    """So whatever they do when they are imported is done in each generation."""
    head = "import importlib\nnames = []\nfor each in ('a', 'b'): importlib.import_module(f'{__name__}.{each}')\n"
    body = "from . import names\nnames.append(__name__)"
    for word in ("one", "two"):
        served.code.write(init=head + ANSWER.format(word=word).replace(f"{word!r}", "names"), a=body, b=body)
        assert served.reload()
        assert served.find()(word) == ["rave_namespaces.local.a", "rave_namespaces.local.b"]


LOOKING = """
import inspect, sys
for module in list(sys.modules.values()):
    hasattr(module, "__file__")
assert inspect.getmodule(inspect.currentframe()).__dict__ is globals()
"""


def test_looking_at_all_modules_imports_none(served: Served) -> None:
    """Some libraries do, while code loads that lacks modules of the old one, or has not come to them yet."""
    served.code.write(init="from . import gone, later" + ANSWER.format(word="two"), gone="", later="")
    assert served.reload()
    served.code.file("gone").unlink()
    served.code.write(init=LOOKING + ANSWER.format(word="three"), later="1 / 0")
    assert served.reload(), served.problems
    gc.collect()
    assert len([module for module in list(sys.modules.values()) if hasattr(module, "__file__")]) > 1
    assert served.find()() == "three"


def test_namespaces_with_modules_of_one_name_do_not_meet(runtime: Runtime, tmp_path: Path) -> None:
    """Nor does a reload of one touch the other, or forget its problems."""
    codes = {name: Code(tmp_path / name) for name in ("one", "two", "bad")}
    for name, made in codes.items():
        made.write(init=LAZY.format(stop=""), words=f"word = {name!r}")
    codes["bad"].write(init="1 / 0")
    catalog = Catalog.installed({name: str(made.directory) for name, made in codes.items()})
    assert [catalog.find(f"{name}/answer")(1) for name in ("one", "two")] == ["one", "two"]
    codes["one"].write(words="word = 'changed'", init=LAZY.format(stop="pass"))
    after = catalog.with_namespace("one", str(codes["one"].directory))
    assert [after.find(f"{name}/answer")(2) for name in ("one", "two")] == ["changed", "two"]
    assert after.namespaces["two"] is catalog.namespaces["two"]
    assert [problem.name for problem in after.problems] == ["bad"]
    codes["bad"].answer("good")
    mended = after.with_namespace("bad", str(codes["bad"].directory))
    assert (mended.find("bad/answer")(), mended.problems) == ("good", [])


def test_a_link_that_is_set_elsewhere_is_followed_as_a_whole(served: Served, gate: Gate, elsewhere: Any) -> None:
    """Code that is loaded while it is set all comes from one place, and so does what that imports later."""
    link, releases = served.code.directory, {}
    for word in ("old", "new"):
        releases[word] = Code(link.with_name(word))
        releases[word].write(init="from . import data\n" + LAZY.format(stop=""), data="", words=f"word = {word!r}")
    releases["old"].write(data=gate.stop)
    link.rename(link.with_name("away"))
    link.symlink_to("old")
    loaded = elsewhere(served.reload)
    gate.wait()
    link.with_name("next").symlink_to("new")
    link.with_name("next").rename(link)
    gate.open()
    assert loaded.result()
    old = served.find()
    assert served.reload()
    assert (old(1), served.find()(2)) == ("old", "new")  # one file, so one version: other arguments


PARTS = "__all__ = ['a', 'b']"


def test_code_that_never_was_whole_is_replaced_by_better(runtime: Runtime, code: Code) -> None:
    """What loads in part is served at the start; then it is taken as long as no operation is lost by it."""
    good = ANSWER.format(word="x")
    code.write(init=PARTS, a=good, b="1 / 0")
    catalog = Catalog.installed({"local": str(code.directory)})
    first = catalog.find("local/answer")
    code.write(a=good.replace("'x'", "'y'"))
    catalog = catalog.with_namespace("local", str(code.directory))
    assert (first(), catalog.find("local/answer")(), len(catalog.problems)) == ("x", "y", 1)
    code.write(a="1 / 0", b=good.replace("answer", "other"))
    catalog = catalog.with_namespace("local", str(code.directory))
    assert catalog.find("local/answer")() == "y"
    assert "local/a" in str(catalog.problems[0])
    code.write(a=good)
    catalog = catalog.with_namespace("local", str(code.directory))
    assert (catalog.find("local/other")(), catalog.problems) == ("x", [])


def test_old_code_is_let_go(served: Served) -> None:
    """When nobody calls it any more, nothing of it is left: neither of what served, nor of what was refused."""
    others = set(sys.modules)
    served.code.write(init=KEPT.format(word="old") + "from . import part", part="x = 1")
    served.reload()
    served.find()(1)
    old = weakref.ref(served.find().function)
    part = weakref.ref(sys.modules[f"{sys.modules['rave_namespaces.local'].__spec__.name}.part"])
    assert part() is not None
    served.code.write(init=KEPT.format(word="new") + "__export__['no'] = 0")
    for _ in range(3):
        assert not served.reload()
    served.code.write(init=KEPT.format(word="new"))
    assert served.reload()
    gc.collect()
    assert (old(), part()) == (None, None)
    assert served.reload()
    gc.collect()
    assert served.reload()
    left = [name for name in sys.modules if name.startswith("local@") and name not in others]
    assert len(left) == 2  # what serves, and doors of what did before, which nobody has looked for yet
    gc.collect()
    assert len([name for name in sys.modules if name.startswith("local@") and name not in others]) == 1
    assert "rave_namespaces.local.part" not in sys.modules


def test_many_calls_and_many_reloads_go_together(runtime: Runtime, code: Code) -> None:
    """Threads that call get the answer of one generation or the next, never an error."""
    words = [f"w{number}" for number in range(30)]
    code.write(init=LAZY.format(stop=""), words="word = 'w0'")
    served, ended, wrong = Served(code), threading.Event(), list[object]()

    def call() -> None:
        x = 0
        while not ended.is_set():
            x += 1
            try:
                if (got := served.find()(x)) not in words:
                    wrong.append(got)
            except Exception as error:
                wrong.append(error)

    with using(runtime):
        threads = [threading.Thread(target=carry(call)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for word in words:
            code.write(init=LAZY.format(stop=f"{word!r}"), words=f"word = {word!r}")
            assert served.reload()
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_forked_child_serves_and_reloads(
    served: Served, gate: Gate, elsewhere: Any, tmp_path: Path, run_in_child: Callable[[Callable[[], bool]], bool]
) -> None:
    """Also one that was forked while another thread was loading."""
    served.code.write(init=gate.stop)
    loaded = elsewhere(served.reload)
    gate.wait()
    other = Code(tmp_path / "other")
    other.answer("child")

    def child() -> bool:
        catalog = served.catalog.with_namespace("other", str(other.directory))
        return bool(served.find()(3) == "one" and catalog.find("other/answer")() == "child")

    assert run_in_child(child)
    gate.open()
    assert not loaded.result()


@pytest.fixture
def run_in_child() -> Callable[[Callable[[], bool]], bool]:
    """Whether what a function gives in a forked child is true."""

    def run(ask: Callable[[], bool]) -> bool:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads, from Python 3.12 on
            child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if ask() else 2
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    return run
