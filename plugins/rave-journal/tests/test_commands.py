"""``rave journal`` on the store, and on a service."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rave_journal.commands import journal
from rave_journal.commands.moving import ExportError
from rave_journal.git_history import GitError
from rave_journal.prepared import PreparedError, prepared, read_prepared

from rave_core import Runtime, Settings, using
from rave_core.documents import Conflict

Run = Callable[..., Result]


@pytest.fixture(params=["store", "service"])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Runs the command on a store of the test's own, or on the service's journal ``diary``."""
    runner = CliRunner()
    switches = ["--author", "ada"]
    if request.param == "service":
        switches += ["--url", f"{request.getfixturevalue('service').url}/-/journal"]

    def run(*arguments: str, stdin: bytes = b"", error: type[Exception] | None = None, **environ: str) -> Result:
        done = runner.invoke(journal, [*switches, *arguments], input=stdin, env=environ)
        if error is not None:
            assert isinstance(done.exception, error), done
        else:
            assert done.exit_code == 0, (done.output, done.exception)
        return done

    settings = Settings(cache="memory://", documents=f"sqlite:///{tmp_path}/documents.sqlite")
    with using(Runtime(settings)) as runtime:
        yield run
        runtime.close()


def test_a_document_from_its_first_version_to_its_revival(run: Run) -> None:
    """commit-value, show, list, log, diff, uncommit, revert; bytes in are bytes out."""
    key = "cmd.life"
    payload = b"\xff\x00 a\r\n\n"
    run("commit-value", key, "-m", "first", stdin=payload)
    assert run("show", key).stdout_bytes == payload
    run("commit-value", key, "2", "-m", "second", stdin=b"one\ntwo\n")
    run("commit-value", key, "3", "-m", "third", stdin=b"one\nthree\n")
    assert run("diff", key, "2", "3").stdout.splitlines()[-3:] == [" one", "-two", "+three"]
    run("uncommit", key, "-y", "-m", "enough")
    assert key not in run("list").stdout
    assert f"4  {key}" in run("list", "-A").stdout
    assert run("show", key).stdout_bytes == b""
    assert "+three" in run("revert", key, "3", stdin=b"y\n").stdout
    assert run("show", key).stdout_bytes == b"one\nthree\n"
    log = run("log", key).stdout
    assert [line for line in log.splitlines() if line.startswith("Commit")] == [
        "Commit 5",
        "Commit 4 (deleted)",
        "Commit 3",
        "Commit 2",
        "Commit 1",
    ]
    assert "Author: ada" in log
    assert "  Revert to version 3" in log


def test_a_commit_that_comes_late_is_refused(run: Run) -> None:
    """And a document, or a journal, that is not there."""
    run("commit-value", "cmd.late", "-m", "first", stdin=b"x")
    refused = run("commit-value", "cmd.late", "-m", "again", stdin=b"y", error=Conflict)
    assert "the newest version is 1, and not 0" in str(refused.exception)
    missing = run("show", "cmd.never", error=LookupError)
    assert "Key not found" in str(missing.exception)
    run("uncommit", "cmd.late", "7", "-y", error=LookupError)


def test_an_edit_is_shown_asked_for_and_committed(run: Run, tmp_path: Path) -> None:
    """Nothing changed: nothing is committed. A conflict keeps the work, and says where."""
    editor = tmp_path / "editor"

    def edits(script: str) -> str:
        editor.write_text(f'#!/bin/sh\n{script}\nexit "${{CODE:-0}}"\n')
        editor.chmod(0o755)
        return str(editor)

    add = edits('sed -i -e "s/^comment:.*/comment: \'it\'\'s mine\'/" "$1"; echo hello >> "$1"')
    done = run("edit", "cmd.edit", stdin=b"y\n", EDITOR=add)
    assert "+hello" in done.stdout
    assert run("show", "cmd.edit").stdout_bytes == b"hello\n"
    assert "  it's mine" in run("log", "cmd.edit").stdout
    assert "No change" in run("edit", "cmd.edit", EDITOR="true").stdout
    declined = run("edit", "cmd.edit", stdin=b"n\n", EDITOR=edits('echo more >> "$1"'))
    work = Path(declined.output.rpartition("Your work is saved in: ")[2].strip())
    assert work.read_bytes().endswith(b"---\nhello\nmore\n")
    late = edits('sed -i -e "s/^version:.*/version: 1/" "$1"; echo late >> "$1"')
    lost = run("edit", "cmd.edit", stdin=b"y\n", error=Conflict, EDITOR=late)
    assert "Your work is saved in: " in lost.output
    run("edit", "cmd.edit", error=Exception, EDITOR="false")
    run("edit", "cmd.edit", error=Exception, EDITOR="/no/such/editor")


