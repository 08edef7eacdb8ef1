"""The file of the keys: damaged, open to others, removed, hanging, or a link."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from rave_core.errors import ConfigurationError, UnknownNameError
from rave_core.testing.clock import FakeClock
from rave_http.auth import api_key_file, api_keys
from rave_http.auth.api_keys import KeyStore, keys_file
from rave_http.settings import ServiceSettings


def test_a_damaged_file_changes_nothing_while_the_service_runs(
    store: KeyStore, path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The keys stay valid, the log names the file once, and a mended file counts again."""
    text = store.create("alice")
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    for _ in range(5):
        clock.advance(2)
        assert store.find(text)
    assert len(caplog.records) == 1
    assert caplog.records[0].levelno == logging.ERROR
    assert str(path) in caplog.text
    path.write_bytes(good)
    other = KeyStore(path, clock).create("bob")
    clock.advance(2)
    assert store.find(other)
    assert "can be read again" in caplog.text


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1}',
        b'{"format": 1, "keys": [{"id": "0123456789ab", "user": "a", "digest": "short", "created_at": 1}]}',
        b'{"format": 1, "keys": [{"id": "../../etc/ab", "user": "a", "digest": "'
        + b"0" * 64
        + b'", "created_at": 1}]}',
        b'{"format": 2, "keys": []}',
    ],
)
def test_a_damaged_file_stops_the_start(path: Path, clock: FakeClock, content: bytes) -> None:
    """The message names the file; nothing is written over it either."""
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match=f"keys_file {path} (is damaged|was written by a later version)"):
        KeyStore(path, clock)
    with pytest.raises(ConfigurationError):
        KeyStore(path, clock, strict=False).create("alice")
    assert path.read_bytes() == content


def test_a_worker_can_start_without_its_keys(path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    """One that takes the place of another, while the file is in trouble, serves those who need none."""
    path.parent.mkdir()
    path.write_text("{")
    path.chmod(0o600)
    assert not KeyStore(path, clock, strict=False).current()
    assert f"keys_file {path} is damaged" in caplog.text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610])
def test_a_file_that_others_can_open_is_refused(store: KeyStore, path: Path, clock: FakeClock, mode: int) -> None:
    """The message says how to mend it; mended, it counts again, also in a running service."""
    text = store.create("alice")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"'chmod 600 {path}' does it"):
        KeyStore(path, clock)
    clock.advance(2)
    assert store.find(text)
    path.chmod(0o600)
    clock.advance(2)
    assert store.find(text)
    assert KeyStore(path, clock).find(text)


@pytest.mark.usefixtures("as_root")
def test_a_file_of_another_user_is_refused(store: KeyStore, path: Path, clock: FakeClock) -> None:
    """The message says whose it is, and what to do."""
    store.create("alice")
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigurationError, match=f"belongs to user 12345, not to 0.*'chown 0 {path}'"):
        KeyStore(path, clock)


def test_what_is_no_file_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    """A directory, a pipe (without waiting for a writer), and a path through a file; no descriptor is lost."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    for wrong in (tmp_path, tmp_path / "pipe", tmp_path / "file" / "keys.json"):
        with pytest.raises(ConfigurationError, match=f"keys_file {wrong} "):
            KeyStore(wrong, clock)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_removed_file_leaves_no_valid_key(
    store: KeyStore, path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """That is how all are revoked at once; the log says so."""
    text = store.create("alice")
    path.unlink()
    clock.advance(2)
    assert store.find(text) is None
    assert "no API key is valid any more" in caplog.text
    assert store.find(store.create("alice"))


def test_a_key_expires_by_the_clock_however_that_jumps(store: KeyStore, clock: FakeClock) -> None:
    """Not valid from the moment on; a clock that is set back over it makes it valid again, and lists say the same."""
    text = store.create("alice", expires_after=100)
    clock.jump(99)
    assert store.find(text)
    clock.jump(1)
    assert store.find(text) is None
    assert not store.has_valid()
    clock.jump(-50)
    assert store.find(text)
    assert store.list()[0].state(clock.now()) == "valid"


def test_a_clock_that_is_set_back_does_not_keep_revoked_keys_alive(
    store: KeyStore, path: Path, clock: FakeClock
) -> None:
    """When to look again goes by a clock that nobody sets."""
    text = store.create("alice")
    KeyStore(path, clock).revoke(text)
    clock.jump(-86400)
    clock.advance(1)
    assert store.find(text) is None


def test_a_disk_that_hangs_keeps_nobody_waiting(
    store: KeyStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one thread reads the file, the others go on with the keys as they were."""
    text = store.create("alice")
    begun, done = threading.Event(), threading.Event()

    def hang(path: Path) -> Any:
        begun.set()
        assert done.wait(30)
        return api_key_file.mark_of(path)

    monkeypatch.setattr(api_keys, "mark_of", hang)
    reader = threading.Thread(target=store.look)
    reader.start()
    assert begun.wait(30)
    clock.advance(10)
    assert store.find(text)
    done.set()
    reader.join()


def test_a_link_to_the_file_stays_a_link(tmp_path: Path, clock: FakeClock) -> None:
    """What it leads to is replaced."""
    (tmp_path / "link").symlink_to(tmp_path / "file")
    text = KeyStore(tmp_path / "link", clock).create("alice")
    assert (tmp_path / "link").is_symlink()
    assert KeyStore(tmp_path / "file", clock).find(text)


@pytest.mark.parametrize(
    "user", ["", " alice", "alice ", "a\nb", "a\x1b[2Jb", "a\u202eb", "*", "-", "anonymous", "x" * 201]
)
def test_a_user_has_a_name_that_can_be_written(store: KeyStore, path: Path, user: str) -> None:
    """Nothing that breaks a line or a terminal, and no word of the settings."""
    with pytest.raises(ConfigurationError, match="user's name"):
        store.create(user)
    assert not path.exists()


def test_a_key_that_would_be_of_no_use_is_not_made(store: KeyStore, path: Path) -> None:
    """An unknown permission, no time to be valid, or a note of several lines."""
    with pytest.raises(UnknownNameError, match=r"no permission is called 'veiw'; did you mean 'view'\?"):
        store.create("alice", permissions=["veiw"])
    with pytest.raises(ConfigurationError, match="can't be valid for 0 seconds"):
        store.create("alice", expires_after=0)
    with pytest.raises(ConfigurationError, match="one line of printable characters"):
        store.create("alice", note="a\nb")
    assert not path.exists()


def test_revoking_takes_the_id_or_the_key(store: KeyStore, clock: FakeClock) -> None:
    """Revoked twice, the first time stays; an unknown one is an error that names the nearest."""
    text = store.create("alice")
    first = store.revoke(text)
    clock.advance(60)
    assert store.revoke(first.id).revoked_at == first.revoked_at == clock.now() - 60
    with pytest.raises(UnknownNameError, match=f"did you mean '{first.id}'"):
        store.revoke(first.id[:-1])


def test_the_file_is_in_the_directory_of_the_users_settings(tmp_path: Path) -> None:
    """Unless a setting names another."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert keys_file(ServiceSettings(), environ) == tmp_path / "rave" / "keys.json"
    assert keys_file(ServiceSettings(keys_file=tmp_path / "other"), environ) == tmp_path / "other"
