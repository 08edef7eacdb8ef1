"""pyrainer, as it comes from its registry, is a client of journals: all but ``uncommit -y``, which fails by itself."""

from __future__ import annotations

import subprocess
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from pyrainer.http import RainerClient

CommandLine: TypeAlias = Callable[..., "subprocess.CompletedProcess[str]"]


def draft(key: str, version: int, **more: Any) -> dict[str, Any]:
    """What pyrainer wants to know of a commit."""
    return {"key": key, "version": version, "author": "gian", "comment": "rofl", **more}


@pytest.fixture
def client(service: Any) -> RainerClient:
    """Its client of the default journal."""
    return RainerClient(f"{service.url}/-/journal")


def test_the_client_commits_and_reads(client: RainerClient) -> None:
    """Values, metadata, versions; texts beyond ASCII in the headers."""
    made = client.post_commit(draft("py.foo", 1, comment="für Zoë"), '{"hey": "what"}\n')
    assert (made["key"], made["version"], made["author"], made["comment"]) == ("py.foo", 1, "gian", "für Zoë")
    assert client.get_metadata("py.foo", 1) == made
    assert client.get_value("py.foo", 1) == b'{"hey": "what"}\n'
    commit = client.get_commit("py.foo")
    assert (commit.value, commit.version, commit.empty) == (b'{"hey": "what"}\n', 1, False)
    client.post_commit(draft("py.foo", 2), "zwei ✓")
    assert client.get_commit("py.foo", 2).value.decode() == "zwei ✓"
    assert client.get_commit("py.foo", 1).value == b'{"hey": "what"}\n'


def test_the_client_lists(client: RainerClient) -> None:
    """With and without tombstones, with and without payloads."""
    client.post_commit(draft("py.kept", 1), "here")
    client.post_commit(draft("py.gone", 1), "there")
    client.post_commit(draft("py.gone", 2, empty=True), "")
    assert client.list()["py.kept"]["version"] == 1
    assert "py.gone" not in client.list()
    assert client.list(all=True)["py.gone"]["empty"] is True
    assert client.list_full()["py.kept"].value == b"here"
    gone = client.get_commit("py.gone", 2)
    assert (gone.value, gone.empty) == (None, True)
    client.post_commit(draft("py.gone", 3), "back")
    assert client.list()["py.gone"]["version"] == 3
    assert client.get_commit("py.gone", 3).value == b"back"


def test_the_client_learns_of_errors(client: RainerClient) -> None:
    """By their status, and a text to print."""
    with pytest.raises(urllib.error.HTTPError) as missing:
        client.get_commit("py.never")
    assert (missing.value.code, missing.value.read()) == (404, b"Key not found\r\n")
    client.post_commit(draft("py.race", 1), "a")
    with pytest.raises(urllib.error.HTTPError) as conflict:
        client.post_commit(draft("py.race", 1), "b")
    assert conflict.value.code == 409
    assert b'"conflict":{"key":"py.race","expectedVersion":2,"providedVersion":1}' in conflict.value.read()


def test_the_command_line_commits_and_shows(pyrainer: CommandLine, service: Any, wait_until: Any) -> None:
    """commit-value, show, list, prepare, commit, log."""
    made = pyrainer("commit-value", "cli.foo", "1", "-m", "first", stdin="one\ntwo\n")
    assert (made.returncode, "'version': 1" in made.stdout) == (0, True), made
    wait_until(lambda: service.get("/-/journal/cli.foo").ok)
    assert pyrainer("show", "cli.foo").stdout == "one\ntwo\n\n"
    assert f"1  cli.foo{' ' * 28}\t{service.url}/-/journal/cli.foo/1\n" in pyrainer("list").stdout
    assert "one\\ntwo" in pyrainer("prepare", "cli.foo").stdout
    prepared = "author: gian\ncomment: second\nversion: 2\n---\none\nthree\n"
    assert "'comment': 'second'" in pyrainer("commit", "cli.foo", stdin=prepared).stdout
    log = pyrainer("log", "cli.foo", "2", NO_COLOR="1").stdout
    assert [line for line in log.splitlines() if line.startswith(("Commit", "+t", "-t"))] == [
        "Commit 2",
        "-two",
        "+three",
        "Commit 1",
        "+two",
    ]
    missing = pyrainer("show", "cli.never")
    assert (missing.returncode, "Key not found" in missing.stdout) == (1, True)


def test_the_command_line_edits(pyrainer: CommandLine, service: Any, tmp_path: Path) -> None:
    """A new key and the yes that it asks for; a conflict keeps the work file."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i -e "s/comment: .*/comment: edited/" -e "\\$ahello" "$1"\n')
    editor.chmod(0o755)
    done = pyrainer("edit", "cli.new", stdin="yes\n", EDITOR=str(editor), NO_COLOR="1")
    assert (done.returncode, "+hello" in done.stdout) == (0, True), done
    assert service.get("/-/journal/cli.new/1").content == b"hello\n"
    editor.write_text('#!/bin/sh\nsed -i -e "s/version: .*/version: 1/" -e "\\$aworld" "$1"\n')
    lost = pyrainer("edit", "cli.new", "1", stdin="yes\n", EDITOR=str(editor))
    assert (lost.returncode, "409" in lost.stdout, "Your work is saved in: " in lost.stdout) == (1, True, True)


def test_the_command_line_uncommits(pyrainer: CommandLine, service: Any, wait_until: Any) -> None:
    """When it asks; with ``-y`` it fails in itself, before it sends anything."""
    service.commit("/-/journal/cli.gone/1", b"here\n")
    wait_until(lambda: service.get("/-/journal/cli.gone", headers={"Cache-Control": "no-cache"}).ok)
    failed = pyrainer("uncommit", "cli.gone", "1", "-y")
    assert (failed.returncode, "TypeError" in failed.stderr) == (1, True)
    assert service.get("/-/journal/cli.gone/2").status_code == 404
    done = pyrainer("uncommit", "cli.gone", "1", stdin="yes\n")
    assert (done.returncode, "'empty': True" in done.stdout) == (0, True), done
    assert service.get("/-/journal/cli.gone/2").headers["X-Rainer-Empty"] == "Yes"
