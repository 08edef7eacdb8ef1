"""Pages that people write: Markdown with tags for values and pictures."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from rave_core.errors import RaveError

Tag = Callable[[str, list[str]], str]
"""Gives the HTML of a tag, by its name and its words; raises `TagError`."""

_TAG: Final = re.compile(r"\{([a-z]+)((?:\s+[^\s{}]+)*)\s*\}")


class TagError(RaveError):
    """A tag can't be filled in."""


def render_page(text: str, tag: Tag) -> str:
    """The HTML of a page. A tag that fails says so in its place, and the rest stands; HTML in the text stays text.

    Tags are ``{name word …}``, outside of code. ``\\{`` is a brace.
    """

    def render(_: RendererHTML, tokens: Sequence[Token], at: int, *_more: MutableMapping[str, Any]) -> str:
        name, words = tokens[at].meta["name"], tokens[at].meta["words"]
        try:
            return tag(name, words)
        except TagError as error:
            return f'<b class="tag-error">{html.escape(" ".join([name, *words]))}: {html.escape(str(error))}</b>'

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    parser.inline.ruler.before("link", "monitor_tag", _take)
    parser.add_render_rule("monitor_tag", render)
    rendered: Any = parser.render(text)
    return str(rendered)


def _take(state: StateInline, silent: bool) -> bool:
    """Takes a tag at the present place; returns whether there is one."""
    found = _TAG.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        token = state.push("monitor_tag", "", 0)
        token.meta = {"name": found[1], "words": found[2].split()}
    state.pos = found.end()
    return True
