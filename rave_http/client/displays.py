"""What notebooks show of tickets, products and progress. Nothing in it is a script, or has a colour of its own."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import Any, Final

from rave_http.client.deadline import now
from rave_http.client.progress import Phase, Progress

_PATIENCE: Final = 0.3
_EVERY: Final = 0.1
_LONGEST: Final = 10_000
_LARGEST_PICTURE: Final = 4 << 20
_LINE_STYLE: Final = "opacity: .7; font-size: 90%; margin-bottom: .4em"


class NotebookProgress:
    """Draws progress in the output of a cell, by replacing one display; use it as ``on_progress`` of a client.

    It draws nothing for what takes less than 0.3 seconds, and nothing where IPython is not installed. Its last state
    stays in the notebook. For one thread.
    """

    def __init__(self, about: str = "", *, patience: float = _PATIENCE) -> None:
        """Draws what it is called with.

        Args:
            about: what stands before it.
            patience: seconds in which nothing is drawn.
        """
        self._about = about
        self._patience = patience
        self._href: str | None = None
        self._since = self._drawn = now()
        self._shown: Any = None

    def __call__(self, progress: Progress) -> None:
        """Draws how far it is; another product gets a display of its own."""
        moment = now()
        if self._href is None:
            self._href, self._since = progress.href, moment
        elif progress.href != self._href:
            self._href, self._since, self._shown = progress.href, moment, None
        is_last = progress.phase is Phase.DOWNLOADING and progress.done == progress.total
        if moment - self._since < self._patience or (moment - self._drawn < _EVERY and not is_last):
            return
        self._drawn = moment
        self.draw(progress_bundle(self._about, progress))

    def draw(self, bundle: dict[str, str]) -> None:
        """Draws texts by media type in place of what was drawn before."""
        try:
            from IPython.display import display
        except ImportError:
            return
        if self._shown is None:
            self._shown = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # it has no types
        else:
            self._shown.update(bundle, raw=True)


def progress_bundle(about: str, progress: Progress) -> dict[str, str]:
    """How far a product is, by media type; ``about`` stands before it."""
    total, done = progress.total, progress.done
    share = "" if not total or done is None else f"{min(1.0, max(0.0, done / total)):.0%}"
    line = " · ".join(filter(None, (about, str(progress.phase), share, progress.text)))
    bar = f'<progress max="100" value="{share[:-1]}"></progress>' if share else "<progress></progress>"
    return {"text/plain": line, "text/html": f"{bar} {escape(line)}"}


def line_bundle(line: str) -> dict[str, str]:
    """A line alone, by media type."""
    return {"text/plain": line, "text/html": f'<div style="{_LINE_STYLE}">{escape(line)}</div>'}


def product_bundle(line: str, *, content: bytes | None, media_type: str, text: str) -> dict[str, str]:
    """A product, by media type: a picture, up to 4 MiB, or the beginning of a text.

    Args:
        line: what is said above it.
        content: its bytes; ``None`` to show the line alone.
        media_type: of it.
        text: the same as a text.
    """
    found = line_bundle(line)
    if content is None:
        return found
    if media_type.startswith("image/"):
        if len(content) > _LARGEST_PICTURE:
            return found
        # Within an image, nothing of an SVG runs.
        source = f"data:{escape(media_type)};base64,{b64encode(content).decode()}"
        picture = f'<img alt="the product, as a picture" style="max-width: 100%; background: #fff" src="{source}">'
        return {**found, "text/html": found["text/html"] + picture}
    if not (media_type.startswith("text/") or media_type.partition("+")[2] == "json" or media_type.endswith("/json")):
        return found
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return {"text/plain": f"{line}\n{shown}", "text/html": f"{found['text/html']}<pre>{escape(shown)}</pre>"}
