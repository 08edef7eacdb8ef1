"""What the service answers below ``/-/monitor``: the page, and the paths of woodstock."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from falcon import HTTPNotFound
from falcon.asgi import App
from falcon.testing import TestClient
from falcon.util.sync import wrap_sync_to_async
from rave_monitor.checkpoint import Checkpoint, Sample
from rave_monitor.page import MonitorPage
from rave_monitor.sample_database import SampleDatabase
from rave_monitor.sample_store import SampleStore

from rave_core import Runtime, Settings
from rave_core.testing import free_port

START = 1_200_000_000
SETTINGS = """\
cache = "file://{place}/cache"
products = "file://{place}/products"
documents = "sqlite:///{place}/documents.sqlite"
disabled_plugins = ["example", "flow", "sql", "valkey", "web", "journal", "guestbook", "dask"]
[service]
bind = "127.0.0.1:{port}"
workers = 1
anonymous = ["view", "run", "debug"]
[plugins.monitor]
documents = "sqlite:///{place}/monitor.sqlite"
configs = ["{place}/live.toml"]
"""
LIVE = """\
name = "live"
sample_period = "0.1s"
documents = "sqlite:///monitor.sqlite"
[[readers]]
kind = "lines"
path = "live.log"
[[processors]]
kind = "counter"
name = "count"
[[alarms]]
name = "any"
when = "count.n > 0"
"""
PAGE = """\
# Traffic <script>

There were **{value count.n}** events, {value state.deep.a} deep. {sparkline count.n} {plot count.n day}

| tag | is |
|---|---|
| no key | {value count.none} |
| no number | {plot state.is} |
| no tag | {valeu count.n} |
| no range | {plot count.n decade} |
| too little | {value} |

{alarms} and `{value count.n}` and \\{value count.n}
"""
SAMPLES = [
    Sample(name, float(START + second), values)
    for second in range(180)
    for name, values in (
        ("count", {"n": second, "<b>": "<i>"}),
        ("state", {"is": "odd" if second % 2 else "even", "deep": {"a": 1}}),
    )
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the service keeps what it has."""
    return tmp_path_factory.mktemp("paths")


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    """A service that runs a monitor beside its worker, over samples of another one."""
    port = free_port()
    store = SampleStore(SampleDatabase(f"sqlite:///{place}/monitor.sqlite"), "monitor")
    store.claim(1)
    status = {
        "host": "h", "written": float(START), "period": 1.0, "events": 180, "notices": ["<b>told</b>"], "alarms": [],
        "readers": [], "writers": [], "rules": ["<b>wrong"], "reload_error": "", "notify_trouble": "",
        "processors": [{"name": "count", "error": ""}, {"name": "gone", "error": "<b>"}],
    }  # fmt: skip
    store.commit(1, Checkpoint(settled=START + 180.0), SAMPLES, status)
    store.database.close()
    with Runtime(Settings(documents=f"sqlite:///{place}/documents.sqlite")) as runtime:
        runtime.documents.save("journal:pages", "main", PAGE.encode(), expect=0, author="somebody")
    (place / "live.toml").write_text(LIVE)
    (place / "live.log").write_text("1\n2\n3\n")
    (place / "rave.toml").write_text(SETTINGS.format(place=place, port=port))
    environ = {**os.environ, "RAVE_CONFIG": str(place / "rave.toml"), "HOME": str(place)}
    with (place / "service.log").open("wb") as log:
        command = [str(Path(sys.executable).parent / "rave"), "serve"]
        process = subprocess.Popen(command, cwd=place, env=environ, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: requests.get(f"{base}/-/readyz", timeout=10).ok)
        yield base
    finally:
        process.terminate()
        process.wait(40)


def wait_for(condition: Any) -> Any:
    """Waits for what a condition gives."""
    until = time.monotonic() + 60
    while True:
        try:
            if found := condition():
                return found
        except requests.RequestException:
            pass
        assert time.monotonic() < until
        time.sleep(0.05)


def get(url: str, path: str, **options: Any) -> requests.Response:
    """What a path of the service gives."""
    return requests.get(f"{url}/-/monitor{path}", timeout=30, **options)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/count/n", 179),
        ("/state/is", "odd"),
        ("/state/deep.a", 1),
        (f"/count/n/{START}..{START + 3}?unit=s", [[START + 2, 2], [START + 1, 1], [START, 0]]),
        (f"/count/n/{START / 60}..{START / 60 + 0.05}", [[(START + n) / 60, n] for n in (2, 1)] + [[START // 60, 0]]),
        (f"/count/n/{START}..{START + 4}?unit=s&state.is=odd", [[START + 3, 3], [START + 1, 1]]),
        (f"/count/n/{START}..{START + 4}?unit=s&state.is=odd&count.n=3", [[START + 3, 3]]),
    ],
)
def test_values_are_answered(url: str, path: str, wanted: Any) -> None:
    """The latest, or those of a range, newest first, in minutes or seconds."""
    answer = get(url, path)
    assert (answer.status_code, answer.json()) == (200, wanted)


def test_all_is_everything(url: str) -> None:
    """And an hour is too late for these samples."""
    assert len(get(url, "/count/n/all").json()) == 180
    assert get(url, "/count/n/hour").status_code == 404


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/nobody/n", 404, "no sample of 'nobody'"),
        ("/count/none", 404, "has 'none'"),
        ("/count/none/all", 404, "has 'none'"),
        (f"/count/n/{START}..{START + 4}?unit=s&state.is=up", 404, "and fits"),
        (f"/count/n/{START + 4}..{START}?unit=s", 404, "reversed"),
        ("/count/n/yesterday", 404, "expected start..end, or one of hour"),
        ("/count/n/nan..inf", 404, "is no range"),
        ("/count/n/all?unit=h", 400, "expected 'm' for minutes"),
        ("/count/n/all?state.is=odd&state.is=even", 400, "given twice"),
        ("/count/n/all?state=odd", 400, "write processor.key=value"),
        ("/count/n?monitor=a%20b", 400, "expected letters"),
        ("?monitor=other", 404, "known: "),
    ],
)
def test_what_can_not_be_answered_is_told(url: str, path: str, status: int, told: str) -> None:
    """As a problem that says what would be right."""
    answer = get(url, path)
    assert answer.status_code == status
    assert told in answer.json()["detail"]


