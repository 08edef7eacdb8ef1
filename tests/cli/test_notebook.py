"""``%load_ext rave_core`` in a real kernel of a notebook, and at a prompt on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

LAB = '''
import time
from pathlib import Path
from typing import Literal
from rave_core import op, progress, typemap

@op(version=1)
@typemap(int, Literal["sum", "product"])
def add(a, kind="sum"):
    """Adds."""
    return [{"a": a, "kind": kind}]

@op(version=1)
async def later(n):
    return -n

@op(version=1)
def stir(flag):
    """Stirs until the flag is there."""
    progress(3, 4, "<b>stirring")
    while not Path(flag).exists():
        time.sleep(0.02)
    return "done"

__export__ = {"add": add, "later": later, "stir": stir}
'''
PATIENCE = 60


class Notebook:
    """Sends cells to a kernel, and gives what it answers."""

    def __init__(self, client: BlockingKernelClient, place: Path) -> None:
        self.client = client
        self.place = place

    def run(self, code: str, seen: Callable[[str, dict[str, Any]], object] = lambda *_: None) -> list[tuple[str, Any]]:
        """The messages of a cell, as kind and content; ``seen`` gets each as it comes."""
        found: list[tuple[str, Any]] = []

        def take(message: dict[str, Any]) -> None:
            kind, content = message["msg_type"], message["content"]
            if kind not in ("status", "execute_input"):
                found.append((kind, content))
                seen(kind, content)

        reply = self.client.execute_interactive(code, output_hook=take, timeout=PATIENCE, allow_stdin=False)
        return [*found, ("reply", reply["content"]["status"])]

    def text(self, code: str) -> str:
        """All that a cell shows, as text."""
        shown = [content for _, content in self.run(code) if isinstance(content, dict)]
        return "\n".join(each.get("text") or each.get("data", {}).get("text/plain", "") for each in shown)

    def completed(self, code: str) -> list[str]:
        """What can stand at the end of a text."""
        found = self.client.complete(code, reply=True, timeout=PATIENCE)
        matches: list[str] = found["content"]["matches"]
        return matches


def environment(place: Path) -> dict[str, str]:
    """That of a prompt or kernel with the namespace ``lab``, and caches and settings of its own."""
    (place / "lab").mkdir(exist_ok=True)
    (place / "lab/__init__.py").write_text(LAB)
    (place / "rave.toml").write_text(
        f'cache = ["memory://", "file://{place}/cache"]\nproducts = "file://{place}/products"\n'
        f'[namespaces]\nlab = "{place}/lab"\n'
    )
    own = {name: str(place) for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    return {**os.environ, **own, "HOME": str(place), "RAVE_CONFIG": str(place / "rave.toml"), "TERM": "xterm"}


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    """A kernel that has loaded the extension."""
    place = tmp_path_factory.mktemp("kernel")
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager = KernelManager(transport="ipc", connection_file=str(place / "kernel.json"))
    manager._kernel_spec = KernelSpec(argv=command, language="python", display_name="Python")
    manager.start_kernel(env=environment(place), cwd=str(place), stderr=subprocess.DEVNULL)
    client = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=PATIENCE)
        book = Notebook(client, place)
        assert book.run("%load_ext rave_core") == [("reply", "ok")]
        book.run("%config Completer.use_jedi = False")  # it adds names of Python, and takes seconds
        yield book
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def test_a_line_gives_the_outcome_of_a_call(notebook: Notebook) -> None:
    """Read as a command reads it; the notebook shows how it came about, and a table."""
    notebook.run("answer = %rave lab/add 5 kind=product")
    (kind, content), reply = notebook.run("%rave lab/add kind=product a=5")
    assert (kind, reply) == ("execute_result", ("reply", "ok"))
    assert content["data"]["text/plain"].startswith("hit · made ")
    assert "<td>product</td>" in content["data"]["text/html"]
    assert notebook.text("answer.value, answer.status.value") == "([{'a': 5, 'kind': 'product'}], 'miss')"
    assert "refreshed · " in notebook.text("%rave --refresh lab/add 5 product")
    assert notebook.text("x = %rave lab/later 3\nx.value") == "-3"


def test_a_line_explains_and_plans(notebook: Notebook) -> None:
    """Nothing is run."""
    assert "lab/add(a=61, kind='sum'): miss, since " in notebook.text("%rave --explain lab/add 61")
    found = notebook.run("%rave --plan lab/add 62")[0][1]["data"]
    assert found["text/plain"].startswith("It has to run; ")
    assert "<td>lab/add(a=62, kind=&#x27;sum&#x27;)</td><td>run</td>" in found["text/html"]
    assert "miss" in notebook.text("%rave --explain lab/add 62")
    assert "nothing is stored" in notebook.text("%rave --dry-run lab/add 62")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("%rave", "which operation? %rave NS/OP"),
        ("%rave lab/ad 5", "no operation is called 'lab/ad'; did you mean 'lab/add'?"),
        ("%rave lab/add x", "argument 'a' is 'x', wanted int"),
        ("%rave lab/add 'x", "No closing quotation"),
        ("%rave --pln lab/add 5", "there is no switch '--pln' here; did you mean '--plan'?"),
        ("%rave --plan --refresh lab/add 5", "--plan runs nothing, so no other switch goes with it"),
        ("%%rave --plan\n1", "the cell is not one call of an operation, such as top(n=5)"),
        ("%%rave --plan\nprint(1)", "print is no operation"),
        ("%%rave --explain\nx = 1\nprint(x)", "the cell is not one call of an operation"),
        ("%%rave --dry-run\n1", "there is no switch '--dry-run' here"),
        ("%%rave --server http://x\n1", "takes no '--server'"),
        ("%%rave lab/add\n1", "takes no 'lab/add'; calls stand in the cell"),
    ],
)
def test_a_mistake_is_one_line(notebook: Notebook, code: str, words: str) -> None:
    """Without a traceback, and the cell counts as failed."""
    *shown, reply = notebook.run(code)
    assert reply == ("reply", "error")
    assert {kind for kind, _ in shown} == {"stream"}
    said = "".join(content["text"] for _, content in shown)  # a busy kernel sends the end of the line by itself
    assert words in said
    assert said.count("\n") == 1


def test_a_cell_counts_what_it_asked_for(notebook: Notebook) -> None:
    """Its last expression is shown as ever, and functions of the cell can be operations."""
    shown = notebook.text("%%rave\nfrom rave_core import op\n@op\ndef f(x):\n    return x + 1\nf(1); f(1); f(2)\nf(1)")
    assert shown.splitlines()[0] == "2"
    assert shown.splitlines()[1].startswith("2 hits, 2 made, saved ")
    assert notebook.text("%%rave\nf(1);").startswith("1 hit, 0 made, saved ")
    assert "refreshed" in notebook.text("%%rave --deep-refresh\nf.resolve(1).status.value")
    assert notebook.text("%%rave\nx = 1").startswith("no operation was called; the cell took ")
    assert notebook.text("f(1)") == "2"


def test_a_cell_of_one_call_is_explained_planned_and_computed_again(notebook: Notebook) -> None:
    """Its arguments may use variables; only the last of these calls it."""
    notebook.run("from lab import add as taken, later as behind\nmany = [70, 71]\nmore = dict(kind='product')")
    assert notebook.text("%%rave --explain\ntaken(many[1], **more)").startswith("lab:add(a=71, kind='product'): miss")
    assert "It has to run" in notebook.text("%%rave --plan\ntaken(*many[:1])")
    assert "miss" in notebook.text("%%rave --explain\ntaken(many[0])")
    shown = notebook.text("%%rave --refresh\ntaken(\n    sum(many),\n)")
    assert "refreshed · made " in shown
    assert "0 hits, 1 made; the cell took " in shown
    assert "refreshed" in notebook.text("%%rave --refresh\nawait behind(many[0])")
    assert "wanted int" in notebook.text("%%rave --plan\ntaken('x')")
    assert notebook.run("%%rave --plan\ntaken(1 / 0)")[0][1]["ename"] == "ZeroDivisionError"


def test_a_cell_that_fails_fails(notebook: Notebook) -> None:
    """With the exception of its own code."""
    found = notebook.run("%%rave\ndef broken():\n    1 / 0\nbroken()")
    assert found[-1] == ("reply", "error")
    assert [content["ename"] for kind, content in found if kind == "error"] == ["ZeroDivisionError"]


def test_a_long_call_shows_how_far_it_is(notebook: Notebook) -> None:
    """In one display, which the count of the cell replaces in the end; nothing of a report is markup."""
    flag = notebook.place / "stirred"
    displays: list[tuple[str, dict[str, str]]] = []

    def seen(kind: str, content: dict[str, Any]) -> None:
        if "display_data" in kind:
            displays.append((content["transient"]["display_id"], content["data"]))
            if "75%" in content["data"]["text/plain"]:
                flag.touch()

    assert notebook.run(f"%rave lab/stir {flag}", seen)[-1] == ("reply", "ok")
    assert len({name for name, _ in displays}) == 1
    shown = next(data for _, data in displays if "75%" in data["text/plain"])
    assert shown["text/plain"].startswith("lab/stir · 75% · <b>stirring · ")
    assert shown["text/html"].startswith(
        '<progress max="100" value="75"></progress> lab/stir · 75% · &lt;b&gt;stirring'
    )
    assert displays[-1][1]["text/plain"].startswith("0 hits, 1 made; the cell took ")


def test_operations_and_arguments_are_completed(notebook: Notebook) -> None:
    """Names, parameters not given yet, values of those with few, and switches."""
    assert {"lab/add", "lab/later", "lab/stir"} <= set(notebook.completed("%rave lab/"))
    assert {"a=", "kind="} <= set(notebook.completed("%rave lab/add "))
    assert "kind=" not in notebook.completed("%rave --refresh lab/add kind=sum ")
    assert {"sum", "product"} <= set(notebook.completed("%rave lab/add 5 kind="))
    assert "sum" not in notebook.completed("%rave lab/add 5 kind=p")
    assert {"--plan", "--refresh"} <= set(notebook.completed("%rave --"))
    assert {"--deep-refresh", "--explain"} <= set(notebook.completed("%%rave --"))


def test_the_extension_is_loaded_again_and_removed(notebook: Notebook) -> None:
    """Loading it again finds new operations, since it reads the namespaces anew."""
    assert "no operation is called 'lab/more'" in notebook.text("%rave lab/more 1")  # the namespaces are read by now
    (notebook.place / "lab/__init__.py").write_text(LAB.replace('"add": add', '"add": add, "more": add'))
    assert "no operation is called 'lab/more'" in notebook.text("%rave lab/more 1")
    notebook.run("%reload_ext rave_core")
    assert "miss" in notebook.text("%rave lab/more 1")
    notebook.run("%unload_ext rave_core")
    try:
        assert "`%rave` not found" in notebook.text("%rave lab/more 1")
        assert "lab/add" not in notebook.completed("%rave lab/")
        assert "cell took" not in notebook.text("1")
    finally:
        (notebook.place / "lab/__init__.py").write_text(LAB)
        notebook.run("%load_ext rave_core")


def test_a_prompt_on_a_terminal_shows_a_bar(tmp_path: Path) -> None:
    """``rave shell`` has the extension; the bar is on standard error, and vanishes for one line."""
    flag = tmp_path / "stirred"
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        [str(Path(sys.executable).parent / "rave"), "shell"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(tmp_path),
        cwd=tmp_path,
        text=True,
    )
    os.close(theirs)
    shown = bytearray()

    def watch() -> None:
        while True:
            try:
                shown.extend(os.read(ours, 1 << 16))
            except OSError:  # the other end is closed
                return
            if b"stirring" in shown:
                flag.touch()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        printed, _ = shell.communicate(f"%rave lab/stir {flag}\nexit\n", timeout=PATIENCE)
    finally:
        shell.kill()
        thread.join()
        os.close(ours)
    assert "miss · made " in printed
    assert b"stirring" in shown
    assert b"rave: 0 hits, 1 made; the cell took " in shown
