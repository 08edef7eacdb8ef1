"""Whose settings, code and keys are believed, with files of real users."""

from __future__ import annotations

import grp
import os
import pwd
import struct
import tempfile
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import Raw

from rave_core.cli.main import rave
from rave_core.errors import ConfigurationError, RaveWarning
from rave_core.operations.catalog import Catalog
from rave_core.settings import Settings
from rave_core.settings.trust import distrust, doubt, trust, trusted
from rave_core.storage.signature import load_key
from rave_core.system.ownership import _is_private_group, who_may_change
from rave_core.versions.source.facts_store import FactsStore

OTHER = 50002
CODE = """
from pathlib import Path
Path(__file__).with_name("ran").touch()
from rave_core import op
@op
def a(n=1): return n
__export__ = {"a": a}
"""


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of ours, with settings and a namespace; the user's own configuration beside it."""
    with tempfile.TemporaryDirectory() as directory:
        project = Path(directory, "project")
        (project / "ns").mkdir(parents=True)
        (project / "rave.toml").write_text('strict = true\n[namespaces]\nlab = "./ns"\n')
        (project / "ns/__init__.py").write_text(textwrap.dedent(CODE))
        (project / "key").write_text("k" * 40)
        (project / "key").chmod(0o600)
        for path in (project, project / "ns", project / "rave.toml", project / "ns/__init__.py"):
            path.chmod(path.stat().st_mode & 0o755)
        monkeypatch.setenv("XDG_CONFIG_HOME", f"{directory}/config")
        monkeypatch.delenv("RAVE_CONFIG", raising=False)
        yield project


def loaded(project: Path) -> Settings:
    """The settings in a directory; what was warned of is in ``left_out`` as well."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RaveWarning)
        return Settings.load(cwd=project)


def give_away(*paths: Path) -> None:
    """Makes files another user's."""
    for path in paths:
        os.chown(path, OTHER, OTHER)


@pytest.mark.parametrize("name", ["rave.toml", "."])
def test_settings_of_another_user_are_left_out_by_name(place: Path, name: str, as_root: None) -> None:
    """Whether the file or its directory is somebody else's; the message says how to take them."""
    assert loaded(place).strict
    give_away(place / name)
    settings = loaded(place)
    assert not settings.strict
    assert settings.namespaces == {}
    (told,) = settings.left_out
    assert str(place / "rave.toml") in told
    assert f"rave config trust {place}" in told
    with pytest.warns(RaveWarning, match="belongs to another user"):
        Settings.load(cwd=place)


@pytest.mark.parametrize("name", ["rave.toml", ".", "..", "ns", "ns/__init__.py"])
def test_what_everybody_may_write_is_refused(place: Path, name: str) -> None:
    """Settings and code, with all directories above them."""
    path = (place / name).resolve()
    path.chmod(path.stat().st_mode | 0o022)
    settings = loaded(place)
    directories = dict(settings.namespaces) or {"lab": str(place / "ns")}
    catalog = Catalog.installed(directories, load_error_fatal=False)
    assert bool(settings.left_out) is (not name.startswith("ns"))
    if name != "rave.toml":
        (problem,) = [each for each in catalog.problems if each.name == "lab"]
        assert "may be written to by everybody" in problem.error
        assert "rave config trust" in problem.error
        assert not (place / "ns/ran").exists()


def test_a_namespace_of_another_user_does_not_run(place: Path, as_root: None) -> None:
    """One file in it is enough; root's own and ours are fine."""
    give_away(place / "ns/__init__.py")
    catalog = Catalog.installed({"lab": str(place / "ns")}, load_error_fatal=False)
    assert "lab" not in catalog.namespaces
    assert not (place / "ns/ran").exists()
    trust(str(place))
    assert "lab" in Catalog.installed({"lab": str(place / "ns")}, load_error_fatal=False).namespaces


def test_what_the_user_names_is_taken(place: Path, monkeypatch: pytest.MonkeyPatch, as_root: None) -> None:
    """``RAVE_CONFIG`` says which file it is, so nothing was found by chance."""
    give_away(place / "rave.toml")
    monkeypatch.setenv("RAVE_CONFIG", str(place / "rave.toml"))
    assert loaded(place).strict
    assert loaded(place).left_out == ()


def test_trust_is_given_and_taken_by_command(place: Path, as_root: None) -> None:
    """It holds for a directory and all below it, for this user, until it is taken away."""
    give_away(place, place / "rave.toml")
    run = CliRunner().invoke
    assert run(rave, ["config", "trust", str(place)]).exit_code == 0
    assert loaded(place).strict
    assert run(rave, ["config", "trust", "--list"]).output.split() == [os.path.realpath(place)]
    assert run(rave, ["config", "trust", "--remove", str(place)]).exit_code == 0
    assert not loaded(place).strict
    assert run(rave, ["config", "trust", "--remove", str(place)]).exit_code == 2
    assert run(rave, ["config", "trust", str(place / "none")]).exit_code == 2
    assert run(rave, ["config", "trust"]).exit_code == 2


def test_the_list_of_another_user_counts_for_nothing(place: Path, as_root: None) -> None:
    """Nor one that others may write to."""
    trust(str(place))
    assert trusted() == [os.path.realpath(place)]
    file = Path(os.environ["XDG_CONFIG_HOME"], "rave/trusted")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o622)
    assert trusted() == []
    file.chmod(0o600)
    give_away(file)
    assert trusted() == []
    assert not distrust(str(place))


