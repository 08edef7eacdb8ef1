"""A day of network flow, asked twice, and then served over HTTP: `make demo`.

Generates a day of traffic in ``.demo``, asks six questions about it with the ``rave`` command, and asks them again to
show the difference. Then it starts the service and says what to open in a browser, first a dashboard of the day.
Meanwhile the day is written again within six minutes, and a monitor watches that: a page shows it live, and an alarm
fires when somebody scans. Ctrl-C ends it. All its files are in ``.demo``; ``make clean`` removes them.

``make demo ARGS=--no-serve`` does not start the service; ``ARGS="--port 9000"`` chooses its port.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from rave_core.documents import open_store

DAY = "2024-05-14"
FLOWS = "200000"
PLACE = Path(__file__).resolve().parent.parent / ".demo"
CONFIG = f"""\
cache = ["memory://", "file://{PLACE}/cache?max_bytes=1GiB"]
products = ["file://{PLACE}/products?max_bytes=1GiB"]
documents = "sqlite:///{PLACE}/documents.sqlite"

[plugins.flow]
directory = "{PLACE}/flows"

[plugins.monitor]
documents = "sqlite:///{PLACE}/monitor.sqlite"
configs = ["{PLACE}/monitor.toml"]

[service]
keys_file = "{PLACE}/keys"
"""
DASHBOARD = "day"


@dataclass(frozen=True)
class Question:
    """Something to ask of the day, and the command that asks it."""

    text: str
    command: tuple[str, ...]


QUESTIONS = (
    Question("Who sends most?", ("run", "flow/top", "n=5", "by=bytes", "over=src", "--format", "table")),
    Question("How does the day go, in six hours?", ("run", "flow/count", "bin=6h", "--format", "table")),
    Question("What was asked for, hour by hour?", ("run", "flow/daily", f"day={DAY}", "n=2", "-o", "daily.csv")),
    Question("And in a picture?", ("run", "flow/timeline", "-o", "timeline.png")),
    Question("Who calls home?", ("run", "flow/beacons", "score=0.9", "least=100", "-o", "beacons.csv")),
    Question("Who tries what is not there?", ("run", "flow/fanout", "-o", "fanout.png")),
)


def rave(*arguments: str) -> float:
    """Runs the ``rave`` command of this environment in ``.demo``; returns the seconds it took.

    Raises:
        SystemExit: the command failed; it has said why.
    """
    command = shutil.which("rave", path=Path(sys.executable).parent)
    environment = {**os.environ, "RAVE_CONFIG": str(PLACE / "rave.toml")}
    started = time.perf_counter()
    done = subprocess.run([command or "rave", *arguments], cwd=PLACE, env=environment, check=False)
    if done.returncode:
        raise SystemExit(f"rave {' '.join(arguments)}: exit code {done.returncode}")
    return time.perf_counter() - started


def new_key() -> str:
    """An API key for the user ``demo``; earlier ones are gone."""
    (PLACE / "keys").unlink(missing_ok=True)
    command = [shutil.which("rave", path=Path(sys.executable).parent) or "rave", "key", "create", "demo"]
    done = subprocess.run([*command, "--keys-file", PLACE / "keys"], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


def save_dashboard(port: int, key: str, process: subprocess.Popen[bytes]) -> None:
    """Saves the dashboard of the day once the service answers, unless it ends before."""
    content = Path(__file__).with_name("dashboard.json").read_bytes()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    while process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.request("PUT", f"/-/dashboards/demo/{DASHBOARD}", content, headers)
            if connection.getresponse().status == HTTPStatus.OK:
                return
        except (OSError, HTTPException):  # it does not listen yet
            pass
        finally:
            connection.close()
        time.sleep(0.2)


def serve(port: int) -> None:
    """Runs the service until Ctrl-C."""
    url, key = f"http://127.0.0.1:{port}", new_key()
    heading("The same operations over HTTP")
    print(
        f"Open in a browser:\n"
        f"  {url}/-/ui/d/demo/{DASHBOARD}                      # a dashboard of the day\n"
        f"  {url}/                                      # all operations, each with a form\n"
        f"  {url}/flow/top?n=10                         # a table, already cached\n"
        f"  {url}/flow/timeline                         # the picture\n"
        f"  {url}/flow/scans?rave.f=html                # who scans, and why\n"
        f"  {url}/flow/addresses?prefix=12              # where in the IPv4 space\n"
        f"  {url}/flow/daily?day={DAY}&rave.f=html  # the day's report\n"
        f"  {url}/-/monitor?page=day                    # the day as it is written, and an alarm at 14:00\n"
        f"  {url}/-/ui/status                           # the state of the service\n"
        f"or, in another terminal:\n"
        f"  curl '{url}/flow/top?n=5&rave.f=csv'\n"
        f"  {Path(sys.executable).parent / 'rave-get'} '{url}/flow/timeline?by=flows' -o flows.png\n"
        f"To edit the dashboard, and to save calls: sign in at {url}/-/session with the key\n"
        f"  {key}\n"
        "Ctrl-C stops it.",
        flush=True,
    )
    environment = {**os.environ, "RAVE_CONFIG": str(PLACE / "rave.toml")}
    command = [shutil.which("rave", path=Path(sys.executable).parent) or "rave", "serve", "--bind", f"127.0.0.1:{port}"]
    prepare_monitor()
    process = subprocess.Popen(command, cwd=PLACE, env=environment)
    threading.Thread(target=save_dashboard, args=(port, key, process), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the service gets it too, and ends by itself
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    with subprocess.Popen(writing_again(), stderr=subprocess.DEVNULL) as writing:
        failed = process.wait()
        writing.terminate()
    if failed:
        raise SystemExit(f"rave serve: exit code {process.returncode}; is port {port} taken? Try ARGS='--port 9000'")


def prepare_monitor() -> None:
    """Gives the monitor its configuration and its page. It begins anew with the day."""
    shutil.rmtree(PLACE / "live", ignore_errors=True)
    for file in PLACE.glob("monitor.sqlite*"):
        file.unlink()
    shutil.copy(Path(__file__).with_name("monitor.toml"), PLACE)
    page = Path(__file__).with_name("monitor_page.md").read_bytes()
    store = open_store(f"sqlite:///{PLACE}/documents.sqlite")
    newest = store.get("journal:pages", "day")
    if newest is None or newest.payload != page:
        version = 0 if newest is None else newest.metadata.version
        store.save("journal:pages", "day", page, expect=version, author="demo")
    store.close()


def writing_again() -> list[str]:
    """The command that writes the day again, once the monitor is there."""
    program = Path(__file__).with_name("live_day.py")
    paths = [PLACE / "flows" / DAY, PLACE / "live" / "conn.log", "--after", PLACE / "monitor.sqlite"]
    return [sys.executable, *map(str, [program, *paths])]


def heading(text: str) -> None:
    """A line that stands out."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}{text}{plain}", flush=True)


