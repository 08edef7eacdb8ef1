"""Text of others on a terminal: what entries, settings and results say can't act on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rave_core.cli import output
from rave_core.model import Entry
from rave_core.settings import Settings
from rave_core.storage.frame import pack
from rave_core.storage.signature import Signer

ORDER = "\x1b]0;title\x07\x9b5m\u202e"
KEY = "lab/add/aaaaaaaaaaaaaaaa/xforged"


@pytest.fixture
def forged(tmp_path: Path) -> str:
    """The URL of a store in which somebody without a key left an entry full of orders to a terminal."""
    leaf = tmp_path / "store/lab/add/aaaaaaaaaaaaaaaa/x"
    leaf.mkdir(parents=True)
    entry = Entry(
        key=KEY,
        created_at=1.0,
        expires_at=2e9,
        codec="text",
        digest="0",
        sizes=(3,),
        arguments={f"n{ORDER}": f"1{ORDER}\nrave: error: forged"},
        mime_type=f"text/plain{ORDER}",
        tags=(ORDER,),
        children=(ORDER,),
        python=ORDER,
        plugin=ORDER,
        version_note=ORDER,
    )
    (leaf / "xforged.rave").write_bytes(b"".join([*pack(entry, (), Signer()), b"abc"]))
    return f"file://{tmp_path}/store"


@pytest.mark.parametrize(
    "words", [("ls",), ("ls", "lab/add"), ("show", KEY), ("verify",), ("stats",), ("ls", "--json")]
)
def test_entries_can_not_act_on_a_terminal(shell: Callable[..., Any], forged: str, words: tuple[str, ...]) -> None:
    """Whatever a forged entry records shows escaped, or not at all."""
    shown = shell("--set", f"cache={forged}", "cache", *words, "--data")
    text = str(shown.stdout) + str(shown.stderr)
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
    assert "\nrave: error: forged" not in text


def test_facts_and_notes_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """A note can't forge another one; facts keep their own line ends only, indented."""
    output.note(f"warning: x\nrave: error: forged{ORDER}")
    output.print_facts([("a\nb", f"c\nd{ORDER}")])
    output.heading(ORDER)
    output.print_table((f"A{ORDER}",), [(f"b\nc{ORDER}",)])
    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown.out + shown.err)


def test_json_holds_orders_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON printed here is plain to a terminal, and says the same."""
    output.print_json({"a": ORDER})
    shown = capsys.readouterr().out
    assert json.loads(shown) == {"a": ORDER}
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


def test_secrets_in_tables_of_plugins_are_hidden() -> None:
    """By the names of their settings, and within texts that hold more than a secret; places of files are shown."""
    table = {
        "dsn": "host=db password=hunter2",
        "headers": {"Authorization": "Bearer hunter2", "X-Other": "Bearer hunter2"},
        "auth": {"user": "ada", "pwd": "hunter2"},
        "accounts": [{"api-key": "hunter2"}, {"private_key": "hunter2"}],
        "url": "postgres://ada:hunter2@db/x?sslpassword=hunter2",
        "note": "password: hunter2",
        "key_file": "/etc/rave/key",
        "monkey": "see",
    }
    told = {name: value for name, value, _ in Settings(plugins={"sql": table}).explain()}["plugins"]
    assert "hunter2" not in repr(told)
    assert "/etc/rave/key" in repr(told)
    assert "see" in repr(told)
    assert "ada" in repr(told)


def test_what_no_key_vouches_for_is_not_shown_as_verified(shell: Callable[..., Any], forged: str) -> None:
    """Anybody may have written it; the list and the entry say so."""
    assert "nothing of this is verified" in shell("--set", f"cache={forged}", "cache", "show", KEY).stdout
    assert "no key of ours vouches" in shell("--set", f"cache={forged}", "cache", "ls", "--data").stderr