def test_a_prepared_text_is_read_as_it_was_written(run: Run) -> None:
    """Through the commands prepare and commit, with a payload that has dashes of its own."""
    payload = b"---\na: 1\n---\n\xfe"
    run("commit-value", "cmd.prepared", "-m", "first", stdin=payload)
    text = run("prepare", "cmd.prepared").stdout_bytes
    assert text == b"author: ada\ncomment: \nversion: 2\n---\n" + payload
    run("commit", "cmd.prepared", stdin=text.replace(b"comment: ", b'comment: "a: \\"b\\" #c"'))
    assert run("show", "cmd.prepared", "2").stdout_bytes == payload
    assert '  a: "b" #c' in run("log", "cmd.prepared").stdout


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"author: ada\nversion: 1\n", "no line '---'"),
        (b"author: ada\n---\nx", "version is ''"),
        (b"author: ada\nversion: 0\n---\nx", "version is '0'"),
        (b"version: 1\n---\nx", "the author is missing"),
        (b"autor: ada\nversion: 1\n---\nx", "can't read 'autor: ada'"),
        (b"author: ada\nversion: 1\nempty: true\n---\nx", "there is one"),
        (b'author: "ada\nversion: 1\n---\nx', "a text in quotes"),
        (b"author: \xff\nversion: 1\n---\nx", "not UTF-8"),
    ],
)
def test_what_is_no_prepared_text_is_refused(text: bytes, told: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(PreparedError, match=told):
        read_prepared(text, key="k")


def test_a_draft_survives_being_prepared() -> None:
    """Whatever its comment, also as a tombstone."""
    for comment in ("", "plain", "it's", "a: b # c", ' "x" ', "- x", "ü\n\tz", "'", "true"):
        text = b"author: ada\nversion: 3\nempty: true\n---\n"
        draft = read_prepared(text, key="k")
        draft = type(draft)("k", 3, None, "ada", comment=comment)
        assert read_prepared(prepared(draft), key="k") == draft


def test_files_and_a_git_history_come_in_and_go_out(run: Run, tmp_path: Path) -> None:
    """Each commit of a file is a version; running it again commits nothing."""
    place = tmp_path / "repository"
    (place / "sites").mkdir(parents=True)
    who = {"GIT_AUTHOR_NAME": "Zoë", "GIT_AUTHOR_EMAIL": "z@x", "GIT_COMMITTER_NAME": "c", "GIT_COMMITTER_EMAIL": "c@x"}

    def git(*arguments: str) -> None:
        environ = {**os.environ, **who, "GIT_AUTHOR_DATE": "2014-02-11T14:01:28Z"}
        subprocess.run(["git", "-C", place, *arguments], check=True, capture_output=True, env=environ)

    git("init", "-q")
    for text in ("one", "two"):
        (place / "sites" / "cmd north").write_text(text)
        git("add", "-A")
        git("commit", "-qm", f"says {text}")
    git("rm", "-q", "sites/cmd north")
    git("commit", "-qm", "gone")
    assert run("import", "git", str(place)).stdout == "3 versions are new.\n"
    assert run("import", "git", str(place)).stdout == "0 versions are new.\n"
    log = run("log", "sites.cmd north").stdout
    assert log.count("Author: Zoë\nDate:   2014-02-11T14:01:28.000Z\n") == 3
    assert run("show", "sites.cmd north", "2").stdout_bytes == b"two"
    run("import", "git", str(tmp_path), error=GitError)
    files = tmp_path / "files"
    files.mkdir()
    (files / "cmd.file").write_bytes(b"\xff")
    assert run("import", "dir", str(files)).stdout == "1 documents are new or changed.\n"
    assert run("import", "dir", str(files)).stdout == "0 documents are new or changed.\n"
    run("export", str(tmp_path / "out"))
    assert (tmp_path / "out" / "cmd.file").read_bytes() == b"\xff"


def test_links_and_pipes_are_neither_followed_nor_filled(run: Run, tmp_path: Path) -> None:
    """A link is not imported; an export leaves what is no file as it is, names it, and writes the rest."""
    files, secret = tmp_path / "files", tmp_path / "secret"
    files.mkdir()
    secret.write_bytes(b"own")
    for name in ("cmd.link", "cmd.pipe", "cmd.plain"):
        (files / name).write_text(name)
    (files / "cmd.outside").symlink_to(secret)
    assert run("import", "dir", str(files)).stdout == "3 documents are new or changed.\n"
    out = tmp_path / "out"
    out.mkdir()
    (out / "cmd.link").symlink_to(secret)
    os.mkfifo(out / "cmd.pipe")
    told = str(run("export", str(out), error=ExportError).exception)
    assert ("'cmd.link' (" in told, "'cmd.pipe' (" in told, "cmd.plain" in told) == (True, True, False)
    assert (secret.read_bytes(), (out / "cmd.plain").read_text()) == (b"own", "cmd.plain")


def test_the_settings_of_the_command_line_count(tmp_path: Path) -> None:
    """Those of --set name the store; a journal that they do not name is refused, with the next best name."""
    rave = str(Path(sys.executable).parent / "rave")
    given = ["--set", f"documents=sqlite:///{tmp_path}/mine.sqlite", "--set", "plugins.journal.journals=['mine']"]
    listed = subprocess.run([rave, *given, "journal", "list"], capture_output=True, text=True, check=True)
    assert (listed.stdout, (tmp_path / "mine.sqlite").exists()) == ("", True)
    wrong = subprocess.run([rave, *given, "journal", "--journal", "mind", "list"], capture_output=True, text=True)
    assert (wrong.returncode, "'mine'" in wrong.stderr) == (2, True), wrong.stderr
