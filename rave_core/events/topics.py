"""Topics and patterns: names of kinds of events, and the sets of them that a subscriber asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from rave_core.errors import TopicError

_MOST = 100
_TOPIC = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_PATTERN = re.compile(r"[a-z0-9_.*-]+")


def check_topic(topic: str) -> str:
    """The topic.

    Raises:
        TopicError: it is none.
    """
    if len(topic) <= _MOST and _TOPIC.fullmatch(topic):
        return topic
    raise TopicError(
        f"{topic[:_MOST]!r} is not a topic: write words of small letters, digits, '-' and '_', joined by dots, such as "
        f"'job.finished'; {_MOST} characters at most"
    )


def check_pattern(pattern: str) -> str:
    """The pattern.

    Raises:
        TopicError: no topic can match it.
    """
    if len(pattern) <= _MOST and _PATTERN.fullmatch(pattern):
        return pattern
    raise TopicError(
        f"{pattern[:_MOST]!r} is not a pattern of topics: write a topic such as 'job.finished', with '*' for any text, "
        f"as in 'job.*'; {_MOST} characters at most"
    )


def matches(patterns: str | Iterable[str]) -> Callable[[str], bool]:
    """Whether a topic matches one of the patterns. ``*`` stands for any text, dots included.

    Raises:
        TopicError: one is not a pattern.
    """
    each = (patterns,) if isinstance(patterns, str) else patterns
    texts = [re.escape(check_pattern(pattern)).replace(r"\*", ".*") for pattern in each]
    if not texts:
        raise TopicError("no pattern of topics is given; '*' is that of all")
    match = re.compile("|".join(texts)).fullmatch
    return lambda topic: match(topic) is not None
