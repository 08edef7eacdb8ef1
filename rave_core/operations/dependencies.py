"""The decorator ``@depends_on``: declares code dependencies that the source does not show."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rave_core.errors import DecorationError
from rave_core.functions.annotations import annotate
from rave_core.versions.annotations import DependsOn

F = TypeVar("F")


def depends_on(*things: Any, files: Iterable[str] = (), ignore: Iterable[str] = ()) -> Callable[[F], F]:
    """Declares parts of an operation's code beyond those that the strategy ``source`` sees in it.

    They count with every strategy, and in addition to ``@version(value)``.

    Args:
        things: functions, classes, modules and values, or dotted names of these; they count as if the body named them.
        files: paths of files whose content counts; relative ones start at the directory of the defining file.
        ignore: names in the code that are not followed, such as ``LIMIT`` or ``app.conf.LIMIT``.

    Raises:
        DecorationError: nothing is given, or a path or a name is no text.
    """
    paths, left_out = _texts("files", files), _texts("ignore", ignore)
    if not (things or paths or left_out):
        raise DecorationError(
            "@depends_on takes things, files= or ignore=, as @depends_on(helper, files=['table.csv'])"
        )
    found = DependsOn(
        tuple(thing for thing in things if not isinstance(thing, str)),
        tuple(thing for thing in things if isinstance(thing, str)),
        paths,
        frozenset(left_out),
    )
    return lambda function: annotate(function, "depends_on", found)


def _texts(keyword: str, given: Iterable[str]) -> tuple[str, ...]:
    texts = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(text, str) and text for text in texts):
        raise DecorationError(
            f"@depends_on: {keyword}={given!r}: expected a list of texts, such as {keyword}=['one', 'two']"
        )
    return texts
