"""The command ``rave-get``: what it writes where, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from rave_http.cli.get import run
from rave_http.cli.get_bar import one_line, size

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)

COMMAND = [sys.executable, "-m", "rave_http.cli.get"]


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: bytes
    err: str


@pytest.fixture
def get(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs the command in this process, in an empty directory."""
    monkeypatch.chdir(tmp_path)

    def ended(*arguments: object) -> Ended:
        code = run(list(map(str, arguments)))
        sys.stdout.flush()
        return Ended(code, *_decoded(capfdbinary.readouterr()))

    return ended


def _decoded(captured: Any) -> tuple[bytes, str]:
    return captured.out, captured.err.decode()


def test_a_product_goes_to_standard_output(stub: StubService, get: Callable[..., Ended]) -> None:
    """Its bytes as they are, and nothing else anywhere."""
    stub.make("top", b"\x00\xff\n", media_type="image/png")
    assert get(f"{stub.url}/lab/top") == (0, b"\x00\xff\n", "")
    assert get(f"{stub.url}/lab/top", "-o", "-") == (0, b"\x00\xff\n", "")


def test_a_product_goes_to_a_file(stub: StubService, get: Callable[..., Ended], tmp_path: Path) -> None:
    """Or into a directory, under a name that is made for it."""
    stub.make("top", b"a,b\n")
    assert get(f"{stub.url}/lab/top", "-o", "x") == (0, b"", "")
    assert get(f"{stub.url}/lab/top", "-o", tmp_path) == (0, b"", "")
    assert get(f"{stub.url}/lab/top", "-o", "/dev/stdout").out == b"a,b\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lab-top.csv", "x"]
    assert (tmp_path / "x").read_bytes() == (tmp_path / "lab-top.csv").read_bytes() == b"a,b\n"


def test_arguments_and_switches_reach_the_service(stub: StubService, get: Callable[..., Ended]) -> None:
    """Encoded, beside those of the URL."""
    stub.make("top", b"x")
    url = f"{stub.url}/lab/top?n=5"
    get(url, "by=a b&c=d", "l=1", "l=2", "--refresh", "--deep-refresh", "--format", "csv", "--accept", "text/csv")
    assert stub.seen[-1].query == {
        "n": ["5"], "by": ["a b&c=d"], "l": ["1", "2"], "rave.refresh": ["true"], "rave.deep_refresh": ["true"],
        "rave.f": ["csv"],
    }  # fmt: skip
    assert stub.seen[-1].headers["Accept"] == "text/csv"
    get(url, "--only-cached", "-H", "X-A: 1", "--header", "X-B:2")
    assert stub.seen[-1].query == {"n": ["5"], "rave.only_cached": ["true"]}
    assert (stub.seen[-1].headers["X-A"], stub.seen[-1].headers["X-B"]) == ("1", "2")


