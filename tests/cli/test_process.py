from __future__ import annotations

import json
import logging
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def _on_terminal(
    shell: Any,
    *arguments: str,
    answer: bytes = b"",
    stdout: Any = None,
    shown: tuple[bytes, Callable[[], object]] | None = None,
    **variables: str,
) -> tuple[int, str]:
    """Runs the command line on a terminal of its own (standard output elsewhere if given); exit code and screen.

    ``answer`` is typed when it asks; nothing is the interrupt key. With ``shown``, a text and what is done once the
    screen shows it, nothing is typed. ``variables`` are of the environment.
    """
    ours, theirs = pty.openpty()
    environment = shell.environment(TERM="xterm", COLUMNS="80", **variables)
    process = shell.start(*arguments, stdin=theirs, stdout=stdout or theirs, stderr=theirs, env=environment)
    os.close(theirs)
    try:
        text, react = shown or (
            b"[y/N]",
            lambda: os.write(ours, answer) if answer else process.send_signal(signal.SIGINT),
        )
        seen = _read_all(ours, react, again=not answer, shown=text)
        return process.wait(30), re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _read_all(terminal: int, answer: Callable[[], object], *, again: bool, shown: bytes) -> bytes:
    seen, asked = b"", False
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if not select.select([terminal], [], [], 1)[0]:
            # An interrupt may come too early, before the prompt listens: a person would press the key again.
            if asked and again:
                answer()
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        seen += part
        if shown in seen and not asked:
            asked = True
            answer()
    return seen


ODD = """
import os, time
from pathlib import Path
from rave_core import op, progress

@op(version=1)
def unkept():
    return lambda: 1

@op(version=1)
def slip():
    progress(1, "of many")
    while not Path(os.environ["SEEN"]).exists():
        time.sleep(0.01)
    return 1

__export__ = {"unkept": unkept, "slip": slip}
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run", "lab/add", "1", "2"], 0),
        (["run", "lab/fail", "x"], 1),
        (["run", "lab/add", "x"], 2),
        (["run", "nobody/knows"], 2),
        (["nonsense"], 2),
        (["--nonsense"], 2),
        (["--config", "missing.toml", "list"], 2),
        (["run", "lab/add", "1", "--dry-run"], 3),
        (["--version"], 0),
    ],
)
def test_a_process_ends_with_its_exit_code_and_no_traceback(shell: Any, arguments: list[str], code: int) -> None:
    """0 done, 1 failed, 2 bad usage or arguments, 3 a dry run found nothing."""
    done = shell.run(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code:
        assert done.stdout == ""
        assert done.stderr.startswith("rave: ")


def test_a_failing_operation_is_told_alike_however_rave_is_started(shell: Any) -> None:
    """By the console script and by python -m, with the traceback if asked."""
    script = Path(sys.executable).with_name("rave")
    for start in ([str(script)], [sys.executable, "-m", "rave_core.cli.main"]):
        command = [*start, "-v", "run", "lab/fail", "no luck"]
        done = subprocess.run(command, env=shell.environment(), capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert "raise ValueError(message)" in done.stderr
        assert done.stderr.endswith("rave: lab/fail failed: ValueError: no luck\n")


def test_a_group_without_a_command_shows_its_help(shell: Any) -> None:
    """As it stands, line by line, and on standard error, since nothing was done."""
    for arguments in ([], ["cache"]):
        result = shell(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == shell(*arguments, "--help").stdout
    assert not any(
        type(handler).__module__ == "rave_core.cli.session" for handler in logging.getLogger("rave").handlers
    )


def test_what_is_logged_is_not_warned_of_again(shell: Any) -> None:
    """A value that can't be kept is told in one line, without the place in the source that warnings show."""
    shell.install("odd", ODD, "[rave.namespaces]\nodd = odd\n")
    told = shell.run("run", "odd/unkept").stderr
    assert told.startswith("rave: warning: odd/unkept runs uncached: ")
    assert told.count("\n") == 1


