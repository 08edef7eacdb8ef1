"""Every page of the service has a picture in the reference, and pictures are small."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from docs import gallery

DOCS = Path(gallery.__file__).parent
ROUTES = DOCS.parent / "rave_http/resources/routes.py"
NOT_SHOWN = {"/-/ui", "/-/ui/leads"}  # they lead on
REFERENCE = (DOCS / "reference/pages.md").read_text()


class Asked(gallery.Service):
    """A service of which only the addresses of pages are wanted."""

    def key_of(self, path: str) -> str:
        """A key."""
        return "key"

    def keep(self, key: str) -> None:
        """Keeps nothing."""


def test_every_page_is_named_and_shown() -> None:
    """Each address of a page is in the text, and each picture that `make pictures` takes is there."""
    routes = {route.replace("{name:path}", "{ns}/{op}") for route in re.findall(r'"(/-/ui[^"]*)"', ROUTES.read_text())}
    assert [route for route in routes - NOT_SHOWN if f"`{route}`" not in REFERENCE] == []
    taken = set(gallery.pages(Asked("", "")))
    assert taken == {path.stem for path in gallery.PICTURES.iterdir()}
    assert taken == set(re.findall(r"\{figure\} pictures/(.+)\.webp", REFERENCE))


def test_pictures_are_small_and_show_all_kinds_of_windows() -> None:
    """At most 100 kB each and 1.5 MB in all."""
    found = [path for path in DOCS.glob("*/pictures/*") if "_build" not in path.parts]
    sizes = {path.name: path.stat().st_size for path in found}
    assert {name: size for name, size in sizes.items() if size > gallery.MOST_BYTES} == {}
    assert sum(sizes.values()) < 1_500_000
    for path in gallery.PICTURES.iterdir():
        with Image.open(path) as image:
            assert image.size == (2 * 640 + 3 * 12, 2 * 440 + 3 * 12), path
