"""Every snippet of the documentation does what its page says.

A page is one session, from its first line to its last, in an empty directory and with no settings:

- ``python`` blocks are run, ``pycon`` blocks as well, and what they print is compared (``...`` stands for anything);
- a block with a caption is written to the file of that name;
- the commands of ``console`` blocks are run, and what they print is compared, if anything is shown. Each must succeed,
  so one that shows a failure ends in ``; echo $?``;
- ``rave serve`` is left running, as in a terminal of its own, until the page starts a service again or ends, and
  ``dask`` until the page ends. A page says ports 8888 and 8786; here they are free ones. While a service runs, a
  command is given again for a while if what it prints is not what is shown, since the service takes a moment to follow
  what is changed.
"""

from __future__ import annotations

import doctest
import logging
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from rave_core.runtime import runtime
from rave_core.testing import free_port

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
SHOWN_ONLY = {"cd", "git", "make", "source", "python3", "sudo"}
NOT_RUN = {"{toctree}", "{eval-rst}", "{figure}", "{image}", "{literalinclude}", "{note}", "{warning}"}
PROSE = {"", "text", "toml", "ini", "json", *NOT_RUN}
PLUGINS = ("guestbook", "dask", "valkey", "web")
PORT = "8888"  # of the service on every page
SCHEDULER = "8786"  # the port of a scheduler of Dask
ASKED_AGAIN = {"curl", "rave-get"}
PATIENCE = 20.0  # seconds
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.REPORT_ONLY_FIRST_FAILURE
FENCE = re.compile(r"( *)(```+) *(.*)")
OPTION = re.compile(r" *:(\w+): *(.*)")


def _not_needed(page: str) -> str:
    """Those of some plugins that a page does not mention: each costs every command a while."""
    return " ".join(name for name in PLUGINS if not re.search(rf"\b{name}", page, re.IGNORECASE))


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; ``line`` is the number of the line before its text."""

    language: str
    caption: str
    text: str
    line: int


def blocks_of(path: Path) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = path.read_text("utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.fullmatch(lines[at])
        at += 1
        if opening is None:
            continue
        indent, mark, info = opening.groups()
        start, options = at, dict[str, str]()
        while info.startswith("{") and (option := OPTION.fullmatch(lines[at])):
            options[option[1]] = option[2]
            at += 1
        first = at = at + (bool(options) and not lines[at].strip())
        while lines[at].strip() != mark:
            at += 1
        text = "".join(f"{line.removeprefix(indent)}\n" for line in lines[first:at])
        words = info.removeprefix("{code-block}").split()
        language = words[0] if words else ""
        yield Block(language, options.get("caption", ""), text, start)
        at += 1


class Session:
    """What somebody has who follows a page: a directory, an interpreter and a shell."""

    def __init__(self, path: Path, directory: Path) -> None:
        self.path = path
        self.directory = directory
        self.module = types.ModuleType("example")
        self.port, self.scheduler = str(free_port()), str(free_port())
        self.log = directory.parent / "service.log"
        self._service: subprocess.Popen[bytes] | None = None
        self._others: list[subprocess.Popen[bytes]] = []
        self.environ = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(directory),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1",
            "RAVE_DISABLED_PLUGINS": _not_needed(path.read_text("utf-8")),
        }

    def follow(self, block: Block) -> None:
        """Does what a reader would do with the block."""
        block = replace(block, text=block.text.replace(PORT, self.port).replace(SCHEDULER, self.scheduler))
        if block.caption:
            file = self.directory / block.caption
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.text, "utf-8")
        elif block.language == "python":
            code = compile("\n" * block.line + block.text, self.path, "exec", dont_inherit=True)
            exec(code, vars(self.module))
        elif block.language == "pycon":
            self._converse(block)
        elif block.language == "console":
            for command, expected in commands_of(block.text):
                self._type(command, expected)
        else:
            assert block.language in PROSE, f"{self.path}:{block.line}: {block.language!r} would not be tested"

    def _converse(self, block: Block) -> None:
        name, parser = f"{self.path.name}:{block.line}", doctest.DocTestParser()
        test = parser.get_doctest(block.text, {}, name, str(self.path), block.line)
        test.globs = vars(self.module)
        written: list[str] = []
        result = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=written.append, clear_globs=False)
        assert result.attempted, f"{name}: no prompt in this block"
        assert not result.failed, "".join(written)

    def _type(self, command: str, expected: str) -> None:
        first, *rest = shlex.split(command)
        if first == "pip":
            if rest in (["install", "-e", "."], ["install", "."]):
                self._install()
        elif first == "export":
            name, _, value = rest[0].partition("=")
            self.environ[name] = os.path.expandvars(value)
        elif command.startswith("rave serve") and ";" not in command:
            self._serve(command, expected)
        elif first == "dask":
            arguments = shlex.split(command)
            self._others.append(
                subprocess.Popen(arguments, cwd=self.directory, env=self.environ, stderr=subprocess.DEVNULL)
            )
        elif first not in SHOWN_ONLY:
            if first == "raved":
                self.close()  # it takes the port
            is_asked = self._service is not None or first in ASKED_AGAIN
            until = time.monotonic() + (PATIENCE if is_asked else 0)
            trouble = first_trouble = self._trouble(command, expected)
            while trouble:
                assert time.monotonic() < until, first_trouble
                time.sleep(0.2)
                trouble = self._trouble(command, expected)

    def _trouble(self, command: str, expected: str) -> str:
        """Runs a command; how it came out, if that is not as shown."""
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=self.directory,
            env=self.environ,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=100,
            check=False,
        )
        if ran.returncode == 0 and (not expected or is_like(ran.stdout, expected)):
            return ""
        log = self.log.read_text() if self.log.exists() else ""
        return f"$ {command}\nexpected:\n{expected}\ngot ({ran.returncode}):\n{ran.stdout}\nlog:\n{log}"

    def _serve(self, command: str, expected: str) -> None:
        """Starts a service, and waits until it serves."""
        self.close()
        bind = "" if "--bind" in command else f" --bind 127.0.0.1:{self.port}"
        with self.log.open("wb") as log:
            self._service = subprocess.Popen(
                ["bash", "-c", f"exec {command}{bind}"], cwd=self.directory, env=self.environ, stdout=log, stderr=log
            )
        until = time.monotonic() + 60
        while not re.search(r"^rave: serves ", self.log.read_text(), re.MULTILINE):
            assert self._service.poll() is None, f"$ {command}\n{self.log.read_text()}"
            assert time.monotonic() < until, f"$ {command}\n{self.log.read_text()}"
            time.sleep(0.05)
        assert not expected or is_like(self.log.read_text(), expected), f"$ {command}\n{self.log.read_text()}"

    def end(self) -> None:
        """Stops everything that the page has left running."""
        self.close()
        for process in self._others:
            process.terminate()
        for process in self._others:
            process.wait(30)

    def close(self) -> None:
        """Stops the service, and a daemon that the page has left behind."""
        for file in self.directory.glob("*.pid"):
            os.kill(int(file.read_text()), signal.SIGTERM)
        if self._service is not None and self._service.poll() is None:
            self._service.send_signal(signal.SIGTERM)
            assert self._service.wait(60) == 0, self.log.read_text()

    def _install(self) -> None:
        """As much of an editable install as a later process looks at: the name, and the entry points."""
        project = tomllib.loads((self.directory / "pyproject.toml").read_text("utf-8"))["project"]
        info = self.directory / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
        groups = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project.get("entry-points", {}).items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups))


def is_like(printed: str, expected: str) -> bool:
    """Whether a text is as expected, where ``...`` stands for anything and all white space is alike."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in expected.split("...")]
    return re.fullmatch(r"\s*" + r".*".join(rf"{part}\s*" for part in parts), printed, re.DOTALL) is not None


