"""What `explain` says of versions: which code changed, and what is not tracked."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rave_core import Runtime, using
from rave_core.versions.manifests import Manifests
from tests.core.forks import in_child
from tests.core.versions.programs import loaded

PROGRAM = """
from rave_core import op
import other
LIMIT = 3
TABLE = {'a': 1}
@op
def f(x):
    return other.g(x) + LIMIT + TABLE['a'] + eval('1')
"""
OTHER = "def g(x):\n    return x + 1\n"


@pytest.fixture(autouse=True)
def _source(make_runtime: Callable[..., Runtime], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Versions are those of the code that is reached."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    with using(make_runtime(version="source")):
        yield


def test_a_miss_names_what_changed_in_the_code(tmp_path: Path) -> None:
    """Values with both of them, code by its name, and nothing that stayed."""
    with loaded(tmp_path / "a", {"program.py": PROGRAM, "other.py": OTHER}) as program:
        program.f(1)
    edited = PROGRAM.replace("LIMIT = 3", "LIMIT = 4")
    with loaded(tmp_path / "b", {"program.py": edited, "other.py": OTHER.replace("+ 1", "+ 2")}) as program:
        said = str(program.f.explain(1))
    assert "the operation changed since" in said
    assert "  program.LIMIT 3 → 4\n" in said
    assert "  other:g changed\n" in said
    assert "program:f " not in said
    assert "TABLE" not in said


def test_what_is_not_tracked_is_listed(tmp_path: Path) -> None:
    """With the reason, also for a hit; and all that counts is there to look at."""
    with loaded(tmp_path, {"program.py": PROGRAM, "other.py": OTHER}) as program:
        program.f(1)
        found = program.f.explain(1)
    assert found.status == "hit"
    assert "  not tracked: program:f: eval (what it leads to is known only when it runs" in str(found)
    assert {"program:f", "other:g", "program.LIMIT", "program.TABLE"} <= found.closure.keys()
    assert found.closure["program.LIMIT"] == "3"


def test_code_that_can_not_be_looked_at_counts_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is answered, and explain says so."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr("rave_core.versions.source.closure._walked", fail)
    with loaded(tmp_path, {"program.py": PROGRAM, "other.py": OTHER}) as program:
        assert program.f(1) == 7
        said = str(program.f.explain(1))
    assert "ZeroDivisionError: inside; the content of the defining file counts" in said
    assert program.f.resolve(1).entry.version_note == "file"


USING_A_LIBRARY = """
import sys
import statlib
from rave_core import Runtime, Settings, op, using

@op(name="t/mean")
def mean(x):
    return statlib.mean(x)

for counts in ("name", "release"):
    with using(Runtime(Settings(cache=sys.argv[1], version_packages=counts))):
        found = mean.explain(1)
        print(found.status, *found.releases, sep="; ")
        print(dict(mean.resolve(1).entry.packages))
"""


def test_releases_of_packages_are_recorded_and_compared(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """For a hit, and for a miss of another user, whose cache has no manifest of the version before."""
    (tmp_path / "main.py").write_text(USING_A_LIBRARY)
    said = []
    for release in ("1.0", "1.1"):
        library = tmp_path / release / "site-packages"
        (library / "statlib.dist-info").mkdir(parents=True)
        (library / "statlib.dist-info" / "METADATA").write_text(f"Name: statlib\nVersion: {release}\n")
        (library / "statlib.py").write_text("def mean(x):\n    return x\n")
        environment = {"PYTHONPATH": str(library), "XDG_CACHE_HOME": str(tmp_path / f"user-{release}")}
        said.append(run_python("main.py", f"file://{tmp_path}/data", **environment).splitlines())
    old, new = "{'statlib': '1.0'}", "{'statlib': '1.1'}"
    assert said[0] == ["miss", old, "miss", old]
    assert said[1] == ["hit; made with statlib 1.0, now 1.1", old, "miss; made with statlib 1.0, now 1.1", new]


def test_a_manifest_that_is_damaged_says_nothing(tmp_path: Path) -> None:
    """Whatever it holds: what is no text by text is not used."""
    kept = Manifests()
    kept.directory = tmp_path / "manifests"
    kept.write("t/f", "v1", {"a:f": "1"})
    assert kept.read("t/f", "v1") == {"a:f": "1"}
    (file,) = kept.directory.iterdir()
    for damaged in ("{", "[]", '{"a:f": 1}'):
        file.write_text(damaged)
        assert kept.read("t/f", "v1") is None


def test_users_of_one_directory_do_not_believe_each_others_manifests(as_root: None) -> None:
    """Nor stand in each other's way: one that root left there unreadable is replaced."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        kept = Manifests()
        kept.directory = Path(place, "manifests")
        kept.write("t/f", "v1", {"a:f": "1"})
        os.chown(kept.directory, 50002, -1)
        assert in_child(lambda: os.setuid(50002) is None and _is_written_again(kept.directory))
        anew = Manifests()
        anew.directory = kept.directory
        assert anew.read("t/f", "v1") is None


def _is_written_again(directory: Path | None) -> bool:
    """Whether this user, who can't read what is there, has a manifest of the own afterwards."""
    anew = Manifests()
    anew.directory = directory
    before = anew.read("t/f", "v1")
    anew.write("t/f", "v1", {"a:f": "2"})
    return before is None and anew.read("t/f", "v1") == {"a:f": "2"}
