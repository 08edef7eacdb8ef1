"""Settings: what they accept, where they come from, and how they refuse."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core.errors import ConfigurationError, RaveWarning
from rave_core.settings import Settings
from rave_core.settings.kinds import Setting
from rave_core.settings.settings import known_settings, variable_of

Load = Callable[..., Settings]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project directory."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def load(tmp_path: Path, project: Path) -> Load:
    """Loads settings in the project, for a user whose directories are empty."""

    def load(overrides: dict[str, object] | None = None, cwd: Path = project, **variables: str) -> Settings:
        home = {"XDG_CONFIG_HOME": f"{tmp_path}/config", "XDG_CACHE_HOME": f"{tmp_path}/cache"}
        return Settings.load(environ=home | variables, cwd=cwd, overrides=overrides)

    return load


def write(path: Path, text: str) -> Path:
    """Writes a file, with its directories."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# The object


def test_the_constructor_converts_what_it_is_given(tmp_path: Path) -> None:
    """Lists become tuples, durations seconds, a single URL or path a tuple of one URL."""
    settings = Settings(cache=["memory://"], products=tmp_path / "a b", data_expire_after="2h30m", lease_time=20)
    assert settings.cache == ("memory://",)
    assert settings.products == (f"file://{tmp_path}/a%20b",)
    assert settings.data_expire_after == 9000.0
    assert settings.lease_time == 20.0
    assert Settings(cache="memory://").cache == ("memory://",)


def test_the_defaults_lie_in_the_users_cache_directory(load: Load, tmp_path: Path) -> None:
    """Memory over files for values, files for products."""
    settings = load()
    assert [url.partition("?")[0] for url in settings.cache] == ["memory://", f"file://{tmp_path}/cache/rave/data"]
    assert [url.partition("?")[0] for url in settings.products] == [f"file://{tmp_path}/cache/rave/products"]
    assert Settings(cache=settings.cache, products=settings.products) == settings


def test_settings_can_not_be_changed() -> None:
    """They are frozen."""
    with pytest.raises(AttributeError):
        Settings().strict = True  # type: ignore[misc]  # that is the test


def test_settings_keep_no_reference_to_what_they_were_given() -> None:
    """A table that the caller changes later does not change the settings."""
    table = {"roots": ["/a"]}
    settings = Settings(plugins={"flow": table})
    table["roots"].append("/b")
    assert settings.plugins == {"flow": {"roots": ["/a"]}}


def test_settings_survive_pickling() -> None:
    """A worker process can be handed its settings."""
    settings = Settings(cache="memory://", plugins={"flow": {"n": 1}}, strict=True)
    copied = pickle.loads(pickle.dumps(settings))
    assert copied == settings
    assert copied.origins == settings.origins