def test_the_key_comes_from_where_it_was_put(
    stub: StubService, get: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is said on the command line is stronger than the environment."""
    stub.make("top", b"x")
    (tmp_path / "key").write_text("rave_file\n")
    monkeypatch.setenv("RAVE_KEY", "rave_env\n")
    for switches, key in (
        ([], "rave_env"),
        (["--key", "rave_said"], "rave_said"),
        (["--key-file", "key"], "rave_file"),
    ):
        get(f"{stub.url}/lab/top", *switches)
        assert stub.seen[-1].headers["Authorization"] == f"Bearer {key}"


@pytest.mark.parametrize(
    ("slug", "status", "code"),
    [
        ("operation-failed", 500, 1),
        ("internal-error", 500, 1),
        ("time-limit", 504, 1),
        ("not-found", 404, 1),
        ("unauthorized", 401, 1),
        ("bad-arguments", 400, 2),
        ("not-acceptable", 406, 2),
        ("not-kept", 504, 3),
    ],
)
def test_a_problem_is_told_in_one_line(
    stub: StubService, get: Callable[..., Ended], slug: str, status: int, code: int
) -> None:
    """With title and detail, and the exit code of its kind."""
    stub.make("top").fail(slug, status, "it\nis\x1b[2J so")
    title = slug.replace("-", " ").capitalize()
    assert get(f"{stub.url}/lab/top") == (code, b"", f"rave-get: error: {title}: it is�[2J so\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'URL'"),
        (["ftp://h/x"], "'ftp://h/x' is not a URL of a service"),
        (["h:8888/x"], "'h:8888/x' is not a URL of a service"),
        (["http://h/x", "word"], "argument 'word': expected NAME=VALUE"),
        (["http://h/x", "-H", "word"], "--header 'word': expected 'NAME: VALUE'"),
        (["http://h/x", "-H", "Range: bytes=0-"], "the header 'Range' can't be set"),
        (["http://h/x", "--key", "a", "--key-file", "-"], "--key and --key-file both give a key"),
        (["http://h/x", "--key", "a b"], "the key can't be sent"),
        (["http://h/x", "--only-cached", "--refresh"], "--only-cached computes nothing"),
        (["http://h/x", "-o", "missing/x"], "-o missing/x: there is no directory"),
        (["http://h/x", "-o", "missing/"], "-o missing/: there is no directory"),
        (["http://h/x", "--wait", "-1"], "-1.0 is not in the range x>=0"),
        (["http://h/x", "--nonsense"], "No such option"),
    ],
)
def test_bad_usage_is_told_in_one_line(
    stub: StubService, get: Callable[..., Ended], arguments: list[str], message: str
) -> None:
    """Exit code 2, and nothing was asked."""
    ended = get(*arguments)
    assert (ended.code, ended.out) == (2, b"")
    assert ended.err.startswith("rave-get: error: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert stub.seen == []


def test_who_waits_no_longer_gets_the_ticket(stub: StubService, get: Callable[..., Ended]) -> None:
    """It can be given to the command later."""
    work = stub.make("top")
    ticket = f"{stub.url}/-/products/{work.key}"
    code, out, err = get(f"{stub.url}/lab/top", "--wait", "0.2")
    assert (code, out) == (1, b"")
    assert err.splitlines() == [
        "rave-get: error: the product was not ready in time; it is being made all the same",
        f"rave-get: ask for it later at {ticket}",
    ]
    work.finish(b"made")
    assert get(ticket).out == b"made"


def test_a_service_that_goes_away_leaves_the_ticket(stub: StubService, get: Callable[..., Ended]) -> None:
    """The product may be there when it comes back."""
    work = stub.make("top", offers_events=False, retry_after="60")
    stub.script(f"/-/products/{work.key}", lambda handler: handler.send(500))
    code, _, err = get(f"{stub.url}/lab/top", "--max-time", "0.3")
    assert code == 1
    assert err.endswith(f"ask for it later at {stub.url}/-/products/{work.key}\n")


@pytest.mark.parametrize("to_file", [False, True])
def test_facts_are_printed_as_json(stub: StubService, get: Callable[..., Ended], tmp_path: Path, to_file: bool) -> None:
    """On standard output if that is free, else on standard error."""
    headers = {"Cache-Status": "rave; hit; ttl=9", "Cache-Control": "max-age=9"}
    work = stub.make("top", b"made", headers=headers)
    code, out, err = get(f"{stub.url}/-/products/{work.key}", "--json", *(["-o", "x"] if to_file else []))
    assert code == 0
    facts = json.loads(out if to_file else err)
    assert facts.pop("seconds") >= 0
    assert facts == {
        "url": f"{stub.url}/-/products/{work.key}",
        "path": "x" if to_file else None,
        "key": work.key,
        "etag": work.etag,
        "media_type": "text/csv",
        "bytes": 4,
        "cache_status": "rave; hit; ttl=9",
        "expires_in": 9.0,
    }
    assert (err if to_file else out.decode()) == ("" if to_file else "made")


def test_each_request_is_told_if_asked(stub: StubService, get: Callable[..., Ended]) -> None:
    """With what came of it; quietly nothing is, not even on a terminal."""
    stub.make("top", b"made")
    lines = get(f"{stub.url}/lab/top", "-v").err.splitlines()
    assert re.fullmatch(rf"rave-get: GET {stub.url}/lab/top: 200, \d+ ms", lines[0])
    assert re.fullmatch(r"rave-get: made, 4 B in \d\.\d s", lines[1])
    assert get(f"{stub.url}/lab/top").err == ""


def test_an_interrupted_run_is_continued_by_the_next(stub: StubService, tmp_path: Path) -> None:
    """Also after kill -9: what is beside the file is enough. The file itself is not there before it is whole."""
    body = bytes(range(256)) * 8000
    stub.make("top", body, stalls=deque([1_000_000]))
    command = [*COMMAND, f"{stub.url}/lab/top", "-o", "x", "--json"]
    process = subprocess.Popen(command, cwd=tmp_path)
    part = tmp_path / ".x.part"
    _until(lambda: part.exists() and part.stat().st_size > 900_000)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    assert not (tmp_path / "x").exists()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=True)
    assert (tmp_path / "x").read_bytes() == body
    assert json.loads(done.stdout)["bytes"] == len(body)
    assert int(stub.seen[-1].headers["Range"].removeprefix("bytes=").removesuffix("-")) > 900_000
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_ctrl_c_leaves_the_ticket(stub: StubService, tmp_path: Path) -> None:
    """Exit code 130, and where to go on."""
    work = stub.make("top")
    # Whoever runs the tests in the background of a shell has them ignore the signal, and all that they start.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{code}; from rave_http.cli.get import main; main()", f"{stub.url}/lab/top"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    _until(lambda: stub.asked(f"/-/products/{work.key}/events"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert err.splitlines() == [
        "rave-get: interrupted", f"rave-get: ask for it later at {stub.url}/-/products/{work.key}"
    ]  # fmt: skip


def test_a_reader_that_stops_reading_is_no_error(stub: StubService) -> None:
    """As of any command in a pipe: exit code 141, and not a word."""
    stub.make("top", bytes(1 << 22))
    command = [*COMMAND, f"{stub.url}/lab/top"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(10) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_terminal_gets_a_bar_and_no_bytes(stub: StubService, tmp_path: Path) -> None:
    """The bar shows how far it is, and is gone at the end; binary products are refused with a hint, texts are shown."""
    work = stub.make("top", media_type="image/png")
    work.report(1, 4, "stirring")

    def go_on(screen: str) -> None:
        if "stirring" in screen and "25%" in screen:
            work.finish(b"\x00\xff")

    code, screen = _on_terminal([*COMMAND, f"{stub.url}/lab/top"], go_on)
    assert code == 2
    assert "computing" in screen
    hint = "rave-get: error: the product is image/png, which a terminal can't show: write it to a file with -o FILE"
    assert hint in " ".join(screen.split())
    stub.make("words", "ä\n".encode(), media_type="text/plain")
    assert _on_terminal([*COMMAND, f"{stub.url}/lab/words"]) == (0, "ä\r\n")
    code, screen = _on_terminal([*COMMAND, f"{stub.url}/lab/top", "-o", str(tmp_path / "x")])
    assert code == 0
    assert re.search(r"rave-get: made, 2 B in \d\.\d s; wrote ", screen)


def _on_terminal(command: list[str], watch: Callable[[str], object] = str) -> tuple[int, str]:
    """Runs a command on a terminal of its own; exit code and screen, without what moves the cursor."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    screen, deadline = b"", time.monotonic() + 15
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                screen += os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            watch(_plain(screen))
        return process.wait(5), _plain(screen)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _plain(screen: bytes) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.decode(errors="replace"))


def _until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_the_help_helps(get: Callable[..., Ended]) -> None:
    """What it does, each switch, and the exit codes."""
    code, out, _ = get("--help")
    assert code == 0
    for word in (b"-o, --output FILE", b"--wait S", b"--key-file FILE", b"RAVE_KEY", b"Exit codes: 0 done", b"--json"):
        assert word in out
    assert get("--version").out.startswith(b"rave-get 2")


def test_what_is_shown_is_short_and_tame() -> None:
    """Whatever a service sends, a line stays a line."""
    assert one_line("a\n b\x07\x1b[1m") == "a b��[1m"
    assert len(one_line("x" * 5000)) == 1000
    assert [size(count) for count in (0, 999, 4100, 27_000_000, 5 * 10**12)] == [
        "0 B", "999 B", "4.1 kB", "27 MB", "5.0 TB"
    ]  # fmt: skip
