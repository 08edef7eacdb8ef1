"""Modules of reloaded namespaces: found by their names, apart from each other, let go in the end."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from pathlib import Path
from typing import Any

from rave_core import Runtime, carry, using
from rave_core.operations.catalog import Catalog
from tests.core.forks import in_child
from tests.core.reloading.served_code import ANSWER, KEPT, LAZY, Code, Gate, Served

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


def test_a_forked_child_serves_and_reloads(served: Served, gate: Gate, elsewhere: Any, tmp_path: Path) -> None:
    """Also one that was forked while another thread was loading."""
    served.code.write(init=gate.stop)
    loaded = elsewhere(served.reload)
    gate.wait()
    other = Code(tmp_path / "other")
    other.answer("child")

    def child() -> bool:
        catalog = served.catalog.with_namespace("other", str(other.directory))
        return bool(served.find()(3) == "one" and catalog.find("other/answer")() == "child")

    assert in_child(child)
    gate.open()
    assert not loaded.result()
