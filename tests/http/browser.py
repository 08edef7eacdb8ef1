"""Chromium for tests, driven over a pipe by its DevTools protocol: what it shows, says and measures."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

BROWSER = shutil.which("chromium")
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)
MODES = {
    "light": (1280, 800, "light", True),
    "dark": (1280, 800, "dark", True),
    "phone": (320, 700, "light", True),
    "no-script": (1280, 800, "light", False),
}
"""Width and height of the window, the wanted colours, and whether scripts run."""
SECONDS = 60.0
ATTEMPTS = 5
AXE = {"iframes": False, "rules": {"meta-refresh": {"enabled": False}}}
FOUND = "all => JSON.stringify(all.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html)))"


class Browser:
    """One tab of a browser.

    Attributes:
        said: what the console, the network and the policy of the page reported since the last `open`.
        asked: the URLs that were requested since then.
    """

    def __init__(self, profile: Path) -> None:
        assert BROWSER is not None  # the fixture looked
        # Chromium reads commands from descriptor 3 and writes to 4.
        theirs_in, self._out = os.pipe()
        self._in, theirs_out = os.pipe()
        command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        arguments = [BROWSER, *SWITCHES, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", command, *arguments],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._rest, self._last, self._session = b"", 0, ""
        self._events: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.asked: list[str] = []
        self._attach()

    def _attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """Ends the browser."""
        self._process.kill()
        self._process.wait()
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Sends a command, and gives its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._last:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], SECONDS)
            assert ready, "the browser says nothing"
            chunk = os.read(self._in, 1 << 20)
            assert chunk, "the browser has ended"
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        if "method" in message:
            self._note(message)
        return message

    def _note(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        facts = event["params"]
        if event["method"] == "Log.entryAdded":
            self.said.append(f"{facts['entry']['text']} {facts['entry'].get('url', '')}")
        elif event["method"] == "Runtime.consoleAPICalled":
            self.said.append(json.dumps(facts["args"]))
        elif event["method"] == "Runtime.exceptionThrown":
            self.said.append(json.dumps(facts["exceptionDetails"]))
        elif event["method"] == "Network.requestWillBeSent":
            self.asked.append(facts["request"]["url"])

    def mode(self, name: str) -> None:
        """Sets the window, the colours and whether scripts run, for what is opened from now on: one of `MODES`."""
        width, height, scheme, has_script = MODES[name]
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=name == "phone",
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setScriptExecutionDisabled", value=not has_script)

    def open(self, url: str) -> None:
        """Opens a page, and waits until all that it shows is loaded.

        The page before may look again by itself just then, and so get in between; then it is opened once more.
        """
        self._begin()
        for _ in range(ATTEMPTS):
            found = self.call("Page.navigate", url=url)
            if found.get("errorText") != "net::ERR_ABORTED":
                break
            self._begin()
        assert "errorText" not in found, found
        self._loaded()

    def _begin(self) -> None:
        self._events.clear()
        self.said, self.asked = [], []

    def _loaded(self) -> None:
        while not any(event["method"] == "Page.loadEventFired" for event in self._events):
            self._read()
        self.value("document.readyState")  # whatever the load has reported is read now

    def value(self, expression: str) -> Any:
        """The value of an expression in the page. It works where the page's own scripts are off, too."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """Waits until an expression is true, whatever pages follow each other meanwhile."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{expression} stays false: {self.text()[:500]}")

    def click(self, selector: str) -> None:
        """Clicks a link or button, and waits for the page that follows."""
        self._begin()
        self.value(f"document.querySelector({json.dumps(selector)}).click()")
        self._loaded()

    def sign_in(self, url: str, cookie: str) -> None:
        """Signs a user in by the cookie of a session, as a request sends it; the empty one signs out."""
        self.call("Network.clearBrowserCookies")
        name, _, value = cookie.partition("=")
        if name:
            self.call("Network.setCookie", name=name, value=value, url=url, httpOnly=True)

    def text(self) -> str:
        """What a person reads."""
        return str(self.value("document.body.innerText"))

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.value("document.documentElement.scrollWidth - innerWidth"))

    def barriers(self) -> list[str]:
        """What keeps some people from using the page, as axe-core finds it: rules and elements.

        A page that looks again by itself is none: it asks for nothing that could be lost. Scripts have to run.
        """
        source = files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
        self.call("Runtime.evaluate", expression=source)
        run = f"axe.run(document, {json.dumps(AXE)}).then({FOUND})"
        found = self.call("Runtime.evaluate", expression=run, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        wrong: list[str] = json.loads(found["result"]["value"])
        return wrong

    def shot(self) -> bytes:
        """The whole page as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def picture(self, path: Path) -> None:
        """Writes the whole page as PNG."""
        path.write_bytes(self.shot())


@contextmanager
def opened(profile: Path) -> Iterator[Browser]:
    """A browser, or the test is skipped where there is none, which CI does not allow."""
    if BROWSER is None:
        assert not os.environ.get("CI"), "CI looks at the pages in a browser: .ci/servers installs the package chromium"
        pytest.skip("there is no chromium here: apt-get install chromium")
    browser = Browser(profile)
    try:
        yield browser
    finally:
        browser.close()
