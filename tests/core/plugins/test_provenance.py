"""Plugins and namespaces that another user could have put where Python looks for packages."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path

import pytest

from rave_core.errors import RaveWarning
from rave_core.operations.catalog import Catalog
from rave_core.plugins.discovery import NAMESPACES, PLUGINS, Plugins, found_plugins, load, namespace_packages
from rave_core.plugins.provenance import doubt_of
from rave_core.settings.trust import trust

OTHER = 50002
RUNS = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
OPERATION = RUNS + "from rave_core import op\n@op\ndef a(n=1): return n\n__export__ = {'a': a}\n"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory where Python looks for packages, with a plugin that is a package and a namespace that is a module."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory, "packages")
        (place / "strange").mkdir(parents=True)
        (place / "strange/__init__.py").write_text("")
        (place / "strange/plugin.py").write_text(RUNS)
        (place / "foreign.py").write_text(OPERATION)
        info = place / "strange-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strange\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{PLUGINS}]\nodd = strange.plugin\n[{NAMESPACES}]\nabroad = foreign\n")
        for path in (place, *place.rglob("*")):
            path.chmod(path.stat().st_mode & 0o755)
        monkeypatch.setenv("XDG_CONFIG_HOME", f"{directory}/config")
        monkeypatch.syspath_prepend(str(place))
        namespace_packages.cache_clear()
        yield place
        for name in ("strange", "strange.plugin", "foreign"):
            sys.modules.pop(name, None)
    namespace_packages.cache_clear()


def given_away(*paths: Path) -> None:
    """Makes files another user's."""
    for path in paths:
        os.chown(path, OTHER, OTHER)


def refusal() -> str:
    """Why the plugin was not loaded; empty if it was."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found, problems = found_plugins(PLUGINS, ())
    assert [str(each.message) for each in told] == [str(each) for each in problems if "is refused" in each.error]
    assert ("odd" in [each.name for each in found]) is not any(each.name == "odd" for each in problems)
    return "".join(each.error for each in problems if each.name == "odd")


def test_an_own_plugin_is_loaded(place: Path) -> None:
    """From wherever it is, with its namespace."""
    assert refusal() == ""
    assert (place / "strange/ran").exists()
    assert "abroad" in Catalog.installed().namespaces
    assert namespace_packages()["foreign"] == "abroad"


@pytest.mark.parametrize(
    "name",
    [
        ".",
        "strange-1.dist-info",
        "strange-1.dist-info/entry_points.txt",
        "strange",
        "strange/__init__.py",
        "strange/plugin.py",
    ],
)
def test_a_plugin_of_another_user_does_not_run(place: Path, name: str, as_root: None) -> None:
    """Whatever of it is not ours, and until the directory is trusted."""
    given_away(place / name)
    assert str((place / name).resolve()) in refusal()
    assert "belongs to another user" in refusal()
    assert "rave config trust" in refusal()
    assert not (place / "strange/ran").exists()
    trust(str(place))
    assert refusal() == ""
    assert (place / "strange/ran").exists()


@pytest.mark.parametrize("name", ["..", ".", "strange-1.dist-info/entry_points.txt", "strange", "strange/plugin.py"])
def test_a_plugin_that_everybody_may_write_does_not_run(place: Path, name: str) -> None:
    """The directories above it included."""
    path = (place / name).resolve()
    path.chmod(path.stat().st_mode | 0o002)
    assert f"{path} may be written to by everybody" in refusal()
    assert not (place / "strange/ran").exists()


def test_a_folder_of_a_package_that_is_a_link_counts(place: Path, tmp_path: Path, as_root: None) -> None:
    """What it leads to, and what is in that."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "inner.py").write_text(RUNS)
    (place / "strange/more").symlink_to(outside)
    (outside / "round").symlink_to(place / "strange")
    assert refusal() == ""
    given_away(outside / "inner.py")
    assert "inner.py belongs to another user" in refusal()


def test_a_namespace_of_another_user_does_not_run(place: Path, as_root: None) -> None:
    """Nor does it name anything."""
    given_away(place / "foreign.py")
    with pytest.warns(RaveWarning, match="abroad"):
        catalog = Catalog.installed()
    assert "abroad" not in catalog.namespaces
    (problem,) = [each for each in catalog.problems if each.name == "abroad"]
    assert "is refused" in problem.error
    assert "belongs to another user" in problem.error
    assert not (place / "ran").exists()
    assert "foreign" not in namespace_packages()


def test_metadata_of_another_user_loads_no_module_of_ours(place: Path, as_root: None) -> None:
    """A sticky directory may be everybody's; what another user puts there is not ours."""
    place.chmod(0o1777)
    assert refusal() == ""
    sys.modules.pop("strange.plugin")
    (place / "strange/ran").unlink()
    given_away(place / "strange-1.dist-info", *(place / "strange-1.dist-info").iterdir())
    assert "strange-1.dist-info" in refusal()
    assert not (place / "strange/ran").exists()


def test_a_program_in_the_directory_of_another_user_runs_none_of_its_plugins(place: Path, as_root: None) -> None:
    """As in a notebook or at a prompt, where Python looks into the working directory."""
    given_away(place, *place.rglob("*"))
    program = "import rave_core\n@rave_core.op(name='t/a')\ndef a(n): return n + 1\nprint(a(1))"
    environ = {"PATH": os.environ["PATH"], "HOME": str(place.parent), "RAVE_CACHE": "memory://"}
    done = subprocess.run([sys.executable, "-c", program], cwd=place, env=environ, capture_output=True, text=True)
    assert done.stdout == "2\n"
    assert "odd (strange.plugin): is refused" in done.stderr
    assert not list(place.rglob("ran"))


def test_what_is_installed_beside_python_or_rave_is_taken() -> None:
    """That code runs already."""
    entries = [entry for each in distributions() for entry in each.entry_points if entry.group.startswith("rave.")]
    assert entries
    assert [doubt_of(entry) for entry in entries if entry.value.startswith("rave_")].count(None) >= len(
        Plugins.installed().found
    )


def test_an_entry_point_that_leads_nowhere_is_a_problem_of_its_own(place: Path) -> None:
    """It is not refused, but can't be loaded."""
    (place / "strange-1.dist-info/entry_points.txt").write_text(f"[{PLUGINS}]\nodd = nowhere.at.all\n")
    assert "could not be loaded" in refusal()
    assert doubt_of(EntryPoint("odd", "strange.plugin", PLUGINS)) is None
    _, problem = load(EntryPoint("odd", "nowhere", PLUGINS))
    assert problem is not None
