from __future__ import annotations

import logging

import pytest

from rave_http.auth.audit import audit, escaped
from rave_http.auth.authorization import ANONYMOUS, Principal
from rave_http.protocol.request_record import RequestRecord


def test_a_record_says_who_did_what_to_what(caplog: pytest.LogCaptureFixture) -> None:
    """Readable, and part by part for whoever collects them."""
    caplog.set_level(logging.INFO, "rave.audit")
    note = RequestRecord(request_id="r1", principal=Principal("alice", "key"))
    audit(note, action="purge", allowed=True, target="flow/top", client="192.0.2.1")
    (record,) = caplog.records
    assert record.getMessage() == "allowed: 'purge' 'flow/top' by key 'alice' from '192.0.2.1', request 'r1'"
    parts = ("principal", "principal_kind", "action", "allowed", "target", "client", "request_id")
    assert [getattr(record, part) for part in parts] == ["alice", "key", "purge", True, "flow/top", "192.0.2.1", "r1"]


def test_what_is_refused_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    """So that it shows where only trouble does; before it is known who asks, it is nobody."""
    audit(RequestRecord(), action="reload", allowed=False, target="flow", client="")
    audit(RequestRecord(principal=ANONYMOUS), action="reload", allowed=False, target="flow", client="")
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert len({record.getMessage() for record in caplog.records}) == 1
    assert caplog.records[0].getMessage().startswith("refused: 'reload' 'flow' by anonymous '-'")


@pytest.mark.parametrize(
    "evil", ["a\nallowed: 'purge'", "\r\n", "\x1b[2J", "\x00\x85", "\u2028\u202e", "\udcff", "\\n"]
)
def test_nobody_writes_lines_of_their_own_into_the_log(caplog: pytest.LogCaptureFixture, evil: str) -> None:
    """Nothing of what clients send ends a line, moves a cursor, or can be taken for something else."""
    note = RequestRecord(request_id=evil, principal=Principal(evil, "proxy"))
    audit(note, action=evil, allowed=False, target=evil, client=evil)
    (record,) = caplog.records
    texts = [record.getMessage(), *(str(getattr(record, part)) for part in ("principal", "target", "client", "action"))]
    assert all(text.isprintable() for text in texts)
    assert escaped(evil) in record.getMessage()


def test_what_is_escaped_can_be_told_from_what_looks_like_it() -> None:
    """A line's end and the two characters that stand for it differ."""
    assert escaped("\n") == r"\n"
    assert escaped(r"\n") == r"\\n"


def test_nothing_gets_out_of_its_quotes(caplog: pytest.LogCaptureFixture) -> None:
    """A quote is escaped, and what is very long is cut."""
    audit(RequestRecord(), action="purge", allowed=False, target="x' by key 'admin", client="y" * 10_000)
    message = caplog.records[0].getMessage()
    assert r"'x\' by key \'admin'" in message
    assert len(message) < 1000
