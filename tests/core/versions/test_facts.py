"""Facts about sources that other processes keep: each is decoded when it is needed, and made again if it is damaged."""

from __future__ import annotations

from pathlib import Path
from types import CodeType

import pytest

from rave_core.versions.source.facts import Facts
from rave_core.versions.source.facts_store import FactsStore

SOURCE = b"""
import random
random.seed(3)
def first(x):
    return second(x) + LIMIT
def second(x):
    return x.name
LIMIT = make(3)
"""


def codes() -> list[CodeType]:
    """The code of its two functions."""
    return [each for each in compile(SOURCE, "m.py", "exec").co_consts if isinstance(each, CodeType)]


def told(facts: Facts) -> list[object]:
    """Everything that is asked of facts."""
    first, second = codes()
    return [
        *(facts.function(code) for code in (first, second)),
        *(facts.acting_inside(code) for code in (first, second)),
        facts.statement_inside(first, 0),
        *(facts.outline, facts.acting_statements, facts.makers, facts.imported("p"), facts.assigned("LIMIT")),
        *(facts.statement(1), facts.module(), facts.class_("None")),
    ]


def stored_in(directory: Path) -> list[object]:
    """What facts of the source say, once they are stored."""
    facts = Facts(SOURCE, "m.py", False)
    found = told(facts)
    FactsStore(directory).write("a", facts.found)
    return found


def test_stored_facts_are_those_that_were_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without parsing the source again, and in any order of the questions."""
    found = stored_in(tmp_path)
    monkeypatch.setattr(Facts, "_parse", lambda _: pytest.fail("parsed again"))
    stored = Facts(SOURCE, "m.py", False, FactsStore(tmp_path).read("a"))
    assert told(stored) == found
    assert not stored.has_news


@pytest.mark.parametrize("damage", [b'{"outline":3}', b'["def first@4"]', b"{", b'{"def first@4":["\xff"]}'])
def test_damaged_facts_are_found_again(tmp_path: Path, damage: bytes) -> None:
    """Whether the whole file is damaged or one of them."""
    found = stored_in(tmp_path)
    (tmp_path / "a").write_bytes(damage)
    stored = Facts(SOURCE, "m.py", False, FactsStore(tmp_path).read("a"))
    assert told(stored) == found
    assert stored.has_news


def test_facts_that_have_no_json_are_not_stored(tmp_path: Path) -> None:
    """Such as an attribute that is named by half a character: they serve this process."""
    facts = Facts(b'def f(x):\n    return getattr(x, "\\ud800")\n', "m.py", False)
    assert facts.module() is not None
    FactsStore(tmp_path).write("a", facts.found)
    assert not list(tmp_path.iterdir())