def commands_of(text: str) -> Iterator[tuple[str, str]]:
    """The commands after ``$``, each with the lines that it is shown to print; a comment after two blanks is cut."""
    command, printed = "", list[str]()
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, "".join(printed)
            command, printed = re.split(r"  +# ", line[2:])[0].strip(), []
        else:
            printed.append(f"{line}\n")
    if command:
        yield command, "".join(printed)


@pytest.fixture
def _own_runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process's own runtime is made in the page's empty home, counts from 0, and is forgotten afterwards."""
    monkeypatch.setattr(logging, "statistics", {}, raising=False)
    runtime.reset()
    yield
    runtime.reset()


@pytest.mark.usefixtures("_own_runtime")
@pytest.mark.parametrize("path", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_does_what_it_says(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever follows the page from top to bottom sees what it shows."""
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "rave.toml").touch()  # so that no file further up counts
    (Path.home() / ".curlrc").write_text("no-progress-meter\n")  # as on a terminal
    session = Session(path, here)
    monkeypatch.chdir(here)
    monkeypatch.setitem(sys.modules, "example", session.module)
    if "$ curl " in path.read_text("utf-8") and shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    try:
        for block in blocks_of(path):
            session.follow(block)
    finally:
        session.end()


def test_blocks_are_found_with_language_caption_and_place(tmp_path: Path) -> None:
    """In lists as well, and with the options of a directive."""
    page = tmp_path / "page.md"
    page.write_text("a\n\n- b\n\n  ```python\n  x = 1\n  ```\n\n```{code-block} toml\n:caption: a/b.toml\n\n[t]\n```\n")
    assert list(blocks_of(page)) == [
        Block("python", "", "x = 1\n", 5),
        Block("toml", "a/b.toml", "[t]\n", 9),
    ]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "assert False"),
        ("pycon", ">>> 1 + 1\n3\n"),
        ("pycon", "no prompt\n"),
        ("console", "$ false\n"),
        ("console", "$ echo one\ntwo\n"),
        ("console", "$ rave serve --no-such-switch\n"),
        ("py", "a language that nobody runs"),
    ],
)
def test_a_wrong_snippet_fails(language: str, text: str, tmp_path: Path) -> None:
    """The tests above can fail: code that raises, output that differs, a command that fails, an unknown language."""
    page = tmp_path / "page.md"
    page.touch()
    session: Any = Session(page, tmp_path)
    with pytest.raises(AssertionError):
        session.follow(Block(language, "", text, 0))


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_of_a_page_outside_of_sphinx_lead_somewhere(name: str) -> None:
    """Sphinx checks those below ``docs/``; these pages it never sees."""
    links = re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text("utf-8"))
    broken = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert not broken