def ask() -> list[float]:
    """Asks every question in its own process; returns the seconds of each."""
    seconds = []
    for question in QUESTIONS:
        heading(question.text)
        print(f"$ rave {' '.join(question.command)}", flush=True)
        seconds.append(rave(*question.command))
    return seconds


def main() -> None:
    """Generates the day if it does not exist, asks twice, and serves."""
    parser = argparse.ArgumentParser(description="A day of network flow, asked twice, and then served over HTTP.")
    parser.add_argument("--no-serve", action="store_true", help="end without starting the service")
    parser.add_argument("--port", type=int, default=8888, help="where the service listens (8888)")
    arguments = parser.parse_args()
    PLACE.mkdir(exist_ok=True)
    (PLACE / "rave.toml").write_text(CONFIG, encoding="utf-8")
    if not (PLACE / "flows" / DAY).is_dir():
        heading(f"A day of traffic: {FLOWS} flows of {DAY}")
        rave("flow", "generate", str(PLACE / "flows"), "--day", DAY, "--flows", FLOWS)
    for cache in ("cache", "products"):
        shutil.rmtree(PLACE / cache, ignore_errors=True)
    first = ask()
    heading("The same questions again, from new processes")
    again = [
        rave(*question.command, *(() if "-o" in question.command else ("-o", os.devnull))) for question in QUESTIONS
    ]
    print(f"\n{'question':40}{'first':>9}{'again':>9}")
    for question, one, two in zip(QUESTIONS, first, again, strict=True):
        print(f"{question.text:40}{one:7.2f} s{two:7.2f} s")
    print(f"\nThe pictures: {PLACE / 'timeline.png'}, {PLACE / 'fanout.png'}")
    print(f"The tables:   {PLACE / 'daily.csv'}, {PLACE / 'beacons.csv'}")
    heading("What to try next")
    print(
        f"export RAVE_CONFIG={PLACE / 'rave.toml'} PATH={Path(sys.executable).parent}:$PATH\n"
        "rave list                                    # all operations\n"
        "rave describe flow/top                       # what it takes\n"
        "rave run flow/top n=3 by=flows over=dst_port # another question\n"
        "rave cache stats                             # what is cached, and what it saves\n"
        "rave doctor                                  # whether everything works"
    )
    if not arguments.no_serve:
        serve(arguments.port)


if __name__ == "__main__":
    main()