def test_origins_count_neither_for_equality_nor_for_the_text() -> None:
    """Two ways to the same values give equal settings, and the text shows what is not the default."""
    assert Settings() == Settings(strict=False)
    assert Settings().origins["strict"] == "default"
    assert Settings(strict=False).origins["strict"] == "given"
    assert repr(Settings(strict=True)) == "Settings(strict=True)"


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ({"strict": "yes"}, "true or false"),
        ({"cache": 3}, "URLs such as"),
        ({"cache": []}, "at least one"),
        ({"cache": ["/var/cache"]}, "file:///var/cache/rave"),
        ({"products": "file://cache/x"}, "file:///cache/x, file://~/cache/x or file://./cache/x"),
        ({"data_purge_every": 0}, "more than 0 seconds"),
        ({"products_grace": "1w"}, "'w' in '1w' is not a unit"),
        ({"data_expire_after": []}, "2h30m"),
        ({"version": ""}, "a name, not empty"),
        ({"signing_key_file": ""}, "the path of a file"),
        ({"old_signing_key_files": [1]}, "a list of paths"),
        ({"plugins": {"flow": 1}}, "[plugins.NAME]"),
        ({"plugins": ["flow"]}, "[plugins.NAME]"),
        ({"disabled_plugins": [""]}, "a list of names"),
        ({"namespaces": {"": "/x"}}, "a table of names and directories"),
        ({"namespaces": "/x"}, "a table of names and directories"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_what_is_right(given: dict[str, Any], right: str) -> None:
    """The error names the setting and says what to write, from the constructor as from a source."""
    for keywords, make in ((given, Settings), ({"environ": {}, "overrides": given}, Settings.load)):
        with pytest.raises(ConfigurationError) as caught:
            make(**keywords)
        assert repr(next(iter(given))) in str(caught.value)
        assert right in str(caught.value)


def test_a_heartbeat_over_half_of_the_lease_is_refused(load: Load) -> None:
    """The error names both settings and where each came from; exactly half is right."""
    with pytest.raises(ConfigurationError, match=r"5 \(given\).* 8 \(given\).*at most half of the lease, 4 here"):
        Settings(lease_time=8, lease_heartbeat=5)
    with pytest.raises(ConfigurationError, match=r"5 \(given\).* 8 \(environment RAVE_LEASE_TIME\)"):
        load({"lease_heartbeat": 5}, RAVE_LEASE_TIME="8s")
    assert Settings(lease_time=10, lease_heartbeat=5).heartbeat == 5.0


def test_a_heartbeat_is_a_third_of_the_lease() -> None:
    """Where it is not given, so that one setting is enough to change both."""
    assert (Settings().lease_time, Settings().heartbeat) == (15.0, 5.0)
    assert Settings(lease_time=3).heartbeat == 1.0


# Sources


def test_each_source_is_stronger_than_the_one_before(load: Load, tmp_path: Path, project: Path) -> None:
    """Defaults, the user's file, the project's file, variables, overrides; origins tell which one won."""
    user = write(
        tmp_path / "config/rave/rave.toml", 'version = "mtime"\nstrict = true\nlease_time = 20\ndata_only = true'
    )
    own = write(project / "rave.toml", "strict = false\nlease_time = 30\ndata_only = false")
    settings = load({"data_only": True}, RAVE_LEASE_TIME="40", RAVE_DATA_ONLY="no")
    assert (settings.version, settings.strict, settings.lease_time, settings.data_only) == ("mtime", False, 40.0, True)
    assert settings.origins["version"] == f"rave.toml:{user}"
    assert settings.origins["strict"] == f"rave.toml:{own}"
    assert settings.origins["lease_time"] == "environment RAVE_LEASE_TIME"
    assert settings.origins["data_only"] == "given"
    assert settings.origins["cache"] == "default"


def test_the_nearest_file_above_wins(load: Load, project: Path) -> None:
    """The search goes upwards, takes rave.toml before pyproject.toml, and passes those that are not ours."""
    write(project / "pyproject.toml", '[tool.rave]\nversion = "outer"')
    write(project / "a/pyproject.toml", '[tool.other]\nname = "rave"')
    write(project / "a/b/broken/pyproject.toml", "[[[")
    assert load(cwd=project / "a/b/broken").version == "outer"
    write(project / "rave.toml", 'version = "nearer"')
    assert load(cwd=project / "a/b").version == "nearer"


def test_rave_config_names_the_file_instead_of_the_search(load: Load, tmp_path: Path, project: Path) -> None:
    """The project's file is then not read, and a missing one is an error."""
    write(project / "rave.toml", "strict = true")
    write(tmp_path / "other.toml", "data_only = true")
    settings = load(RAVE_CONFIG="../other.toml")
    assert (settings.strict, settings.data_only) == (False, True)
    with pytest.raises(ConfigurationError, match=r"RAVE_CONFIG: no file '.*/absent.toml': name one, or unset it"):
        load(RAVE_CONFIG=f"{tmp_path}/absent.toml")


def test_paths_in_a_file_start_at_its_directory(load: Load, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``./`` is the file's directory, wherever one works, and ``~`` the home directory; options stay."""
    monkeypatch.setenv("HOME", "/home/me")
    write(
        project / "rave.toml",
        'cache = ["memory://", "file://./data?durable=true"]\nproducts = "file://~/x%20y"\n'
        'signing_key_file = "keys/now"\n[namespaces]\nlocal = "../ns"\n',
    )
    (project / "deep").mkdir()
    settings = load(cwd=project / "deep")
    assert settings.cache == ("memory://", f"file://{project}/data?durable=true")
    assert settings.products == ("file:///home/me/x%20y",)
    assert settings.signing_key_file == f"{project}/keys/now"
    assert settings.namespaces == {"local": f"{project.parent}/ns"}


def test_tables_of_two_files_are_joined(load: Load, tmp_path: Path, project: Path) -> None:
    """The project overlays the user's tables key by key, and the origin names both files."""
    user = write(tmp_path / "config/rave/rave.toml", "[plugins.flow]\nroot = '/u'\nthreads = 2\n[plugins.a]\nx = 1")
    own = write(project / "rave.toml", "[plugins.flow]\nroot = '/p'")
    settings = load()
    assert settings.plugins == {"flow": {"root": "/p", "threads": 2}, "a": {"x": 1}}
    assert settings.origins["plugins"] == f"rave.toml:{user}, rave.toml:{own}"


@pytest.mark.parametrize("name", [name for name, setting in known_settings().items() if setting.in_environment])
def test_every_setting_but_tables_has_a_variable(load: Load, name: str, project: Path) -> None:
    """The variable is RAVE_ and the name in capitals."""
    texts = {"Flag": "on", "Duration": "7s", "OptionalDuration": "never", "URLs": "memory:// file:///x", "Word": "w"}
    texts["DocumentsURL"] = "sqlite:////k"
    texts["Choice"] = "name"  # of `version_packages`
    texts["Release"] = str(write(project / "release.toml", "[release]\napps = []"))
    kind = type(vars(Settings)[name]).__name__
    settings = load(
        {"lease_heartbeat": "1s"} if name == "lease_time" else None, **{variable_of(name): texts.get(kind, "/k")}
    )
    assert settings.origins[name] == f"environment {variable_of(name)}"


def test_lists_in_variables_are_separated_as_is_usual(load: Load) -> None:
    """URLs and names by blanks, paths by colons; an empty variable counts as unset."""
    settings = load(
        RAVE_CACHE="memory://  file:///x",
        RAVE_DISABLED_PLUGINS="a b",
        RAVE_OLD_SIGNING_KEY_FILES="/a b:/c",
        RAVE_PRODUCTS="",
    )
    assert settings.cache == ("memory://", "file:///x")
    assert settings.disabled_plugins == ("a", "b")
    assert settings.old_signing_key_files == ("/a b", "/c")
    assert settings.origins["products"] == "default"


# Refusals


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("chache = ['memory://']", "unknown setting 'chache': did you mean 'cache'?"),
        ("strict = 'yes'", "'strict' is 'yes': write true or false"),
        ("strict = true\ncache = memory", "at line 2"),
        ("data_expire_after = '2h30x'", "'x' in '30x' is not a unit"),
    ],
)
def test_a_mistake_in_a_file_names_the_file_and_what_is_right(load: Load, project: Path, text: str, right: str) -> None:
    """Whoever made it knows where to look and what to write."""
    path = write(project / "rave.toml", text)
    with pytest.raises(ConfigurationError) as caught:
        load()
    assert str(path) in str(caught.value)
    assert right in str(caught.value)


