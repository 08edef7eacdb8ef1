"""None"""

from __future__ import annotations

import hmac
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rave_core.testing.clock import FakeClock
from rave_http.auth import api_key_file, api_keys
from rave_http.auth.api_keys import KeyStore

MAKER = """
import sys
from rave_core.clock import SystemClock
from rave_http.auth.api_keys import KeyStore

print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    print(KeyStore(sys.argv[1], SystemClock()).create(sys.argv[2]))
"""


HOLDER = """
import sys
from rave_http.auth.api_key_file import locked

with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Runs a script in a process of its own, and waits for its first line."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def test_a_key_is_found_by_its_text(store: KeyStore, clock: FakeClock) -> None:
    """With its user, its note, and what it was narrowed to."""
    text = store.create("alice", note="laptop", permissions=["view"])
    found = store.find(text)
    assert found is not None
    assert (found.user, found.note, found.permissions) == ("alice", "laptop", frozenset({"view"}))
    assert found.created_at == clock.now()
    assert text.split("_")[:2] == ["rave", found.id]


def test_a_user_has_several_keys(store: KeyStore) -> None:
    """Each is found, and each is revoked for itself."""
    texts = [store.create("alice") for _ in range(3)]
    store.revoke(texts[1].split("_")[1])
    assert [store.find(text) is not None for text in texts] == [True, False, True]
    assert len(store.list()) == 3


def test_the_file_holds_no_key(store: KeyStore, path: Path) -> None:
    """Whoever reads a copy of it can use none of them."""
    secret = store.create("alice").split("_")[2]
    assert secret not in path.read_text()


def test_only_its_owner_can_read_the_file(store: KeyStore, path: Path) -> None:
    """File 0600 and directory 0700, whatever the umask."""
    before = os.umask(0)
    try:
        store.create("alice")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "wrong", ["", "rave_", "x" * 10_000_000, "rave_a_b", "é" * 82, "\udcff" * 82, "rave_" + "_" * 77]
)
def test_no_text_but_the_key_itself_finds_it(store: KeyStore, wrong: str) -> None:
    """Neither garbage nor the ID with another secret, however long."""
    text = store.create("alice")
    assert store.find(wrong) is None
    assert store.find(text[:-1] + ("0" if text[-1] != "0" else "1")) is None
    assert store.find(text + "0") is None
    assert store.find(text.upper()) is None
    assert store.find(f"rave_{'0' * 12}_{text[-64:]}") is None


def test_secrets_are_compared_in_constant_time(store: KeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each question, whether the ID is known or not, so that time tells neither."""
    compared = []

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return one == other

    text = store.create("alice")
    monkeypatch.setattr(hmac, "compare_digest", compare)
    for asked in (text, f"rave_{text.split('_')[1]}_{'0' * 64}", f"rave_{'0' * 12}_{'0' * 64}"):
        compared.clear()
        store.find(asked)
        assert len(compared) == 1
        assert all(len(digest) == 64 for digest in compared[0])


def test_processes_that_make_keys_at_once_lose_none(path: Path, clock: FakeClock) -> None:
    """All keys of both are valid."""
    makers = [start(MAKER, path, user) for user in ("alice", "bob")]
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("\n")
        maker.stdin.flush()
    texts = "".join(maker.communicate(timeout=60)[0] for maker in makers).split()
    store = KeyStore(path, clock)
    assert len(texts) == 40
    assert all(store.find(text) for text in texts)


def test_a_process_that_dies_leaves_no_lock(path: Path, store: KeyStore) -> None:
    """Nor does the half-written file of a crash get in the way."""
    path.parent.mkdir()
    holder = start(HOLDER, f"{path}.lock")
    Path(f"{path}.new").write_text("half a fi")
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert store.find(store.create("alice"))
    assert not Path(f"{path}.new").exists()


def test_a_key_that_is_revoked_elsewhere_is_refused_a_second_later(
    store: KeyStore, path: Path, clock: FakeClock
) -> None:
    """A running service need not be told, and does not read the file for every request."""
    text = store.create("alice")
    KeyStore(path, clock).revoke(text)
    assert store.find(text)
    clock.advance(1)
    assert store.find(text) is None


def test_an_unchanged_file_is_not_read_again(
    store: KeyStore, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at once a second, however many ask."""
    store.create("alice")
    looked: list[Path] = []

    def look(path: Path) -> api_key_file.Mark:
        looked.append(path)
        return api_key_file.mark_of(path)

    monkeypatch.setattr(api_keys, "read", lambda path: pytest.fail("it was read"))
    monkeypatch.setattr(api_keys, "mark_of", look)
    for _ in range(20):
        clock.advance(0.25)
        store.current()
    assert len(looked) == 5
