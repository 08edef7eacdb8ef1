"""Log records whose text came from outside."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator

import pytest

from rave_core.telemetry.log_format import PlainFormatter, protect

FORGED = "2026-11-29 21:00:00,000 INFO 12345 rave.audit: allowed"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger and what its one handler wrote."""
    logger, sink = logging.Logger("outside"), io.StringIO()
    handler = logging.StreamHandler(sink)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    protect(handler)
    protect(handler)
    logger.addHandler(handler)
    yield logger, sink
    handler.close()


@pytest.mark.parametrize("start", ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_message_takes_one_line(log: tuple[logging.Logger, io.StringIO], start: str) -> None:
    """No end of a line that any reader knows passes, in the text or in its parts."""
    logger, sink = log
    logger.warning("%s failed" + start + FORGED, f"x{start}{FORGED}")
    assert len(sink.getvalue().splitlines()) == 1
    assert FORGED in sink.getvalue()


@pytest.mark.parametrize("start", ["\n", "\r", "\u2028", "\x1b[31m\n"])
def test_no_line_of_a_traceback_begins_as_a_record_does(log: tuple[logging.Logger, io.StringIO], start: str) -> None:
    """The lines of an exception are indented, and what a terminal acts upon is escaped."""
    logger, sink = log
    try:
        raise RuntimeError(f"x{start}{FORGED}")
    except RuntimeError:
        logger.exception("it failed", stack_info=True)
    first, *more = sink.getvalue().splitlines()
    assert first == "ERROR it failed"
    assert more
    assert all(line.startswith("    ") for line in more)
    assert "\x1b" not in sink.getvalue()
    assert "RuntimeError" in sink.getvalue()


def test_the_record_stays_as_it_was() -> None:
    """Other handlers see what was logged."""
    record = logging.LogRecord("a", logging.INFO, __file__, 1, "x %s", ("a\nb",), None)
    assert PlainFormatter().format(record) == "x a\\nb"
    assert record.args == ("a\nb",)
    assert record.getMessage() == "x a\nb"
