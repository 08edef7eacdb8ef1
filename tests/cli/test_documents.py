"""``rave documents``: what it shows, and what it carries to another store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rave_core.documents import DocumentStore, open_store

OTHER = "documents=sqlite:///other.sqlite"


@pytest.fixture
def store(bare_shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DocumentStore:
    """The documents of the command line."""
    url = f"sqlite:///{tmp_path}/documents.sqlite"
    monkeypatch.setenv("RAVE_DOCUMENTS", url)
    store = open_store(url)
    store.save("diary", "monday", b"Rain.", expect=0, author="ada", time=0)
    store.save("diary", "monday", b"Sun.", expect=1, author="bob", comment="later", time=3600)
    store.save("diary", "sunday", b"\xff", expect=0, author="ada", time=0)
    store.save("diary", "sunday", None, expect=1, author="eve", time=0)
    store.declare("drafts", keep=2)
    store.save("drafts", "d", b"\xff\0", expect=0, author="ada", time=0)
    return store


def printed(result: Any) -> Any:
    """The JSON that a command printed."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_ls_lists_collections_and_documents(bare_shell: Any, store: DocumentStore) -> None:
    """Deleted ones only on request."""
    found = printed(bare_shell("documents", "ls", "--json"))
    assert found["collections"] == [
        {"name": "diary", "documents": 1, "keep": None},
        {"name": "drafts", "documents": 1, "keep": 2},
    ]
    assert bare_shell("documents", "ls").stdout.split()[:3] == ["COLLECTION", "DOCUMENTS", "KEEPS"]
    heads = printed(bare_shell("documents", "ls", "diary", "--json"))["documents"]
    assert [(head["key"], head["version"], head["author"]) for head in heads] == [("monday", 2, "bob")]
    assert "(deleted)" in bare_shell("documents", "ls", "diary", "--deleted").stdout


def test_show_writes_the_payload_as_it_is(bare_shell: Any, store: DocumentStore) -> None:
    """Of the newest version, or of another; in JSON as text, or as Base64."""
    assert bare_shell("documents", "show", "diary", "monday").stdout_bytes == b"Sun."
    assert bare_shell("documents", "show", "diary", "monday", "--version", "1").stdout_bytes == b"Rain."
    assert bare_shell("documents", "show", "drafts", "d").stdout_bytes == b"\xff\0"
    assert printed(bare_shell("documents", "show", "diary", "monday", "--json"))["payload"] == "Sun."
    assert printed(bare_shell("documents", "show", "drafts", "d", "--json"))["payload_base64"] == "/wA="
    assert "was deleted by 'eve'" in bare_shell("documents", "show", "diary", "sunday").stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "dairy", "monday"), "did you mean 'diary'?"),
        (("show", "diary", "friday"), "no document 'friday' in 'diary'"),
        (("show", "diary", "monday", "--version", "9"), "the newest one is 2"),
        (("log", "diary", "friday"), "no document 'friday' in 'diary'"),
        (("show", "diary", ""), "the key is empty"),
    ],
)
def test_what_is_not_there_is_named(
    bare_shell: Any, store: DocumentStore, arguments: tuple[str, ...], words: str
) -> None:
    """With what is, and exit code 2."""
    result = bare_shell("documents", *arguments)
    assert (result.exit_code, words in result.stderr) == (2, True), result.output


def test_log_lists_the_versions(bare_shell: Any, store: DocumentStore) -> None:
    """Newest first."""
    found = printed(bare_shell("documents", "log", "diary", "sunday", "--json"))["versions"]
    assert [(each["version"], each["empty"]) for each in found] == [(2, True), (1, False)]
    assert bare_shell("documents", "log", "diary", "monday").stdout.splitlines()[1].endswith("later")


def test_an_export_is_imported_whole(bare_shell: Any, store: DocumentStore, tmp_path: Path) -> None:
    """Into another store, also twice; only its owner may read the file."""
    assert bare_shell("documents", "export", "-o", "backup.jsonl").exit_code == 0
    assert (tmp_path / "backup.jsonl").stat().st_mode & 0o777 == 0o600
    importing = ("--set", OTHER, "documents", "import", "backup.jsonl", "--json")
    assert printed(bare_shell(*importing)) == {"versions": 5, "new": 5}
    assert printed(bare_shell(*importing)) == {"versions": 5, "new": 0}
    with open_store(f"sqlite:///{tmp_path}/other.sqlite") as other:
        there = [(each.metadata.key, each.metadata.version, each.metadata.time, each.payload) for each in other.dump()]
        assert there == [(e.metadata.key, e.metadata.version, e.metadata.time, e.payload) for e in store.dump()]
        assert other.declared() == {"drafts": 2}
    assert bare_shell("documents", "export").stdout_bytes == (tmp_path / "backup.jsonl").read_bytes()


def test_an_export_that_was_cut_off_is_noticed(bare_shell: Any, store: DocumentStore, tmp_path: Path) -> None:
    """What was whole is restored, and the message says so."""
    lines = bare_shell("documents", "export").stdout_bytes.splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:3]))
    result = bare_shell("--set", OTHER, "documents", "import", "cut.jsonl")
    assert (result.exit_code, "cut off after 2 versions" in result.stderr) == (2, True)
    for number, wrong in ((1, b"{}"), (3, b"?"), (3, lines[2].replace(b'"U3VuLg=="', b'"*"'))):
        (tmp_path / "wrong.jsonl").write_bytes(b"".join([*lines[: number - 1], wrong + b"\n", *lines[number:]]))
        result = bare_shell("--set", OTHER, "documents", "import", "wrong.jsonl")
        assert (result.exit_code, f"line {number}" in result.stderr) == (2, True), result.stderr


def test_an_import_does_not_replace_what_differs(bare_shell: Any, store: DocumentStore, tmp_path: Path) -> None:
    """It ends there."""
    assert bare_shell("documents", "export", "-o", "backup.jsonl").exit_code == 0
    with open_store(f"sqlite:///{tmp_path}/other.sqlite") as other:
        other.save("diary", "monday", b"Snow.", expect=0, author="ada", time=0)
        result = bare_shell("--set", OTHER, "documents", "import", "backup.jsonl")
        assert (result.exit_code, "'monday' in 'diary'" in result.stderr) == (1, True)
        assert (found := other.get("diary", "monday")) is not None
        assert found.payload == b"Snow."


def test_check_tells_of_damage(bare_shell: Any, store: DocumentStore, tmp_path: Path) -> None:
    """A version that somebody removed by hand, and a counter that was set back; exit code 1."""
    assert bare_shell("documents", "check").stdout.startswith("All is well")
    import sqlite3

    connection = sqlite3.connect(tmp_path / "documents.sqlite")
    with connection:
        connection.execute("INSERT INTO rave_documents VALUES (99, 'diary', 'monday', 4, 'x', '', 0, NULL)")
    connection.close()
    result = bare_shell("documents", "check", "--json")
    problems = json.loads(result.stdout)["problems"]
    assert (result.exit_code, len(problems)) == (1, 2)
    assert "'monday' in 'diary' lacks a version" in problems[0]
    assert "commit 99" in problems[1]
