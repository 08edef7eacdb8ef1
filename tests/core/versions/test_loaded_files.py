"""Files that change between loading and the first call: nothing that old code made is found by new code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from rave_core.versions.loaded_files import LoadedFiles

PACKAGED = """
import statlib
from rave_core import op

@op(name="t/package")
def package(x):
    return statlib.SIZE + x
"""
PROGRAM = """
import tables, lazy
from rave_core import op

@op(name="t/computed")
def computed(x):
    return tables.looked_up(x)

@op(name="t/inside")
def inside(x):
    import lazy
    return lazy.TABLE[x]
"""
TABLES = """
TABLE = {{1: {0}}}
def looked_up(x):
    return eval("TABLE")[x]
"""
LAZY = "TABLE = {{1: {0}}}\n"
MAIN = """
import sys
import packaged, program
if "edit" in sys.argv:
    from write import write
    write(2)
for each in (packaged.package, program.computed, program.inside):
    found = each.resolve(1)
    print(each.spec.name, found.value, found.status, found.key.version)
"""
WRITE = f"""
from pathlib import Path

def write(number):
    packages = Path(__file__).parent / "site-packages"
    packages.mkdir(exist_ok=True)
    for old in packages.glob("*.dist-info"):
        (old / "METADATA").unlink()
        old.rmdir()
    metadata = packages / f"statlib-1.{{number}}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Name: statlib\\nVersion: 1.{{number}}\\n")
    (packages / "statlib.py").write_text(f"SIZE = {{number}} * 10\\n")
    Path(__file__).with_name("tables.py").write_text({TABLES!r}.format(number))
    Path(__file__).with_name("lazy.py").write_text({LAZY!r}.format(number))

if __name__ == "__main__":
    write(1)
"""


def test_what_old_code_made_after_an_edit_is_not_found_by_new_code(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """A package was upgraded, and modules that count as a whole were edited, after the process had loaded them."""
    for name, text in {"packaged": PACKAGED, "program": PROGRAM, "main": MAIN, "write": WRITE}.items():
        (tmp_path / f"{name}.py").write_text(text)
    run_python("write.py")
    path = f"{tmp_path}:{tmp_path}/site-packages"
    loaded_before = _answers(run_python("main.py", "edit", PYTHONPATH=path))
    loaded_after = _answers(run_python("main.py", PYTHONPATH=path))
    run_python("write.py")
    as_it_was = _answers(run_python("main.py", PYTHONPATH=path))
    assert [(value, status) for value, status, _ in loaded_before] == [("11", "miss"), ("1", "miss"), ("1", "miss")]
    assert [(value, status) for value, status, _ in loaded_after] == [("21", "miss"), ("2", "miss"), ("2", "miss")]
    assert [value for value, _, _ in as_it_was] == ["11", "1", "1"]
    assert as_it_was[0][1:] == ("hit", loaded_before[0][2]), "the release that was loaded counts, and not the new one"


def _answers(said: str) -> list[tuple[str, str, str]]:
    return [(value, status, version) for _, value, status, version in map(str.split, said.splitlines())]


def test_what_only_says_that_it_is_a_module_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a library does that cffi has loaded: it has no ``__dict__``."""

    class Library:
        __slots__ = ()
        __class__ = ModuleType  # type: ignore[assignment]  # which is what isinstance() goes by

    assert isinstance(Library(), ModuleType)
    monkeypatch.setitem(sys.modules, "loaded_library", Library())  # type: ignore[arg-type]  # as above
    LoadedFiles().note()
    LoadedFiles().note("loaded_library")