def test_a_slip_in_what_is_reported_does_not_spoil_the_screen(shell: Any, tmp_path: Path) -> None:
    """A text in place of the total is no reason for a traceback over the bar."""
    shell.install("odd", ODD, "[rave.namespaces]\nodd = odd\n")
    noticed = tmp_path / "seen"
    code, seen = _on_terminal(shell, "run", "odd/slip", shown=(b"odd/slip", noticed.touch), SEEN=str(noticed))
    assert code == 0
    assert "odd/slip" in seen
    assert "Traceback" not in seen


def test_every_report_is_one_json_document(shell: Any) -> None:
    """What --json prints can be read whole, though a broken plugin fills standard error with warnings."""
    shell.install("broken", "raise RuntimeError('no luck')", "[rave.plugins]\nbroken = broken\n")
    for arguments in (["list"], ["cache", "stats"], ["doctor"]):
        done = shell.run(*arguments, "--json")
        assert isinstance(json.loads(done.stdout), dict)
    assert "rave: warning: plugin broken (broken): could not be loaded" in shell.run("list", "--json").stderr


def test_results_and_everything_else_are_kept_apart(shell: Any) -> None:
    """In a pipe standard error stays silent when all is well; the result is all that standard output gets."""
    done = shell.run("run", "lab/slow", "0.6")
    assert (done.stdout, done.stderr) == ("0.6\n", "")


def test_an_interrupt_ends_with_130_and_gives_the_lease_back(shell: Any, tmp_path: Path) -> None:
    """Ctrl-C in the middle of computing: no traceback, nothing kept, and the next one need not wait."""
    mark = tmp_path / "running"
    process = shell.start("run", "lab/slow", "60", f"mark={mark}")
    _until(mark.exists)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stdout == b""
    assert stderr.decode().strip() == "rave: interrupted"
    assert shell.run("run", "lab/slow", "60", f"mark={mark}", "--dry-run").returncode == 3
    assert json.loads(shell.run("explain", "lab/slow", "60", f"mark={mark}", "--json").stdout)["computing"] is None


def test_a_reader_that_stops_is_no_error(shell: Any) -> None:
    """As with head: no message, no traceback; the code is that of a broken pipe."""
    process = shell.start("run", "lab/words", "x" * 100_000)
    assert process.stdout is not None
    process.stdout.close()
    stderr = process.stderr.read() if process.stderr else b""
    assert process.wait(30) == 141
    assert stderr == b""
    process.stderr.close()


def test_progress_shows_on_a_terminal_and_is_wiped_away(shell: Any) -> None:
    """A bar with the operation and what it says; the status line stays when it is done."""
    code, screen = _on_terminal(shell, "run", "lab/slow", "1.2")
    assert code == 0
    assert "lab/slow" in screen
    assert "stirring" in screen
    assert re.search(r"\d+%", screen)
    assert "1.2\r\n" in screen
    assert re.search(r"rave: lab/slow: miss, 1\.\d s\r\n$", screen)
    assert "hit, saved 1.2 s" in _on_terminal(shell, "run", "lab/slow", "1.2")[1]


def test_progress_needs_only_standard_error_on_a_terminal(shell: Any, tmp_path: Path) -> None:
    """With standard output in a file the bar shows, and the file holds the result alone."""
    with (tmp_path / "result").open("wb") as file:
        code, screen = _on_terminal(shell, "run", "lab/slow", "1.1", stdout=file)
    assert code == 0
    assert "stirring" in screen
    assert (tmp_path / "result").read_text() == "1.1\n"


def test_a_quick_answer_shows_no_bar(shell: Any) -> None:
    """What takes but a moment does not flicker."""
    code, screen = _on_terminal(shell, "run", "lab/add", "1")
    assert code == 0
    assert re.fullmatch(r"11\r\nrave: lab/add: miss, \d+ (µs|ms)\r\n", screen)


