"""The history of a document for people: as text, as a page, and as JSON for programs."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from rave_journal.commits import Commit
from rave_journal.differences import colour_of, difference

STYLE = ".journal-add { color: var(--good, green) } .journal-cut { color: var(--bad, red) }"
_CLASSES = {"green": "journal-add", "red": "journal-cut"}


def log_text(history: Iterable[Commit]) -> str:
    """Commits as text, in their order."""
    return "\n".join(_entry(commit) for commit in history)


def log_page(key: str, history: Sequence[Commit], place: str) -> str:
    """Commits as HTML, in their order.

    Args:
        key: of the document.
        history: its commits.
        place: the URL of the document.
    """
    rows = "".join(_row(commit, f"{place}/{quote(key, safe='')}") for commit in history)
    head = "<tr><th>Version</th><th>Time</th><th>Author</th><th>Comment</th><th></th></tr>"
    table = f'<table class="data"><thead>{head}</thead><tbody>{rows}</tbody></table>'
    return f'<div class="scroll" tabindex="0" role="region" aria-label="Versions">{table}</div>'


def diff_text(old: Commit, new: Commit) -> str:
    """What changed between two commits of a document, as a unified diff; empty if nothing did."""
    return "".join(f"{line}\n" for line in _lines(old, new))


def diff_page(old: Commit, new: Commit) -> str:
    """What changed between two commits of a document, as HTML."""
    lines = [_marked(line) for line in _lines(old, new)]
    return f"<pre>{''.join(lines)}</pre>" if lines else "<p>Nothing changed.</p>"


def _lines(old: Commit, new: Commit) -> Iterable[str]:
    names = (f"{commit.key} {commit.version}" for commit in (old, new))
    return difference(old.payload, new.payload, *names)


def _entry(commit: Commit) -> str:
    state = " (deleted)" if commit.empty else ""
    comment = "".join(f"  {line}\n" for line in commit.comment.splitlines())
    return f"Commit {commit.version}{state}\nAuthor: {commit.author}\nDate:   {commit.mtime}\n" + (
        f"\n{comment}" if comment else ""
    )


def _row(commit: Commit, place: str) -> str:
    earlier = commit.version - 1
    change = f'<a href="{html.escape(place)}/diff/{earlier}..{commit.version}">Changes</a>' if earlier else ""
    version = f'<a href="{html.escape(place)}/{commit.version}">{commit.version}</a>'
    cells = [version, commit.mtime, html.escape(commit.author), html.escape(commit.comment), change]
    if commit.empty:
        cells[3] = f"(deleted) {cells[3]}"
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _marked(line: str) -> str:
    kind = _CLASSES.get(colour_of(line) or "")
    text = html.escape(line)
    return f'<span class="{kind}">{text}</span>\n' if kind else f"{text}\n"