def test_the_page_shows_what_was_sampled_and_escapes_it(url: str) -> None:
    """It loads itself anew."""
    answer = get(url, "", headers={"Accept": "text/html"})
    assert answer.headers["Refresh"] == "5"
    for wanted in (
        "&lt;i&gt;",
        "&lt;b&gt;told",
        "Nobody leads it",
        "disabled: &lt;b&gt;",
        "monitor/sparkline/svg?processor=count",
    ):
        assert wanted in answer.text
    assert "<i>" not in answer.text


def test_a_monitor_beside_the_workers_is_followed_by_the_page(url: str) -> None:
    """Its samples and alarms are there soon."""
    wait_for(lambda: get(url, "/count/n?monitor=live").text == "3")
    found = wait_for(lambda: get(url, "?monitor=live").json())
    assert found["samples"]["count"]["values"]["n"] == 3
    wait_for(lambda: get(url, "?monitor=live").json()["status"]["alarms"][0]["state"] == "firing")
    assert "alarm-firing" in get(url, "?monitor=live", headers={"Accept": "text/html"}).text


def test_readiness_tells_that_samples_can_not_be_written(url: str, place: Path) -> None:
    """For as long as the database of a monitor beside the workers is away."""

    def told() -> str | None:
        answer = requests.get(f"{url}/-/readyz", timeout=30).json()
        return answer["parts"]["service monitor:live"] if "service monitor:live" in answer["degraded"] else None

    wait_for(lambda: get(url, "/count/n?monitor=live").ok)
    database, away = place / "monitor.sqlite", place / "away"
    database.rename(away)
    try:
        assert "was in use and is gone" in wait_for(told)
    finally:
        away.rename(database)
    wait_for(lambda: told() is None)


def test_a_written_page_shows_values_and_what_fails_in_its_place(url: str) -> None:
    """Markdown with tags; HTML in it is text."""
    html = {"accept": "text/html"}
    page = requests.get(f"{url}/-/monitor?page=main", headers=html, timeout=30)
    assert page.status_code == 200
    for wanted in (
        "<h1>Traffic &lt;script&gt;</h1>",
        "There were <strong>179</strong> events, 1 deep.",
        '/monitor/sparkline/svg?processor=count&amp;key=n&amp;monitor=monitor"',
        "value count.none: the latest sample of &#x27;count&#x27; has no &#x27;none&#x27;",
        "plot state.is: its latest value is no number",
        "valeu count.n: there is no such tag; did you mean &#x27;value&#x27;?",
        "plot count.n decade: there is no range",
        "value: expected {value processor.key}",
        "no alarms and <code>{value count.n}</code> and {value count.n}",
    ):
        assert wanted in page.text
    for name in ("none", "a b"):
        missing = requests.get(f"{url}/-/monitor", params={"page": name}, headers=html, timeout=30)
        assert missing.status_code == 404


def test_who_follows_the_menu_sees_which_monitors_there_are(tmp_path: Path) -> None:
    """None at first; programs are told of none."""
    database = f"sqlite:///{tmp_path}/monitor.sqlite"
    pages: list[str] = []
    context: Any = SimpleNamespace(
        settings=Settings(plugins={"monitor": {"documents": database}}),
        links=SimpleNamespace(base="/base"),
        prefers=lambda req, *offered: req.accept,
        send_page=lambda resp, title, content, **_: pages.append(content),
        Problem=lambda slug, detail: HTTPNotFound(description=detail),
    )
    app = App()
    app.add_route("/-/monitor", SimpleNamespace(on_get=wrap_sync_to_async(MonitorPage(context).on_get)))
    client = TestClient(app)
    assert client.get("/-/monitor", headers={"Accept": "text/html"}).status_code == 200
    SampleStore(SampleDatabase(database), "edge").claim(1)
    assert client.get("/-/monitor", headers={"Accept": "text/html"}).status_code == 200
    assert "rave monitor run CONFIG" in pages[0]
    assert '<a href="/base/-/monitor?monitor=edge">edge</a>' in pages[1]
    assert client.get("/-/monitor", headers={"Accept": "application/json"}).status_code == 404