def test_waiting_for_another_process_is_shown(shell: Any, tmp_path: Path) -> None:
    """Who asks for what another computes sees that it waits, and gets the result of the other."""
    mark = tmp_path / "running"
    other = shell.start("run", "lab/slow", "25", f"mark={mark}")
    _until(mark.exists)
    code, screen = _on_terminal(shell, "run", "lab/slow", "25", f"mark={mark}", shown=(b"waiting for ", mark.unlink))
    assert code == 0
    assert "waiting for " in screen
    assert re.search(r"hit, saved [\d.]+ s", screen)
    assert other.communicate(timeout=30)[0] == b"25.0\n"


def test_a_table_on_a_terminal_is_no_csv(shell: Any) -> None:
    """People get columns, with a rule under their names; bytes that are no text are kept from them."""
    code, screen = _on_terminal(shell, "run", "lab/people", "all")
    assert code == 0
    assert "───" in screen
    assert re.search(r"Ada +36 +1\.65", screen)
    code, screen = _on_terminal(shell, "run", "lab/raw", "x")
    assert code == 2
    assert "the result is binary (3 bytes); write it with -o FILE" in screen


@pytest.mark.parametrize(("answer", "code", "left"), [(b"n\n", 1, 1), (b"y\n", 0, 0), (b"", 130, 1)])
def test_removing_asks_on_a_terminal(shell: Any, answer: bytes, code: int, left: int) -> None:
    """Yes removes, no and an interrupt keep."""
    shell("run", "lab/add", "1")
    ended, screen = _on_terminal(shell, "cache", "rm", "lab/", answer=answer)
    assert ended == code
    assert "Remove 1 entry, " in screen
    assert len(json.loads(shell("cache", "ls", "--json").stdout)["entries"]) == left


def test_help_and_version_import_no_command(shell: Any) -> None:
    """They are fast since neither rich nor any command, table library or namespace is imported."""
    script = (
        "import sys; from rave_core.cli.main import rave\n"
        "try: rave.main(sys.argv[1:])\n"
        "finally: print(*sorted(sys.modules), file=sys.stderr)"
    )
    for arguments in (["--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=shell.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        modules = set(done.stderr.split())
        assert done.returncode == 0
        assert {"rave_core.cli.main", "click"} <= modules
        assert not modules & {
            "rich",
            "numpy",
            "pandas",
            "pyarrow",
            "polars",
            "duckdb",
            "sqlalchemy",
            "jsonschema",
            "packaging",
            "urllib3",
            "lab",
            "rave_core.cli.run",
            "rave_core.cli.cache",
        }


def test_importing_the_core_imports_what_decorators_need(shell: Any) -> None:
    """Programs pay nothing for commands, and for stores, versions and settings files only once they call something."""
    script = "import rave_core, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not {
        "click",
        "rich",
        "IPython",
        "rave_core.cli.magics",
        "rave_core.cli.main",
        "rave_core.introspection.explain",
        "rave_core.introspection.plan",
        "rave_core.backend",
        "rave_core.storage.cache",
        "rave_core.events",
        "rave_core.settings",
        "rave_core.versions.source",
        "asyncio",
        "json",
        "socket",
        "tomllib",
    } & set(done.stdout.split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rave ru", ["run"]),
        ("rave run lab/a", ["lab/add"]),
        ("rave run lab/add ", ["a=", "b="]),
        ("rave run lab/add a=1 ", ["b="]),
        ("rave describe lab/sl", ["lab/slow"]),
        ("rave run nobody/knows ", []),
    ],
)
def test_the_shell_completes_commands_operations_and_arguments(shell: Any, line: str, expected: list[str]) -> None:
    """As click's own protocol asks: one line each, with nothing on standard error."""
    words = line.split(" ")
    done = shell.run(_RAVE_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert [text.partition(",")[2] for text in done.stdout.split()] == expected
    assert done.stderr == ""


def test_the_script_that_is_installed_is_this_command(bare_shell: Any) -> None:
    """The console script of the distribution and python -m give the same."""
    script = Path(sys.executable).with_name("rave")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert done.stdout == bare_shell.run("--version").stdout
    assert done.stdout.startswith("rave ")
