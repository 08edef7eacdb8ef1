from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rave_core.cli import main
from rave_core.clock import SystemClock
from rave_core.testing.clock import FakeClock
from rave_http.auth.api_keys import KeyStore

COMMAND = ("rave_http.cli.key:key", "")
SCRIPT = f"from rave_core.cli import main; main.COMMANDS['key'] = {COMMAND}; main.main()"
"""The command line with this command, however it is registered."""


@pytest.fixture
def rave(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Runs the command line in this process, in an empty directory."""
    monkeypatch.setitem(main.COMMANDS, "key", COMMAND)
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main.rave, ["key", *arguments])


def default_file() -> Path:
    """Where the keys are kept without any setting."""
    return Path(os.environ["XDG_CONFIG_HOME"]) / "rave" / "keys.json"


def listed(rave: Callable[..., Result], *arguments: str) -> list[dict[str, object]]:
    """What ``rave key list --json`` says."""
    found: list[dict[str, object]] = json.loads(rave("list", "--json", *arguments).stdout)["keys"]
    return found


def test_the_key_is_all_that_goes_to_standard_output(rave: Callable[..., Result]) -> None:
    """So that a script can take it from there; what to do with it is said elsewhere, and without it."""
    result = rave("create", "alice", "--note", "nightly job")
    assert result.exit_code == 0
    text = result.stdout.removesuffix("\n")
    assert KeyStore(default_file(), SystemClock()).find(text)
    assert result.stderr == (
        "rave: this key of 'alice' is valid until it is revoked, and not shown again; "
        "send it as 'Authorization: Bearer KEY'\n"
    )


def test_a_key_can_expire_and_be_narrowed(rave: Callable[..., Result]) -> None:
    """Lists show both, and never the key or its digest."""
    result = rave("create", "alice", "--expires", "90d", "--permission", "run", "--permission", "view")
    assert "is valid for 90 d" in result.stderr
    (found,) = listed(rave)
    assert found["permissions"] == ["view", "run"]
    assert float(str(found["expires_at"])) - float(str(found["created_at"])) == 90 * 86400
    assert set(found) == {"id", "user", "state", "permissions", "created_at", "expires_at", "revoked_at", "note"}
    table = rave("list").stdout
    assert "expires in 90 d" in table
    assert "view run" in table
    assert result.stdout.strip().split("_")[2] not in table


def test_a_list_tells_the_state_of_each_key(rave: Callable[..., Result]) -> None:
    """Sorted by user; revoked and expired ones stay in it."""
    store = KeyStore(default_file(), FakeClock(1000.0))
    store.create("carol", expires_after=60)
    store.create("alice")
    store.revoke(store.create("bob"))
    assert [(each["user"], each["state"]) for each in listed(rave)] == [
        ("alice", "valid"),
        ("bob", "revoked"),
        ("carol", "expired"),
    ]
    table = rave("list").stdout
    for words in ("never expires", "revoked ", "expired ", "as the user"):
        assert words in table


def test_an_empty_list_says_where_it_looked(rave: Callable[..., Result]) -> None:
    """On standard error; as JSON it is an empty list."""
    result = rave("list")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"There are no keys in {default_file()}.\n"
    assert listed(rave) == []


def test_a_revoked_key_is_refused_by_whoever_has_the_file_open(rave: Callable[..., Result]) -> None:
    """By its ID or by the key itself; an unknown one is bad usage."""
    clock = FakeClock()
    store = KeyStore(default_file(), clock)
    texts = [rave("create", "alice").stdout.strip() for _ in range(2)]
    clock.advance(2)
    assert all(store.find(text) for text in texts)
    identifier = texts[0].split("_")[1]
    assert rave("revoke", identifier).stdout == f"Revoked key {identifier} of 'alice'.\n"
    assert rave("revoke", texts[1]).exit_code == 0
    clock.advance(2)
    assert not any(store.find(text) for text in texts)
    result = rave("revoke", "nonsense")
    assert result.exit_code == 2
    assert "no API key has the ID 'nonsense'" in result.stderr


def test_the_file_is_that_of_the_settings_or_of_the_switch(rave: Callable[..., Result], tmp_path: Path) -> None:
    """A path in rave.toml starts there, one of the switch at the working directory."""
    (tmp_path / "rave.toml").write_text('[service]\nkeys_file = "service/keys.json"\n')
    rave("create", "alice")
    rave("create", "bob", "--keys-file", "other.json")
    assert [each["user"] for each in listed(rave)] == ["alice"]
    assert [each["user"] for each in listed(rave, "--keys-file", "other.json")] == ["bob"]
    assert (tmp_path / "service" / "keys.json").exists()
    assert not default_file().exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create"], "Missing argument 'USER'"),
        (["create", "*"], "'*' can't be a user's name"),
        (["create", "alice", "--expires", "soon"], "bad duration 'soon'"),
        (["create", "alice", "--expires", "0"], "can't be valid for 0 seconds"),
        (["create", "alice", "--permission", "veiw"], "'veiw' is not one of 'view', 'run'"),
        (["create", "alice", "--note", "a\nb"], "write one line"),
        (["list", "--keys-file", "/"], "is a directory"),
    ],
)
def test_bad_usage_is_told_in_one_line(rave: Callable[..., Result], arguments: list[str], message: str) -> None:
    """With exit code 2, and no key made."""
    result = rave(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not default_file().exists()


def test_trouble_with_the_file_is_told_in_one_line(rave: Callable[..., Result], tmp_path: Path) -> None:
    """A damaged one by every command; nothing is written over it."""
    path = tmp_path / "keys.json"
    path.write_text("{")
    path.chmod(0o600)
    for arguments in (["create", "alice"], ["list"], ["revoke", "x"]):
        result = rave(*arguments, "--keys-file", str(path))
        assert result.exit_code == 2
        assert f"keys_file {path} is damaged" in result.stderr
    assert path.read_text() == "{"


def test_commands_that_run_at_once_lose_no_key(tmp_path: Path) -> None:
    """Four processes, four keys."""
    command = [sys.executable, "-c", SCRIPT, "key", "create", "alice"]
    started = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    texts = [process.communicate(timeout=60)[0].strip() for process in started]
    store = KeyStore(default_file(), SystemClock())
    assert [process.returncode for process in started] == [0] * 4
    assert all(store.find(text) for text in texts)