LATER = """
import os
from rave_core import op
from write import write

def edit():
    if "EDIT" in os.environ:
        write(2)

@op(name="t/package")
def package(x):
    edit()
    import statlib
    return statlib.SIZE + x

@op(name="t/table")
def table(x):
    edit()
    import lazy
    return lazy.TABLE[1] + x

@op(name="t/part")
def part(x):
    edit()
    from partlib import more
    return more.SIZE + x

@op(name="t/missing")
def missing(x):
    edit()
    try:
        import extra
    except ImportError:
        return x
    return extra.SIZE + x
"""
LATER_MAIN = """
import os
import sys
from write import write
write(2 if "new" in sys.argv else 1)
import partlib
import program
for operation in (program.package, program.table, program.part, program.missing):
    if os.fork():  # so that none profits from what another has noticed
        assert os.wait()[1] == 0
        if "EDIT" in os.environ:
            write(1)
        continue
    for number in range(2):
        found = operation.resolve(number)
        print(operation.spec.name, found.value, found.status, found.key.version, flush=True)
    os._exit(0)
"""
LATER_WRITE = f"""
import importlib
import shutil
from pathlib import Path

def write(number):
    packages = Path(__file__).parent / "site-packages"
    shutil.rmtree(packages, ignore_errors=True)
    for name in ("statlib", "partlib"):
        metadata = packages / f"{{name}}-1.{{number}}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Name: {{name}}\\nVersion: 1.{{number}}\\n")
        (packages / name).mkdir()
        for module in ("__init__", "more"):
            (packages / name / f"{{module}}.py").write_text(f"SIZE = {{number}} * 10\\n")
    if number == 2:
        (packages / "extra.py").write_text("SIZE = 100\\n")
    Path(__file__).with_name("lazy.py").write_text({LAZY!r}.format(number))
    importlib.invalidate_caches()
"""


def test_what_changes_before_a_function_imports_it_is_not_kept_as_what_it_was(
    tmp_path: Path, run_python: Callable[..., str]
) -> None:
    """It changes while the body runs. What is imported then is other code, whose result has no place there."""
    for file, text in {"program": LATER, "main": LATER_MAIN, "write": LATER_WRITE}.items():
        (tmp_path / f"{file}.py").write_text(text)
    path = f"{tmp_path}:{tmp_path}/site-packages"
    edited = _answers(run_python("main.py", EDIT="yes", PYTHONPATH=path))
    new, old = (_answers(run_python("main.py", how, PYTHONPATH=path)) for how in ("new", "old"))
    values = ["20", "21", "2", "3", "20", "21", "100", "101"]
    assert [value for value, _, _ in edited] == [value for value, _, _ in new] == values
    assert [status for _, status, _ in edited] == ["uncached", "miss"] * 4
    # Of the third, the process had loaded parts of two releases: it shares its results with no other.
    assert [status for _, status, _ in new] == [*["miss", "hit"] * 2, "miss", "miss", "miss", "hit"]
    assert [value for value, _, _ in old] == ["10", "11", "1", "2", "10", "11", "0", "1"]
    assert {status for _, status, _ in old} == {"miss"}


HITS_MAIN = """
import os
from write import write
write(1)
import program
operations = (program.package, program.table, program.missing)
if not os.fork():  # so that this process has loaded nothing that it asks for
    for operation in operations:
        operation(0)
    os._exit(0)
assert os.wait()[1] == 0
for number in (1, 2, 2):
    write(number)
    for operation in operations:
        found = operation.resolve(0)
        has_shortcut = operation._memo.context is not None
        print(operation.spec.name, found.value, found.status, has_shortcut, flush=True)
"""


def test_a_hit_before_a_function_imports_what_changed_is_none(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """A package is upgraded, a module edited, and a missing one installed. Once they are loaded, nobody looks again."""
    for file, text in {"program": LATER, "main": HITS_MAIN, "write": LATER_WRITE}.items():
        (tmp_path / f"{file}.py").write_text(text)
    said = run_python("main.py", PYTHONPATH=f"{tmp_path}:{tmp_path}/site-packages").splitlines()
    first, changed, again = said[:3], said[3:6], said[6:]
    assert first == ["t/package 10 hit False", "t/table 1 hit False", "t/missing 0 hit False"]
    assert changed == ["t/package 20 miss False", "t/table 2 miss False", "t/missing 100 miss False"]
    assert again == ["t/package 20 hit True", "t/table 2 hit True", "t/missing 100 hit True"]


def test_a_module_that_another_thread_loads_meanwhile_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of modules changes while it is looked at. A module may also say nonsense of its file."""

    class Changing(dict[str, object]):
        def __reversed__(self) -> Iterator[str]:
            found = super().__reversed__()
            self[f"loaded_meanwhile_{len(self)}"] = ModuleType("loaded_meanwhile")
            return found

    strange = ModuleType("strange_file")
    strange.__file__ = "\0"
    monkeypatch.setattr(sys, "modules", Changing(sys.modules | {"strange_file": strange}))
    files = LoadedFiles()
    files.note()
    files.note()