def test_a_table_that_is_none_is_refused(load: Load, project: Path) -> None:
    """``tool.rave`` must be a table."""
    write(project / "pyproject.toml", "[tool]\nrave = 3")
    with pytest.raises(ConfigurationError, match=r"'tool.rave' is 3: write a table"):
        load()


@pytest.mark.parametrize(("variable", "meant"), [("RAVE_CACHES", "RAVE_CACHE"), ("RAVE_PRODUCT", "RAVE_PRODUCTS")])
def test_a_misspelt_variable_is_refused(load: Load, variable: str, meant: str) -> None:
    """A variable near to a known one names that one."""
    with pytest.raises(ConfigurationError, match=rf"{variable}: unknown variable: did you mean {meant}\?"):
        load(**{variable: "memory://"})


def test_a_variable_of_something_else_is_listed_as_ignored(load: Load) -> None:
    """Other programs may use RAVE_ too; the known ones are not listed."""
    settings = load(RAVE_REVIEW_CHANNEL="x", RAVE_STRICT="1", RAVING="x")
    assert settings.ignored_variables == ("RAVE_REVIEW_CHANNEL",)


def test_a_wrong_variable_names_itself(load: Load) -> None:
    """The error says which variable, and that tables need a file."""
    with pytest.raises(ConfigurationError, match="environment RAVE_STRICT: 'strict' is 'maybe': write true or false"):
        load(RAVE_STRICT="maybe")
    with pytest.raises(ConfigurationError, match=r"RAVE_PLUGINS: 'plugins' needs a table: write it in rave.toml"):
        load(RAVE_PLUGINS="a")


