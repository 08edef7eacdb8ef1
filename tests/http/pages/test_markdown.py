"""Markdown of users: what of it becomes HTML, and what never does."""

from __future__ import annotations

import pytest

from rave_http.pages.markdown import markdown


def test_markdown_becomes_html() -> None:
    """Headings are one lower, since the page has the highest; line breaks stay, and tables are there."""
    assert markdown("# Runbook\nask *ada*\nor ~~bob~~") == (
        "<h2>Runbook</h2>\n<p>ask <em>ada</em><br />\nor <s>bob</s></p>\n"
    )
    assert "<td>1</td>" in markdown("|a|\n|-|\n|1|")
    assert markdown("[wiki](https://wiki.example/a?b)") == (
        '<p><a href="https://wiki.example/a?b" rel="noreferrer">wiki</a></p>\n'
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html,<script>1</script>)",
        "<javascript:alert(1)>",
        "![x](https://elsewhere.example/a.png)",
        "![x](data:image/svg+xml;base64,PHN2Zz4=)",
        '[x](https://a.example ""><script>")',
        "```\n</code></pre><script>\n```",
        "<!-- --><iframe src=x>",
    ],
)
def test_nothing_runs_or_loads(text: str) -> None:
    """HTML stays text, links run nothing, and pictures are none."""
    found = markdown(text).lower()
    for part in ("<script", "<img", "<iframe", "<!--", 'href="javascript', 'href="data', "src="):
        assert part not in found.replace("&lt;img src=", "").replace("&lt;iframe src=", "")
