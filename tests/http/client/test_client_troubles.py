"""What the client bears, how long, and what it never lets anybody else see."""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from rave_http.client import (
    BadURL,
    Busy,
    Client,
    ConnectionFailed,
    Phase,
    Progress,
    ServiceError,
    Ticket,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimeout,
    pursuit,
)
from rave_http.client.deadline import NEVER, now, unix_time
from rave_http.client.events import Event, EventReader
from rave_http.client.requester import retry_after

if TYPE_CHECKING:
    from tests.http.stub_service import StubService

pytest_plugins = ("tests.http.stub_service",)

PRODUCTS = "/-/products/"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_service_that_is_not_there_is_told_at_once(closed_port: int) -> None:
    """A slip in the URL is not waited for."""
    started = now()
    with pytest.raises(ConnectionFailed, match=r"^can't connect to http://127.0.0.1:\d+: Connection refused$"):
        Client(f"http://127.0.0.1:{closed_port}").get("lab/top", rave_timeout=60)
    assert now() - started < 30


def test_a_restart_is_borne_while_there_is_a_ticket(stub: StubService, client: Client) -> None:
    """The service hangs up, is gone, and comes back: its ticket is as good as before."""
    work = stub.make("top")
    steps: list[str] = []

    def listen(progress: Progress) -> None:
        if not steps:
            stub.stop()
            steps.append("stopped")
        elif progress.phase is Phase.RETRYING and len(steps) < 3:
            steps.append(progress.text)
            if len(steps) == 3:
                work.finish(b"made")
                stub.start()

    assert client.get("lab/top", rave_on_progress=listen).content == b"made"
    assert steps[1:] == [f"can't connect to {stub.url}: Connection refused"] * 2


def test_a_worker_that_dies_is_borne(stub: StubService, client: Client) -> None:
    """Its event stream is cut; another worker answers the ticket, and has a stream too."""
    work = stub.make("top")
    told: list[Any] = []

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.COMPUTING and progress.done is not None:
            told.append(progress.done)
            if len(told) == 1:
                stub.hang_up()
                work.report(2, 3)
            elif progress.done == 2:
                work.finish(b"made")
        elif progress.phase is Phase.COMPUTING:
            work.report(1, 3)

    assert client.get("lab/top", rave_on_progress=listen).content == b"made"
    assert told[0] == 1
    assert set(told) == {1, 2}


def test_an_outage_is_not_borne_for_ever(stub: StubService) -> None:
    """After the time that the client was made with."""
    stub.make("top")
    with Client(stub.url, outage=0.2) as client, pytest.raises(ConnectionFailed, match="Connection refused"):
        client.get("lab/top", rave_on_progress=lambda _: stub.stop())


@pytest.mark.parametrize("times", [2, 3])
def test_a_connection_that_is_cut_is_made_again(stub: StubService, client: Client, times: int) -> None:
    """Twice; what always hangs up at once is no service."""
    stub.make("top", b"made")
    stub.script("/lab/top", *[lambda handler: handler.hang_up()] * times)
    if times == 2:
        assert client.get("lab/top").content == b"made"
        return
    with pytest.raises(ConnectionFailed, match="hung up"):
        client.get("lab/top")


def test_a_poll_bears_a_connection_that_was_closed_meanwhile(stub: StubService, client: Client) -> None:
    """Connections are kept open, and the service may close them; but a poll waits for nothing else."""
    work = stub.make("top")
    ticket = client.request("lab/top")
    assert isinstance(ticket, Ticket)
    stub.script(f"{PRODUCTS}{work.key}", lambda handler: handler.hang_up())
    assert not ticket.poll()
    stub.stop()
    with pytest.raises(ConnectionFailed, match="Connection refused"):
        ticket.poll()


@pytest.mark.parametrize(
    ("status", "headers"), [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (429, {}), (409, {})]
)
def test_a_busy_service_is_asked_again(stub: StubService, client: Client, status: int, headers: dict[str, str]) -> None:
    """When it says, or a little later."""
    stub.make("top", b"made")
    stub.script("/lab/top", *[lambda handler: handler.send(status, **headers)] * 3)
    told: list[Phase] = []
    assert client.get("lab/top", rave_on_progress=lambda progress: told.append(progress.phase)).content == b"made"
    assert len(stub.seen) == 4
    assert told.count(Phase.RETRYING) == (0 if status == 409 else 3)


