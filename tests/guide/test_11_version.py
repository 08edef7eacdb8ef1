"""§11: whether the operation changed since its result was kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

LISTING = """
from rave_core import op, version

@op
{decorator}
def report(n):
    print("Executing report")
    return n * {factor}

report(3)
print(report(3))
"""


@pytest.fixture
def run(tmp_path: Path, run_python: Callable[..., str]) -> Callable[..., list[str]]:
    """Writes the listing to one and the same file and runs it; gives what it printed."""

    def write_and_run(decorator: str = "", factor: int = 2, comment: str = "") -> list[str]:
        (tmp_path / "listing.py").write_text(LISTING.format(decorator=decorator, factor=factor) + comment)
        return run_python("listing.py").splitlines()

    return write_and_run


def test_without_version_an_edit_of_the_code_invalidates(run: Callable[..., list[str]]) -> None:
    """The default looks at the code itself: a comment keeps the result, another factor makes it anew."""
    assert run() == ["Executing report", "6"]
    assert run() == ["6"]
    assert run(comment="# cosmetic\n") == ["6"]
    assert run(factor=5) == ["Executing report", "15"]


def test_by_file_even_a_cosmetic_edit_invalidates(run: Callable[..., list[str]]) -> None:
    """The nearest to the guide's own default: the defining file as it is."""
    decorator = '@version(strategy="file")'
    assert run(decorator) == ["Executing report", "6"]
    assert run(decorator) == ["6"]
    assert run(decorator, comment="# cosmetic\n") == ["Executing report", "6"]


def test_with_version_only_the_version_counts(run: Callable[..., list[str]]) -> None:
    """A versioned operation keeps its results through edits, right or wrong, until the version changes."""
    assert run('@version("20070211")') == ["Executing report", "6"]
    assert run('@version("20070211")', comment="# cosmetic\n") == ["6"]
    assert run('@version("20070211")', factor=5) == ["6"]
    assert run('@version("20070427")', factor=5) == ["Executing report", "15"]


def test_any_value_can_be_a_version(run: Callable[..., list[str]]) -> None:
    """A version need not be text."""
    assert run("@version((2007, 2, {'minor': 11}))") == ["Executing report", "6"]
    assert run("@version((2007, 2, {'minor': 12}))", comment="#\n") == ["Executing report", "6"]


def test_the_modification_time_can_still_be_chosen(run: Callable[..., list[str]]) -> None:
    """The guide's own default is there under the name ``mtime``: a later time of the same file invalidates."""
    decorator = '@version(strategy="mtime")'
    assert run(decorator) == ["Executing report", "6"]
    assert run(decorator) == ["Executing report", "6"]
