"""The pictures of the tutorial "from a question to a shared dashboard" and of the reference: `make pictures`.

Follows the tutorial in Chromium on a generated day of traffic, in a directory that is removed, and writes PNG files
with few colours to ``docs/tutorial/pictures``. Then it takes those of `docs.gallery`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from PIL import Image

from docs import gallery
from rave_core.testing import free_port
from tests.http.browser import Browser, opened

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / "docs" / "tutorial" / "pictures"
RAVE = str(Path(sys.executable).parent / "rave")
DAY = "2024-05-14"
COLOURS = 96
WINDOW = (1000, 700)
CONFIG = """\
cache = ["memory://", "file://{place}/cache"]
products = "file://{place}/products"
documents = "sqlite:///{place}/documents.sqlite"
[plugins.flow]
directory = "{place}/flows"
[service]
bind = "127.0.0.1:{port}"
workers = 1
keys_file = "{place}/keys"
[service.permissions]
grace = ["view", "run", "refresh", "metrics", "debug", "purge"]
"""


@contextmanager
def service(place: Path, port: int) -> Iterator[list[str]]:
    """A service for a generated day; gives the API keys of ada, and of grace, who operates it."""
    (place / "rave.toml").write_text(CONFIG.format(place=place, port=port))
    flow = [RAVE, "flow", "generate", str(place / "flows"), "--day", DAY, "--flows", "30000"]
    subprocess.run(flow, cwd=place, check=True)
    keys = [_created(user, place) for user in ("ada", "grace")]
    process = subprocess.Popen([RAVE, "serve"], cwd=place)
    try:
        yield keys
    finally:
        process.terminate()
        process.wait()


def _created(user: str, place: Path) -> str:
    """A new API key."""
    command = [RAVE, "key", "create", user, "--keys-file", str(place / "keys")]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, check=True).stdout.split()[0]


def sign_in(browser: Browser, url: str, key: str) -> None:
    """Signs a user in, once the service answers."""
    while True:
        try:
            answer = requests.post(f"{url}/-/session", data={"key": key}, timeout=10)
            break
        except (requests.ConnectionError, requests.Timeout):  # its worker has not started
            time.sleep(0.2)
    token = re.match(r"rave=([\w-]+)", answer.headers["Set-Cookie"])
    assert token is not None
    browser.call("Network.setCookie", name="rave", value=token[1], url=url, httpOnly=True)


def take(browser: Browser, name: str, *, height: int = WINDOW[1]) -> None:
    """A picture of what the browser shows."""
    browser.until(
        "[...document.querySelectorAll('iframe')].every(each => !!each.contentDocument?.querySelector('main'))"
    )
    path = PICTURES / f"{name}.png"
    browser.picture(path)
    with Image.open(path) as image:
        cut = image.crop((0, 0, image.width, min(image.height, height)))
        cut.quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


def set_value(browser: Browser, selector: str, text: str) -> None:
    """Types a text into a field."""
    browser.value(f"document.querySelector({selector!r}).value = {text!r}")


def follow(browser: Browser, url: str) -> None:
    """Follows the tutorial, and takes its pictures."""
    browser.open(f"{url}/-/ui/flow/top")
    take(browser, "form", height=620)
    browser.open(f"{url}/flow/top?n=8&over=src")
    browser.until("!!document.querySelector('.tabs')")
    take(browser, "result", height=600)
    browser.open(f"{url}/-/ui/me?add=flow/top%3Fn%3D8%26over%3Dsrc")
    set_value(browser, "#board-title", "Our border")
    browser.click("button[value=dashboard]")
    set_value(browser, "#from", DAY)
    set_value(browser, "#to", "2024-05-15")
    set_value(browser, "#shared", "everyone")
    set_value(browser, "#variables", "over (Largest) = src | dst | port")
    set_value(browser, "#annotations", "flow/scans time=decided_at label=src where=verdict=scanner")
    panels = (
        ("The largest", "flow/top?n=8&over=$over", "bars rows=8", "0 0 5 4"),
        ("Traffic", "flow/count", "area x=ts y=bytes", "5 0 7 4"),
        ("By protocol", "flow/timeline", "", "0 4 7 5"),
        ("Who scans", "flow/scans", "table rows=5", "7 4 5 5"),
    )
    for at, (title, call, view, place) in enumerate(panels):
        for field, text in (("title", title), ("call", call), ("view", view), ("at", place)):
            set_value(browser, f"#{field}_{at}", text)
        browser.value(f"document.querySelector('#range_{at}').checked = true")
        if at == 1:
            take(browser, "edit", height=1960)
        if at + 1 < len(panels):
            browser.click("button[value=more]")
    browser.click("button[value=save]")
    for _ in range(2):  # what was being made is there the second time
        browser.until(
            "[...document.querySelectorAll('iframe')].every(each => !!each.contentDocument?.querySelector('time'))"
        )
        browser.open(f"{url}/-/ui/d/ada/our-border")
    take(browser, "dashboard", height=1200)


def main() -> None:
    """Makes all pictures."""
    PICTURES.mkdir(exist_ok=True)
    place, port = Path(tempfile.gettempdir()) / "traffic", free_port()  # its path is in a picture
    place.mkdir()
    try:
        with service(place, port) as (ada, grace), opened(place / "profile") as browser:
            sign_in(browser, f"http://127.0.0.1:{port}", ada)
            browser.mode("light")
            size = {"width": WINDOW[0], "height": WINDOW[1]}
            browser.call("Emulation.setDeviceMetricsOverride", **size, deviceScaleFactor=1, mobile=False)
            follow(browser, f"http://127.0.0.1:{port}")
            sign_in(browser, f"http://127.0.0.1:{port}", grace)
            gallery.take_all(browser, gallery.Service(f"http://127.0.0.1:{port}", grace))
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
