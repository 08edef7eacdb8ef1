"""A reader of pages, for tests: it refuses what is no sound HTML, or comes from elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from rave_core.plugins.discovery import LoadProblem

BASE = "https://host/rave"
NOON = 1795608000.0
"""The moment in which the ticket was created."""
VOID = {"meta", "link", "input", "br", "hr", "img", "path", "rect"}


@dataclass(frozen=True, slots=True)
class State:
    """How loading a namespace went."""

    name: str
    kind: str = "directory"
    origin: str = "/srv/lab"
    generation: int = 1
    loaded_at: float = 0.0
    problems: tuple[LoadProblem, ...] = ()
    error: str = ""


@dataclass
class Page(HTMLParser):
    """A page, read by the rules that matter here: what is opened is closed, IDs are unique, labels have fields."""

    source: str
    ids: list[str] = field(default_factory=list)
    pointed: list[str] = field(default_factory=list)
    fields: dict[str, dict[str, str | None]] = field(default_factory=dict)
    open_tags: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    scripts: int = 0
    text: str = ""
    plain: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.source)
        self.close()
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what is opened, named and pointed to."""
        found = dict(attrs)
        assert len(found) == len(attrs), f"<{tag}> says an attribute twice: {attrs}"
        assert not any(name.startswith("on") for name in found), attrs
        if tag not in VOID:
            self.open_tags.append(tag)
        self.ids += [found["id"] or ""] if "id" in found else []
        pointers = (
            found.get("for"),
            found.get("aria-labelledby"),
            found.get("aria-describedby"),
            found.get("data-copy"),
        )
        self.pointed += [each for pointer in pointers if pointer for each in pointer.split()]
        if tag in ("input", "select", "textarea") and found.get("type") != "hidden":
            self.fields[found.get("name") or ""] = found
        self.links += [found[name] or "" for name in ("href", "action", "src") if name in found]
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        """Checks that the innermost open tag is closed."""
        if tag not in VOID:
            assert self.open_tags, f"</{tag}> closes nothing"
            opened = self.open_tags.pop()
            assert opened == tag, f"</{tag}> closes <{opened}>"

    def handle_data(self, data: str) -> None:
        """Collects what is read."""
        if not {"style", "script"} & set(self.open_tags):
            self.text += f" {data}"
            self.plain += data


def read(page: bytes, *, scripts: int = 0) -> Page:
    """A page that is sound, and says nothing that it should not."""
    found = Page(page.decode())
    assert found.open_tags == []
    assert len(set(found.ids)) == len(found.ids), found.ids
    assert set(found.pointed) <= set(found.ids)
    for name, attributes in found.fields.items():
        is_labelled = attributes.get("id") in found.pointed or attributes.get("aria-label")
        assert is_labelled or attributes.get("type") == "checkbox", f"the field {name!r} has no label"
    assert found.scripts == scripts
    assert '<html lang="en">' in found.source
    assert 'name="viewport"' in found.source
    own = ("/", BASE, "#", "data:image/svg+xml,", "http-equiv")
    assert all(link.startswith(own) for link in found.links), found.links
    assert not re.search(r"url\(|@import|javascript:", found.source)
    return found
