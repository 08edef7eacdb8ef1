"""Old code goes on with what it was loaded with while new code answers."""

from __future__ import annotations

import pickle
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from rave_core import RaveWarning
from rave_core.model import Status
from rave_core.operations.catalog import Catalog
from tests.core.reloading.served_code import ANSWER, KEPT, LAZY, Code, Gate, Served


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