def test_a_service_that_is_busy_for_too_long_is_not_waited_for(stub: StubService, client: Client) -> None:
    """There is no sense in sleeping until the time is over."""
    stub.script("/lab/top", lambda handler: handler.send(503, Retry_After="60"))
    started = now()
    with pytest.raises(Busy, match="503 Service Unavailable"):
        client.get("lab/top", rave_timeout=30)
    assert now() - started < 15


def test_a_proxy_without_its_service_is_an_outage(stub: StubService, client: Client) -> None:
    """Borne while there is a ticket; told at once where the service never answered."""
    work = stub.make("top", offers_events=False)
    page = [lambda handler, status=status: handler.send(status, b"<html>") for status in (502, 503, 504)]
    stub.script(f"{PRODUCTS}{work.key}", *page)
    assert client.get("lab/top", rave_on_progress=lambda _: work.finish(b"made")).content == b"made"
    stub.script("/lab/top", page[0])
    with pytest.raises(ServiceError, match="502"):
        client.get("lab/top")


def test_a_stream_without_heart_beats_is_left(
    stub: StubService, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticket is asked, and the stream opened anew."""
    monkeypatch.setattr(pursuit, "_LONGEST_SILENCE", 0.1)
    work = stub.make("top")
    polls = iter(range(99))

    def listen(progress: Progress) -> None:
        if progress.phase is Phase.COMPUTING and next(polls) == 2:
            work.finish(b"made")

    assert client.get("lab/top", rave_on_progress=listen).content == b"made"
    assert len(stub.asked(f"{PRODUCTS}{work.key}/events")) >= 2


def test_a_service_that_says_nothing_is_given_up(stub: StubService) -> None:
    """After the time of silence that the client was made with, or at the end of all time."""
    stub.make("top", b"made", stalls=deque([0] * 9))
    stub.script("/lab/mute", *[lambda handler: handler._be_silent()] * 2)
    with Client(stub.url, read_timeout=0.2) as client, pytest.raises(ConnectionFailed, match="does not answer"):
        client.get("lab/mute")
    with Client(stub.url, total_timeout=0.2) as client, pytest.raises(WaitTimeout, match="did not answer in time"):
        client.get("lab/mute")
    with Client(stub.url, total_timeout=0.3) as client, pytest.raises(WaitTimeout, match="is ready, but was not here"):
        client.get("lab/top")


def test_redirects_are_followed(stub: StubService, client: Client) -> None:
    """A 303 turns a POST into a GET, a 307 does not; but not without end, and not to anywhere."""
    stub.make("top", b"made")
    for status, method in ((303, "GET"), (302, "GET"), (307, "POST"), (308, "POST")):
        stub.script("/lab/old", lambda handler, status=status: handler.send(status, b"moved", Location="/lab/top"))
        assert client.get("lab/old", n="1").content == b"made"
        assert stub.asked("/lab/top")[-1].method == method
    stub.script("/lab/loop", *[lambda handler: handler.send(302, Location="loop")] * 20)
    with pytest.raises(UnexpectedAnswer, match="redirected more than 10 times"):
        client.get("lab/loop")
    stub.script("/lab/odd", lambda handler: handler.send(302, Location="file:///etc/passwd"))
    with pytest.raises(UnexpectedAnswer, match="is not a URL of a service"):
        client.get("lab/odd")
    stub.script("/lab/odd", lambda handler: handler.send(304))
    with pytest.raises(UnexpectedAnswer, match="status 304 leads nowhere"):
        client.get("lab/odd")


def test_credentials_go_to_their_host_alone(stub: StubService) -> None:
    """Not after a redirect, and not by a ticket: another port or name is another host."""
    work = stub.make("top", b"made")
    elsewhere = stub.url.replace("127.0.0.1", "localhost")
    client = Client(stub.url, "rave_secret", headers={"X-Token": "secret", "Accept": "text/plain"})
    client.get("lab/top")
    assert stub.seen[-1].headers["Authorization"] == "Bearer rave_secret"
    assert stub.seen[-1].headers["X-Token"] == "secret"
    assert stub.seen[-1].headers["Accept"] == "text/plain"
    stub.script("/lab/old", *[lambda handler: handler.send(302, Location=f"{elsewhere}/lab/top")] * 2)
    client.get("lab/old")
    assert "secret" not in str(stub.seen[-1].headers)
    stub.base = elsewhere
    stub.script("/lab/top", lambda handler: handler.send_ticket(work))
    client.get("lab/top")
    assert stub.seen[-1].headers["Host"].startswith("localhost")
    assert "secret" not in str(stub.seen[-1].headers)
    stub.script("/lab/top", lambda handler: handler.send(401))
    with pytest.raises(Unauthorized, match="the credentials are for another host, so they were not sent there"):
        client.get("lab/old")


def test_a_user_in_the_url_is_a_credential(stub: StubService) -> None:
    """It is sent, and shows nowhere else."""
    stub.make("top", b"made")
    client = Client(stub.url.replace("127", "me:se%40cret@127"))
    assert client.get("lab/top").url == f"{stub.url}/lab/top"
    assert client.url == stub.url
    assert stub.seen[-1].headers["Authorization"] == "Basic bWU6c2VAY3JldA=="


def test_a_key_is_stronger_than_what_lies_at_home(stub: StubService) -> None:
    """The file ~/.netrc counts where nothing else was given."""
    stub.make("top", b"made")
    home = Path(os.environ["HOME"], ".netrc")
    home.write_text("machine 127.0.0.1 login me password secret\n")
    home.chmod(0o600)
    Client(stub.url, "rave_key").get("lab/top")
    assert stub.seen[-1].headers["Authorization"] == "Bearer rave_key"
    Client(stub.url, headers={"authorization": "Token x"}).get("lab/top")
    assert stub.seen[-1].headers["authorization"] == "Token x"
    Client(stub.url).get("lab/top")
    assert stub.seen[-1].headers["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("key", "headers"),
    [("a b", {}), ("é", {}), ("a\r\nX: y", {}), ("", {"X": "a\nb"}), ("", {" ": "x"}), ("", {"range": "bytes=0-"})],
)
def test_what_can_not_be_sent_is_refused(key: str, headers: dict[str, str]) -> None:
    """When the client is made; no message shows the key."""
    with pytest.raises(BadURL, match="can't be") as caught:
        Client("http://h", key, headers=headers)
    assert not key or key not in str(caught.value)


def test_cookies_are_not_kept(stub: StubService, client: Client) -> None:
    """They would be credentials that nobody gave."""
    stub.make("top", b"made", headers={"Set-Cookie": "a=b; Path=/"})
    client.get("lab/top")
    client.get("lab/top")
    assert "Cookie" not in stub.seen[-1].headers


def test_events_are_read_however_they_are_cut_into_pieces() -> None:
    """By line ends of every kind, with comments, a mark at the start, and data of several lines."""
    stream = '\ufeffevent: progress\r\n: hello\r\ndata: {"done":\rdata: 1}\n\n\n'.encode()
    stream += b'event:done\ndata\nid: 7\r\n\r\ndata: "\xc3\xa4"\n\nevent: progress\ndata: {\n\nevent: half'
    wanted = [Event("progress", {"done": 1}), Event("done", None), Event("message", "ä"), Event("progress", None)]
    for size in (1, 2, 3, 7, len(stream)):
        reader = EventReader()
        parts = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert [event for part in parts for event in reader.read(part)] == wanted
    with pytest.raises(UnexpectedAnswer, match="an event of more than"):
        list(EventReader().read(b"data: " + b"x" * (1 << 21)))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("7", 7, 7), ("in 100 s", 50, 100), ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 0)],
)
def test_the_time_to_come_back_is_read(text: str, low: float, high: float) -> None:
    """As seconds or as a date; what is odd counts as absent."""
    response = requests.Response()
    date = formatdate(unix_time() + 100, usegmt=True)
    response.headers["Retry-After"] = date if text == "in 100 s" else text
    found = retry_after(response)
    assert found is not None
    assert low <= found <= high
    for odd in ("", "-1", "soon", "１", "Mon, 99 Foo"):
        response.headers["Retry-After"] = odd
        assert retry_after(response) is None


def test_a_deadline_that_never_comes_leaves_time_for_ever() -> None:
    """Whatever is subtracted from it."""
    assert NEVER.left == float("inf")
    assert not NEVER.passed