def test_an_unknown_override_is_refused(load: Load) -> None:
    """The nearest known name is offered."""
    with pytest.raises(ConfigurationError, match="given: unknown setting 'stricct': did you mean 'strict'"):
        load({"stricct": True})


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_that_a_stranger_laid_above_us_is_refused(load: Load, project: Path) -> None:
    """In a directory where all may write, another user's file could choose whose pickles we load."""
    path = write(project / "rave.toml", "strict = true")
    os.chown(path, 12345, 12345)
    project.chmod(0o1777)
    with pytest.warns(RaveWarning, match=r"belongs to another user.*rave config trust"):
        assert not load().strict
    assert load(RAVE_CONFIG=str(path)).strict


# Telling


def test_explain_tells_every_setting_and_hides_secrets() -> None:
    """Names, values and origins in order; passwords in URLs and tables are not shown, names of key files are."""
    settings = Settings(
        cache="s3://me:hunter2@bucket/x?secret_access_key=hunter2&region=eu",
        signing_key_file="/keys/now",
        plugins={"flow": {"root": "/x", "api_token": "hunter2", "db": ["pg://u:hunter2@h/d"]}},
    )
    rows = settings.explain()
    assert [name for name, _, _ in rows] == list(known_settings())
    assert "hunter2" not in str(rows) + repr(settings)
    told = {name: value for name, value, _ in rows}
    assert told["cache"] == ("s3://***@bucket/x?secret_access_key=***&region=eu",)
    assert told["signing_key_file"] == "/keys/now"
    assert told["plugins"] == {"flow": {"root": "/x", "api_token": "***", "db": ["pg://***@h/d"]}}
    assert json.dumps(told)


def test_every_setting_is_described() -> None:
    """The docstring names each, so that the reference can be made from it."""
    described = Settings.__doc__ or ""
    assert [name for name in known_settings() if not re.search(rf"^\s+{name}: ", described, re.MULTILINE)] == []
    assert isinstance(Settings.strict, Setting)


def test_platformdirs_is_not_imported_until_it_is_needed() -> None:
    """Importing settings, and making one whose stores are given, does without."""
    code = "import sys; from rave_core.settings import Settings; Settings(cache='memory://', products='memory://')"
    code += "; sys.exit('platformdirs' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_working_directory_that_was_removed_costs_no_answer(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """Settings and stores are those of the place where it was."""
    (tmp_path / "project" / "removed").mkdir(parents=True)
    (tmp_path / "project" / "rave.toml").write_text('cache = "memory://"\nlease_time = 77\n')
    out = run_python(
        "-c",
        "import os; os.rmdir(os.getcwd())\nfrom rave_core import op\n"
        "from rave_core.settings import Settings\n"
        "@op\ndef twice(n): return n * 2\n"
        "print(twice(3), Settings.load().lease_time, os.path.basename(Settings(cache='file:///c').cache[0]))",
        cwd=tmp_path / "project" / "removed",
    )
    assert out.split() == ["6", "77.0", "c"]
