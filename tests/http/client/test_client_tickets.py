"""How the client waits: by events, by asking again, and never longer than it may."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from rave_http.client import (
    Client,
    Gone,
    NotFound,
    OperationFailed,
    Phase,
    Progress,
    Ticket,
    TimeLimitReached,
    UnexpectedAnswer,
    WaitTimeout,
)

if TYPE_CHECKING:
    from tests.http.stub_handler import Handler
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)

PRODUCTS = "/-/products/"


def test_a_product_in_the_making_is_followed_by_its_events(stub: StubService, client: Client) -> None:
    """Progress is told as it is reported, and the product comes when it is there."""
    work = stub.make("top")
    steps = iter([lambda: work.report(1, 3, "one"), lambda: work.report(2, 3, "two"), lambda: work.finish(b"made")])
    told: list[Progress] = []

    def listen(progress: Progress) -> None:
        told.append(progress)
        if progress.phase is Phase.COMPUTING:
            next(steps)()

    product = client.get("lab/top", rave_on_progress=listen)
    assert product.content == b"made"
    assert product.key == work.key
    href = f"{stub.url}/-/products/{work.key}"
    computing = [(each.done, each.total, each.text, each.href) for each in told if each.phase is Phase.COMPUTING]
    assert computing == [(None, None, "", href), (1, 3, "one", href), (2, 3, "two", href)]
    assert told[-1] == Progress(4, 4, phase=Phase.DOWNLOADING, href=href)
    assert [each.path for each in stub.seen] == ["/lab/top", f"{PRODUCTS}{work.key}/events", f"{PRODUCTS}{work.key}"]


def _garble(handler: Handler) -> None:
    handler.start_stream()
    handler.wfile.write(b"\xff\xfe\nevent progress\ndata: {\n\nevent: progress\ndata: [1]\n\n")
    handler.hang_up()


_STREAMS: dict[str, Any] = {
    "refused": lambda handler: handler.send(404),
    "busy": lambda handler: handler.send(503, Retry_After="60"),
    "no stream": lambda handler: handler.send(200, b"hello", "text/plain"),
    "elsewhere": lambda handler: handler.send(302, Location="http://[/"),
    "ends early": lambda handler: (handler.start_stream(), handler.hang_up()),
    "garbage": _garble,
}


@pytest.mark.parametrize("answer", ["not offered", *_STREAMS, "done too early"])
def test_without_an_event_stream_the_ticket_is_asked_again(stub: StubService, client: Client, answer: str) -> None:
    """However the stream fails, and after the time that the service says."""
    work = stub.make("top", offers_events=answer != "not offered", says_done_early=answer == "done too early")
    events = f"{PRODUCTS}{work.key}/events"
    if answer in _STREAMS:
        stub.script(events, *[_STREAMS[answer]] * 3)
    polls = iter(range(100))

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.COMPUTING and next(polls) == 3:
            work.finish(b"made")

    assert client.get("lab/top", rave_on_progress=listen).content == b"made"
    assert len(stub.asked(f"{PRODUCTS}{work.key}")) >= 2
    if answer in ("refused", "busy", "no stream"):
        assert len(stub.asked(events)) == 1


def test_a_failure_is_told_by_the_stream(stub: StubService, client: Client) -> None:
    """As the problem that it is, at once."""
    work = stub.make("top")
    with pytest.raises(OperationFailed) as caught:
        client.get("lab/top", rave_on_progress=lambda _: work.fail("operation-failed", 500, "ValueError: no luck"))
    assert str(caught.value) == "Operation failed: ValueError: no luck"
    assert (caught.value.slug, caught.value.status, caught.value.detail) == (
        "operation-failed", 500, "ValueError: no luck"
    )  # fmt: skip
    assert not stub.asked(f"{PRODUCTS}{work.key}")


def test_a_failure_is_told_by_the_ticket(stub: StubService, client: Client) -> None:
    """Where there is no stream."""
    work = stub.make("top", offers_events=False)
    with pytest.raises(TimeLimitReached, match="60 s"):
        client.get("lab/top", rave_on_progress=lambda _: work.fail("time-limit", 504, "60 s"))


def test_a_wait_ends_in_time_with_its_ticket(stub: StubService, client: Client) -> None:
    """Heart-beats without end do not prolong it; the ticket can be asked for later, by another client."""
    work = stub.make("top")
    stub.heartbeat = 1
    with pytest.raises(WaitTimeout, match="not ready in time") as caught:
        client.get("lab/top", rave_timeout=1.2)
    assert caught.value.href == f"{stub.url}/-/products/{work.key}"
    assert isinstance(caught.value, TimeoutError)
    work.finish(b"made")
    with Client(stub.url) as other:
        assert other.ticket(caught.value.href).wait().content == b"made"


def test_a_stream_that_is_wrong_again_and_again_is_not_asked_in_a_hurry(stub: StubService, client: Client) -> None:
    """It says that the product is there, which is not so: once that may be a matter of moments."""
    work = stub.make("top", says_done_early=True, retry_after="60")
    with pytest.raises(WaitTimeout):
        client.get("lab/top", rave_timeout=0.3)
    assert len(stub.asked(f"{PRODUCTS}{work.key}")) <= 3


@pytest.mark.parametrize("timeout", [0, 0.2])
def test_the_last_thing_before_giving_up_is_to_ask(stub: StubService, client: Client, timeout: float) -> None:
    """What got ready during a long pause is not missed."""
    work = stub.make("top", offers_events=False, retry_after="60")
    ticket = client.request("lab/top", rave_timeout=timeout)
    assert isinstance(ticket, Ticket)
    with pytest.raises(WaitTimeout):
        ticket.wait()
    threading.Timer(timeout / 2, lambda: work.finish(b"made")).start()
    if timeout:
        assert ticket.wait().content == b"made"


def test_a_ticket_tells_how_far_it_is(stub: StubService, client: Client) -> None:
    """Without waiting; then it gives the product."""
    work = stub.make("top")
    work.report(1, 4, "stirring")
    ticket = client.request("lab/top", n=1)
    assert isinstance(ticket, Ticket)
    assert stub.seen[-1].headers["Prefer"] == "respond-async"
    assert (ticket.key, ticket.operation, ticket.status) == (work.key, "lab/top", "making")
    assert (ticket.progress.done, ticket.progress.total, ticket.progress.text) == (1, 4, "stirring")
    work.report(2, 4)
    assert not ticket.poll()
    assert ticket.progress.done == 2
    assert not ticket.is_ready
    work.finish(b"made")
    assert ticket.poll()
    assert ticket.is_ready
    assert ticket.wait(timeout=1).content == b"made"
    assert repr(ticket) == f"<Ticket {ticket.href} ready>"


def test_a_lost_ticket_has_the_operation_asked_again(stub: StubService, client: Client) -> None:
    """It expired between being made and being fetched; but a ticket alone can only say so."""
    work = stub.make("top", b"made")
    gone = f"{PRODUCTS}{work.key}"
    stub.script("/lab/top", lambda handler: handler.send_ticket(work))
    stub.script(gone, lambda handler: handler.send(410))
    assert client.get("lab/top").content == b"made"
    stub.script(gone, lambda handler: handler.send(410))
    with pytest.raises(Gone):
        client.ticket(gone).wait()
    stub.script("/lab/top", *[lambda handler: handler.send_ticket(work)] * 9)
    stub.script(gone, *[lambda handler: handler.send(404)] * 9)
    with pytest.raises(NotFound):
        client.get("lab/top")


def test_a_ticket_keeps_the_form_that_was_asked_for(stub: StubService, client: Client) -> None:
    """Its URL says it too, so that whoever continues gets the same."""
    work = stub.make("top")
    ticket = client.request("lab/top", rave_format="csv")
    assert isinstance(ticket, Ticket)
    assert ticket.href.endswith("?rave.f=csv")
    work.finish(b"a,b")
    ticket.wait()
    assert stub.seen[-1].query == {"rave.f": ["csv"]}


@pytest.mark.parametrize("media_type", ["text/html", "text/uri-list"])
def test_a_ticket_in_another_form_is_understood_by_its_headers(
    stub: StubService, client: Client, media_type: str
) -> None:
    """Where it leads is in a header, and where its events are follows from that."""
    work = stub.make("top")
    href = f"{PRODUCTS}{work.key}"
    stub.script("/lab/top", lambda handler: handler.send(202, b"<html>", media_type, Location=href))
    product = client.get("lab/top", rave_on_progress=lambda _: work.finish(b"made"))
    assert product.content == b"made"
    assert stub.asked(f"{href}/events")


def test_a_ticket_that_leads_nowhere_is_no_answer_of_a_service(stub: StubService, client: Client) -> None:
    """Something else listens there."""
    for body, message in (
        (b"{}", "a ticket without"),
        (b'{"href": "file:///etc"}', "a ticket for nowhere: 'file:///etc' is not a URL"),
    ):
        stub.script("/lab/top", lambda handler, body=body: handler.send(202, body, "application/json"))
        with pytest.raises(UnexpectedAnswer, match=message):
            client.get("lab/top")
