"""Markdown that users write, as HTML. Only this module uses markdown-it.

HTML in it is text, links run no script, and pictures are links: nothing loads from elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_LOWER: Final = 1
"""By how much headings are lower than they are written: the page has the highest one."""
_LOWEST: Final = 6


def markdown(text: str) -> Markup:
    """A text as HTML, with a line break for each of its own."""
    parser = _parser()
    tokens = parser.parse(text)
    _lower(tokens)
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704  # it escapes what is no Markdown


@cache
def _parser() -> MarkdownIt:
    """Created at the first text. It keeps nothing between texts, so threads may share it."""
    made = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    return made.disable("image")


def _lower(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(_LOWEST, int(token.tag[1:]) + _LOWER)}"
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noreferrer")
