"""On the command line an argument is converted once, as it is everywhere else (R13, R16)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

SCALES = '''
import rave_core
from rave_core import list_of, op, typemap

asked = []

def doubled(value):
    asked.append(value)
    return int(value) * 2

def metres(value):
    if not isinstance(value, str):
        raise ValueError("expected text")
    asked.append(value)
    return int(value.removesuffix("km")) * 1000

@op(version=1)
@typemap(doubled, list_of(doubled), distance=metres)
def scaled(n, *rest, distance=None, **others):
    """Converted arguments."""
    return [n, list(rest), distance, others]

@op(version=1)
@typemap(doubled)
async def later(n):
    """The same by a coroutine."""
    return n

__export__ = {"scaled": scaled, "later": later}
'''


@pytest.fixture
def scales(bare_shell: Any) -> Any:
    """The command line with the namespace ``scales``."""
    bare_shell.install("scales", SCALES, "[rave.namespaces]\nscales = scales\n")
    return bare_shell


def asked() -> list[Any]:
    """What the converters were asked since the last look."""
    import sys

    module: Any = sys.modules["scales"]
    found = list(module.asked)
    module.asked.clear()
    return found


ARGUMENTS = ("3", "1,2", "distance=2km", "other=5")
VALUE = [6, [[2, 4]], 2000, {"other": 5}]


def test_run_explain_and_plan_convert_once_and_agree(scales: Callable[..., Any]) -> None:
    """One key, that of the call in Python; each text is converted once, whatever is asked of the call."""
    texts = ["3", "1", "2", "2km"]
    planned = json.loads(scales("plan", "scales/scaled", *ARGUMENTS, "--json").stdout)
    assert sorted(asked()) == sorted(texts)
    explained = json.loads(scales("explain", "scales/scaled", *ARGUMENTS, "--json").stdout)
    assert (explained["status"], sorted(asked())) == ("miss", sorted(texts))
    assert json.loads(scales("run", "scales/scaled", *ARGUMENTS).stdout) == VALUE
    assert sorted(asked()) == sorted(texts)
    kept = json.loads(scales("explain", "scales/scaled", *ARGUMENTS, "--json").stdout)
    assert kept["status"] == "hit"
    assert kept["key"] == explained["key"] == planned["steps"][0]["key"]

    import scales as module  # type: ignore[import-not-found]  # installed by the fixture

    assert module.scaled.key(3, [1, 2], distance="2km", other=5).text == kept["key"]


def test_a_coroutine_is_asked_with_what_was_converted_once(scales: Callable[..., Any]) -> None:
    """The same holds for an operation whose body is a coroutine function, and for a refresh."""
    assert scales("run", "scales/later", "n=3").stdout == "6\n"
    assert scales("run", "scales/later", "n=3", "--refresh").stdout == "6\n"
    assert scales("run", "scales/later", "n=3", "--dry-run").stdout == "6\n"
    assert asked() == ["3", "3", "3"]


def test_an_option_of_a_call_is_no_argument(scales: Callable[..., Any]) -> None:
    """Where any name is taken, one that starts with ``rave_`` is an option still, and an unknown one is refused."""
    assert json.loads(scales("run", "scales/scaled", "3", "rave_refresh=true").stdout) == [6, [], None, {}]
    wrong = scales("run", "scales/scaled", "3", "rave_fresh=true")
    assert wrong.exit_code == 2
    assert "unknown option 'rave_fresh'; did you mean 'rave_refresh'?" in wrong.stderr
    assert "'rave_refresh' is one too many" in scales("plan", "scales/scaled", "3", "rave_refresh=true").stderr
