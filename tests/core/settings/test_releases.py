"""Releases in the settings: what they may say, and how strong their settings are."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from rave_core.errors import ConfigurationError
from rave_core.settings import App, Settings

BOOK = """
[[release.apps]]
name = "book"
version = ">=1"
args = {shelf = 3}
config = {events = "valkey://release", lease_time = 7, plugins = {book = {pages = 5}}, documents = "sqlite:///books"}
[[release.apps]]
name = "desk"
"""


def load(directory: Path, **environ: str) -> Settings:
    """The settings in a directory."""
    environ = {"HOME": str(directory), "XDG_CONFIG_HOME": str(directory / "none"), **environ}
    return Settings.load(environ=environ, cwd=directory)


def test_its_settings_are_above_files_and_below_the_environment(tmp_path: Path) -> None:
    """Tables are merged; the origin names the app; relative paths start at the file."""
    weak = 'events = "valkey://file"\nversion = "file"\nplugins = {book = {pages = 1, color = "red"}}\n'
    (tmp_path / "rave.toml").write_text(weak + BOOK)
    settings = load(tmp_path, RAVE_LEASE_TIME="9")
    assert (settings.events, settings.version, settings.lease_time) == ("valkey://release", "file", 9.0)
    assert settings.plugins == {"book": {"pages": 5, "color": "red"}}
    assert settings.origins["events"] == "release, app book"
    assert settings.documents == f"sqlite:///{tmp_path}/books"
    assert settings.release is not None
    book, desk = settings.release
    assert (book.name, book.version, book.args, book.mult) == ("book", ">=1", {"shelf": 3}, False)
    assert desk == App("desk", directory=str(tmp_path))
    assert pickle.loads(pickle.dumps(settings)).release == settings.release


def test_it_may_be_a_file_of_its_own(tmp_path: Path) -> None:
    """Named by the settings, the environment or a switch; the strongest counts, with its settings."""
    for name, events in (("a", "valkey://a"), ("b", "valkey://b")):
        (tmp_path / name).mkdir()
        app = f'[[release.apps]]\nname = "{name}"\nconfig = {{events = "{events}", documents = "sqlite:///x"}}\n'
        (tmp_path / name / "release.toml").write_text(app)
    (tmp_path / "rave.toml").write_text('release = "a/release.toml"\n')
    assert load(tmp_path).events == "valkey://a"
    settings = load(tmp_path, RAVE_RELEASE="b/release.toml")
    assert (settings.events, settings.documents) == ("valkey://b", f"sqlite:///{tmp_path}/b/x")
    assert [app.name for app in settings.release or ()] == ["b"]


def test_what_it_hides_is_not_shown(tmp_path: Path) -> None:
    """Neither in an explanation nor in an error."""
    secret = 'config = {plugins = {book = {password = "swordfish"}}}'
    (tmp_path / "rave.toml").write_text(f'[[release.apps]]\nname = "book"\n{secret}\n')
    settings = load(tmp_path)
    assert "swordfish" not in repr(settings.explain()) + repr(settings)
    assert "'book'" in repr(settings)
    with pytest.raises(ConfigurationError) as caught:
        Settings(release={"apps": [{"name": "a", "args": {"password": "swordfish"}, "mult": 1}]})
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (7, "write a table with 'apps', or the path of a file with this table"),
        ({"app": []}, "unknown key 'app'; known: apps"),
        ({}, "write the apps as a list of tables, [[release.apps]]"),
        ({"apps": ["x"]}, "an app is 'x': write a table with its 'name'"),
        ({"apps": [{"name": ""}]}, "an app has the name ''"),
        ({"apps": [{"name": "a", "verison": "1"}]}, "unknown key 'verison'; did you mean 'version'?"),
        ({"apps": [{"name": "a", "version": "one"}]}, "the version 'one' can't be read: write one such as '1.2'"),
        ({"apps": [{"name": "a", "version": 1}]}, "'version' of app 'a' is not right: write a text"),
        ({"apps": [{"name": "a", "mult": 1}]}, "'mult' of app 'a' is not right: write true or false"),
        ({"apps": [{"name": "a", "config": {"release": {}}}]}, "'config' of app 'a' has a release"),
        ({"apps": [{"name": "a"}, {"name": "a"}]}, "app 'a' is already started; set mult = true"),
    ],
)
def test_a_wrong_release_is_refused(release: Any, said: str) -> None:
    """With what is wrong, and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        Settings(release=release)
    assert said in str(caught.value)
    assert "'release'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lease_time = 3\n[release]\napps = []", "expected the table [release] alone, and it has 'lease_time'"),
        ("", "expected the table [release] alone, and it has none"),
        ("[release", "is not valid TOML"),
        ("[release]\napps = [{}]", "an app has the name None"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    """So is one that is not there."""
    (tmp_path / "r.toml").write_text(text)
    for name, words in (("r.toml", said), ("absent.toml", "can't be read")):
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path, RAVE_RELEASE=name)
        assert words in str(caught.value)
        assert str(tmp_path / name) in str(caught.value)


def test_its_settings_are_checked_like_others(tmp_path: Path) -> None:
    """An unknown one, a wrong value, and two apps that disagree."""
    for first, second, said in (
        ("{lease_tim = 3}", "{}", "release, app a: unknown setting 'lease_tim': did you mean 'lease_time'?"),
        ("{lease_time = 'soon'}", "{}", "release, app a: 'lease_time' is 'soon'"),
        ("{plugins = {x = {y = 1}}}", "{plugins = {x = {y = 2}}}", "the apps 'a' and 'b' give 'plugins.x.y' different"),
    ):
        apps = f'[[release.apps]]\nname = "a"\nconfig = {first}\n[[release.apps]]\nname = "b"\nconfig = {second}\n'
        (tmp_path / "rave.toml").write_text(apps)
        with pytest.raises(ConfigurationError) as caught:
            load(tmp_path)
        assert said in str(caught.value)


def test_apps_accept_versions() -> None:
    """A bare version means itself."""
    assert App("a").accepts("0")
    assert App("a", "1.2").accepts("1.2")
    assert not App("a", "1.2").accepts("1.3")
    assert App("a", ">=2.0a1,<3").accepts("2.0a1")
