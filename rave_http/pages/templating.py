"""Pages for a browser, made from the templates of this package. Only this module uses jinja2.

Every template extends ``base.html``, which says what it offers. What goes into a page is escaped; a template that
misses a fact fails, so that no page is quietly half empty.
"""

from __future__ import annotations

import secrets
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import jinja2
from markupsafe import Markup

from rave_http.auth.sessions import signed_in
from rave_http.pages.static_files import static_path, static_text
from rave_http.protocol.responses import Page

MEDIA_TYPE = "text/html; charset=utf-8"
Menu: TypeAlias = "tuple[tuple[str, str], ...]"
"""Titles and paths of pages, in their order."""
menu: Final[ContextVar[Menu]] = ContextVar("rave_menu", default=())
"""The pages of plugins in the menu of every page that the current request makes."""
_FOLDER = Path(__file__).parent / "templates"


def page(template: str, **facts: Any) -> Page:
    """A page in UTF-8, for example ``page("table.html", title="lab/people")``.

    The first page of each template reads its file, a later one does not; so make the first in a thread.

    Args:
        template: a file in ``templates/``.
        facts: the variables of the template. By default ``base``, the prefix of the path of every link, is ``""``, and
            ``is_alone``, whether the page has its whole style in itself, and ``is_part``, whether it
            comes without styles and scripts for a page that is there already, are false.

    Raises:
        jinja2.TemplateNotFound: there is no such template.
        jinja2.UndefinedError: it needs a fact that was not given.
    """
    nonce = secrets.token_urlsafe(16)
    defaults = {
        "base": "",
        "is_alone": False,
        "is_part": False,
        "menu": menu.get(),
        "account": signed_in.get(),
        "nonce": nonce,
    }
    text = _environment().get_template(template).render({**defaults, **facts})
    return Page(text.encode("utf-8", "replace"), nonce)


@cache
def _environment() -> jinja2.Environment:
    """Created at the first page: a service without pages does not need it."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["static"] = static_path
    made.globals["stylesheet"] = lambda: Markup(static_text("rave.css"))  # noqa: S704  # our own file
    return made