@pytest.mark.parametrize("mode", [0o602, 0o620, 0o622, 0o604, 0o660])
def test_a_key_that_others_may_change_or_all_may_read_is_refused(place: Path, mode: int) -> None:
    """By name; its group may read it."""
    key = place / "key"
    for fine in (0o400, 0o600, 0o640):
        key.chmod(fine)
        load_key(str(key))
    key.chmod(mode)
    with pytest.raises(ConfigurationError, match=str(key)):
        load_key(str(key))


@pytest.mark.parametrize("whose", ["key", ".", ".."])
def test_a_key_that_another_user_could_replace_is_refused(place: Path, whose: str, as_root: None) -> None:
    """The file and all directories above it are looked at, and a link's own place as well."""
    link = place.parent / "config"
    link.mkdir()
    (link / "key").symlink_to(place / "key")
    give_away((place / whose).resolve())
    for path in (place / "key", link / "key"):
        with pytest.raises(ConfigurationError, match="belongs to another user"):
            load_key(str(path))
    load_key(str(place / "key"), trusted=frozenset({os.path.realpath(place)}))


def test_a_directory_with_the_sticky_bit_may_be_everybodys(place: Path, as_root: None) -> None:
    """Nobody can replace what is ours in it; a link that another user laid there is not ours."""
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "mine").touch()
    (shared / "link").symlink_to(place / "key")
    assert doubt(shared / "mine") is None
    assert doubt(shared / "link") is None
    os.lchown(shared / "link", OTHER, OTHER)
    assert "belongs to another user" in str(doubt(shared / "link"))


def test_root_takes_what_belongs_to_the_user_of_sudo(
    place: Path, monkeypatch: pytest.MonkeyPatch, as_root: None
) -> None:
    """As git does; to nobody else does that variable mean anything."""
    give_away(place / "key")
    assert who_may_change(place / "key") is not None
    monkeypatch.setenv("SUDO_UID", str(OTHER))
    assert who_may_change(place / "key") is None


def acl(path: Path, *named: tuple[int, int, int]) -> None:
    """Gives a file an access control list that names others: kind (2 a user, 8 a group), permissions, number."""
    nobody = 0xFFFFFFFF
    entries = [(0x01, 7, nobody), *named, (0x04, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody)]
    packed = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *each) for each in sorted(entries))
    try:
        os.setxattr(path, "system.posix_acl_access", packed)
    except OSError as error:
        pytest.skip(f"there are no access control lists in {path}: {error.strerror}")


@pytest.mark.parametrize("kind", [0x02, 0x08])
@pytest.mark.parametrize("name", [".", "rave.toml", "ns"])
def test_what_an_access_control_list_lets_others_write_is_refused(place: Path, name: str, kind: int) -> None:
    """Its permissions look like those of the owner's own group."""
    path = (place / name).resolve()
    acl(path, (kind, 5, OTHER))
    assert doubt(path) is None
    acl(path, (kind, 7, OTHER))
    assert f"{path} may be written to by others whom its access control list names" in str(doubt(path))
    assert not (name in (".", "rave.toml") and loaded(place).strict)


def test_a_group_is_private_only_without_other_members(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others belong to it by its list of members, or because it is their first group."""
    ours, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(os.getegid())
    if ours.pw_name != group.gr_name:
        pytest.skip("this user has no group of its own")
    (place / "ns").chmod(0o775)

    def reason() -> str:
        _is_private_group.cache_clear()
        return str(who_may_change(place / "ns", above=False))

    assert reason() == "None"
    other = pwd.struct_passwd(("other", "x", OTHER, group.gr_gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwall", lambda: [ours, other])
    assert "others of its group" in reason()
    monkeypatch.undo()
    monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group((group.gr_name, "x", group.gr_gid, ["other"])))
    assert "others of its group" in reason()
    monkeypatch.undo()
    _is_private_group.cache_clear()


def test_a_link_on_the_way_that_another_user_could_turn_is_refused(place: Path, as_root: None) -> None:
    """The target is ours, and so is the first link; the second lies in somebody else's directory."""
    middle = place.parent / "middle"
    middle.mkdir()
    (middle / "link").symlink_to(place)
    (place.parent / "first").symlink_to("middle/link")
    assert doubt(place.parent / "first/rave.toml") is None
    assert doubt(place.parent / "first/../project/rave.toml") is None
    give_away(middle)
    assert f"{middle} belongs to another user" in str(doubt(place.parent / "first/rave.toml"))
    loop = place.parent / "loop"
    loop.symlink_to("loop")
    assert doubt(loop / "rave.toml") is None  # it leads nowhere, so nothing is read


def test_facts_about_code_that_another_user_may_change_are_not_believed(place: Path, as_root: None) -> None:
    """They decide which version code has."""
    store = FactsStore(place / "facts")
    store.write("a", {"x": 1})
    assert FactsStore(place / "facts").read("a")["x"] == Raw(b"1")
    give_away(place / "facts")
    other = FactsStore(place / "facts")
    assert other.read("a") == {}
    other.write("b", {"x": 2})
    assert not (place / "facts/b").exists()
