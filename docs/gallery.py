"""The pictures of the service's pages in the reference: `make pictures` takes them after those of the tutorial.

Each picture shows one page four times: light, dark, without scripts, and on a phone.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import requests
from PIL import Image

from tests.http.browser import MODES, Browser

PICTURES: Final = Path(__file__).resolve().parent / "reference" / "pictures"
MOST_BYTES: Final = 100_000
_HALF: Final = (640, 440)
_PHONE: Final = (224, 440)
_GAP: Final = 12
_GREY: Final = (128, 128, 128)
_QUALITIES: Final = (85, 75, 60, 45)
_READY: Final = "[...document.querySelectorAll('iframe')].every(each => !!each.contentDocument?.querySelector('main'))"


class Service:
    """The service, asked by a program for what its pages show."""

    def __init__(self, url: str, key: str) -> None:
        """Asks in the name of the key's user."""
        self.url = url
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def key_of(self, path: str) -> str:
        """The key of a result, which is made first."""
        answer = self._session.get(f"{self.url}{path}", headers={"Prefer": "wait=60"}, timeout=90)
        answer.raise_for_status()
        return answer.headers["Content-Location"].partition("?")[0].removeprefix("/-/products/")

    def keep(self, key: str) -> None:
        """Keeps a result."""
        self._session.post(f"{self.url}/-/kept", json={"key": key}, timeout=30).raise_for_status()


def pages(service: Service) -> Mapping[str, str]:
    """The paths of the pages, by the names of their pictures. What they show is there."""
    day = "start=2024-05-14&end=2024-05-15"
    span = "view.from=2024-05-14&view.to=2024-05-15"
    top = service.key_of("/flow/top?n=8&over=src")
    other = service.key_of("/flow/top?n=8&over=dst")
    rows = service.key_of("/flow/rwfilter?protocol=6")
    picture = service.key_of(f"/flow/timeline?{day}")
    service.keep(top)
    return {
        "catalog": "/",
        "namespace": "/flow",
        "form": "/-/ui/flow/rwfilter",
        "result": f"/-/ui/r/{rows}?of=protocol%3D6&sort=-bytes&where=bytes%3E%3D10000&facet=dport",
        "picture": f"/-/ui/r/{picture}",
        "why": f"/-/ui/r/{top}?tab=why",
        "lineage": f"/-/ui/r/{picture}?tab=lineage",
        "explore": f"/-/ui/explore/flow/count?{span}",
        "compare": f"/-/compare?a={top}&b={other}",
        "kept": "/-/kept",
        "jobs": "/-/ui/jobs",
        "cache": "/-/ui/cache",
        "mine": "/-/ui/me",
        "dashboard": "/-/ui/d/ada/our-border",
        "sign-in": "/-/session",
        "status": "/-/ui/status",
        "problem": f"/-/ui/r/{rows}?where=nothing%3D1",
    }


def take_all(browser: Browser, service: Service) -> None:
    """Takes all pictures, and removes those of pages that are gone."""
    PICTURES.mkdir(exist_ok=True)
    found = pages(service)
    for name, path in found.items():
        shots = {mode: _shot(browser, f"{service.url}{path}", mode) for mode in MODES}
        _write(PICTURES / f"{name}.webp", _composed(shots))
    for path in PICTURES.glob("*.webp"):
        if path.stem not in found:
            path.unlink()


def _shot(browser: Browser, url: str, mode: str) -> Image.Image:
    """The page as it is seen first in a window of this kind."""
    browser.mode(mode)
    browser.open(url)
    if MODES[mode][3]:
        browser.until(_READY)
    width, height = _PHONE if mode == "phone" else _HALF
    with Image.open(io.BytesIO(browser.shot())) as image:
        page = image.convert("RGB")
    seen = page.crop((0, 0, page.width, min(page.height, page.width * height // width)))
    return seen.resize((width, seen.height * width // seen.width), Image.Resampling.LANCZOS)


def _composed(shots: Mapping[str, Image.Image]) -> Image.Image:
    """Light and dark above, without scripts and on a phone below."""
    canvas = Image.new("RGB", (2 * _HALF[0] + 3 * _GAP, 2 * _HALF[1] + 3 * _GAP), _GREY)
    right, below = 2 * _GAP + _HALF[0], 2 * _GAP + _HALF[1]
    for mode, place in zip(MODES, ((_GAP, _GAP), (right, _GAP), (right, below), (_GAP, below)), strict=True):
        canvas.paste(shots[mode], place)
    return canvas


def _write(path: Path, image: Image.Image) -> None:
    """Writes WebP, in the best quality that is small enough."""
    for quality in _QUALITIES:
        image.save(path, quality=quality, method=6)
        if path.stat().st_size <= MOST_BYTES:
            break
    print(f"reference/pictures/{path.name}: {path.stat().st_size // 1000} kB")
