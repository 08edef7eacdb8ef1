"""The object store in trouble: what is wrong with it, or with what it was told, is said, and nothing hangs."""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from contextlib import suppress

import pytest

from rave_backends.object_store.bucket_errors import advice
from rave_backends.object_store.config import S3Config
from rave_backends.plugin import open_object_store
from rave_core import Runtime, Settings, op, using
from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError, RaveWarning
from rave_core.testing import frame_of, key_of

CALLS = {
    "get": lambda backend: backend.get(key_of("a")),
    "head": lambda backend: backend.head(key_of("a"), 10),
    "put": lambda backend: backend.put(key_of("a"), [b"x"]),
    "put much": lambda backend: backend.put(key_of("a"), [bytes(9_000_000)]),
    "delete": lambda backend: backend.delete(key_of("a")),
    "set aside": lambda backend: backend.set_aside(key_of("a")),
    "keys": lambda backend: list(backend.keys()),
    "claim": lambda backend: backend.claim(key_of("a"), b"x"),
    "lease": lambda backend: backend.lease(key_of("a")),
    "swap": lambda backend: backend.swap_lease(key_of("a"), b"x", b"y"),
    "purge": lambda backend: backend.purge(lambda entry: False, grace=0),
    "last purge": lambda backend: backend.last_purge(),
}
HEADS_ALONE = {"delete", "last purge"}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def opened(url):
    """The backend at a URL."""
    return open_object_store(StoreURL(url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://", "no bucket is named"),
        ("s3:///prefix", "no bucket is named"),
        ("s3://no_bucket!", "can't be the name of a bucket"),
        ("s3://bucket:9000/x", "can't be the name of a bucket"),
        ("s3://bucket/a//b", "can't be a prefix"),
        ("s3://bucket/../b", "can't be a prefix"),
        ("s3://bucket?endpoint=minio:9000", "https://host or http://host:port"),
        ("s3://bucket?endpoint=", "it is empty"),
        ("s3://bucket?endpoint=ftp://x", "https://host or http://host:port"),
        ("s3://bucket?region=eu central", "can't be a region"),
        ("s3://bucket?timeout=soon", "'soon'"),
        ("s3://bucket?timeout=0", "from 0.1s to 1h"),
        ("s3://bucket?profile=absent", "no AWS profile 'absent'"),
        ("s3://bucket?endpont=http://x", "did you mean 'endpoint'?"),
    ],
)
def test_a_wrong_url_is_refused_at_once(url, said, aws):
    """With the URL, and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        opened(url)
    assert said in str(caught.value)
    assert url.partition("?")[0] in str(caught.value)


def test_a_password_in_an_endpoint_is_not_repeated(aws):
    """It is refused, and shown nowhere."""
    with pytest.raises(ConfigurationError) as caught:
        opened("s3://bucket?endpoint=https://me:hidden@host")
    assert "hidden" not in str(caught.value).replace(caught.value.args[0].partition(": ")[0], "")


@pytest.mark.parametrize("call", [CALLS[name] for name in CALLS if name not in HEADS_ALONE])
def test_a_missing_bucket_is_named(call, rclone, aws):
    """An absent bucket is no absent key, except where only HEAD is asked, whose answer does not tell them apart."""
    backend = opened(f"s3://nowhere?endpoint={rclone[0]}")
    with pytest.raises(BackendError, match="no such bucket") as caught:
        call(backend)
    assert "'nowhere'" in str(caught.value)
    assert rclone[0] in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [("AWS_ACCESS_KEY_ID", "does not know the access key"), ("AWS_SECRET_ACCESS_KEY", "secret key is")],
)
def test_wrong_credentials_are_told(name, said, lying, aws):
    """Which of the two it is, and where to correct it; not what they are."""
    aws.setenv(name, "wrongwrong")
    trouble = opened(lying).check()
    assert said in trouble
    assert name in trouble
    assert "wrongwrong" not in trouble


def test_no_credentials_are_told(lying, aws, silent):
    """Half of them, or none, on a host with nobody who answers when asked for some."""
    aws.delenv("AWS_ACCESS_KEY_ID")
    assert "no credentials were found" in opened(lying).check()
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    aws.setenv("AWS_METADATA_ENDPOINT", silent)
    assert "no credentials were found" in opened(f"{lying}&timeout=0.6").check()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((403, "RequestTimeTooSkewed"), "set this one right"),
        ((400, "ExpiredToken"), "session token has expired"),
        ((403, "AccessDenied"), "get, put and delete"),
        ((400, "AuthorizationHeaderMalformed"), "another region"),
        ((503, "SlowDown"), "fewer requests"),
        ((500, "InternalError"), "in trouble, and answers 500 InternalError"),
        ((418, "Strange"), "Strange"),
    ],
)
def test_what_the_store_says_is_put_into_advice(answer, said, answering, aws):
    """Each of the store's own codes, as it stands in an answer."""
    backend = opened(f"s3://bucket?endpoint={answering(*answer)}&timeout=2")
    assert said in backend.check()
    with pytest.raises(BackendError) as caught:
        backend.get(key_of("a"))
    assert said in str(caught.value)


def deleting(serve, key, outcomes):
    """A backend whose store answers each deletion with the next outcome, and the list of those it gave."""
    failed = f"<Error><Key>{key}</Key><Code>UnknownError</Code><Message>for now</Message></Error>"
    deleted = f"<Deleted><Key>{key}</Key></Deleted>"
    given = []

    def answer(client):
        client.recv(65536)
        given.append(outcomes[len(given)])
        body = f"<DeleteResult>{deleted if given[-1] else failed}</DeleteResult>"
        client.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())

    return opened(f"s3://bucket?endpoint={serve(answer)}&timeout=2"), given


def test_a_deletion_that_fails_for_one_object_is_repeated(serve, aws):
    """As while somebody overwrites it: a store may answer so, and means only that one. Not without end."""
    backend, given = deleting(serve, f"{key_of('a')}.rave", [False, False, True, *[False] * 9])
    backend.set_aside(key_of("a"))
    assert given == [False, False, True]
    with pytest.raises(BackendError, match="for now"):
        backend.set_aside(key_of("a"))
    assert len(given) == 10


def test_an_answer_that_makes_no_sense_is_an_error_like_others(serve, aws):
    """The client panics over one about an object that it was not asked for; an operation must not end with it."""
    backend, _ = deleting(serve, "another", [False])
    with pytest.raises(BackendError, match="its answer is not valid"):
        backend.set_aside(key_of("a"))


@every_call
def test_a_dead_endpoint_answers_in_time(call, free_port, aws):
    """Nobody listens there."""
    backend = opened(f"s3://bucket?endpoint=http://127.0.0.1:{free_port}&timeout=1")
    started = time.monotonic()
    with pytest.raises(BackendError, match="can't be reached"):
        call(backend)
    assert time.monotonic() - started < 2


@every_call
def test_a_silent_endpoint_answers_in_time(call, silent, aws):
    """It takes the connection, and never says a word. What makes several requests may take the time of each."""
    backend = opened(f"s3://bucket?endpoint={silent}&timeout=0.5")
    started = time.monotonic()
    with pytest.raises(BackendError, match="no answer in time"):
        call(backend)
    assert time.monotonic() - started < 1.5


def test_an_endpoint_that_is_slower_than_the_timeout_fails_in_time(slow, lying, rclone, aws):
    """And one that is slow, but not that slow, answers."""
    url = lying.replace(rclone[0], slow(rclone[0], 0.3))
    started = time.monotonic()
    with pytest.raises(BackendError, match="no answer in time"):
        opened(f"{url}&timeout=0.3").get(key_of("a"))
    assert time.monotonic() - started < 1
    patient = opened(f"{url}&timeout=10")
    patient.put(key_of("a"), [b"x"])
    assert bytes(patient.get(key_of("a"))) == b"x"


def test_an_operation_is_computed_while_the_store_is_away(free_port, aws, tmp_path):
    """It takes its time, says so, and gives the right answer."""
    url = f"s3://bucket?endpoint=http://127.0.0.1:{free_port}&timeout=0.5"

    @op(name="object-store:away")
    def double(number):
        return number * 2

    with (
        using(Runtime(Settings(cache=["memory://", url], products=[f"file://{tmp_path}/p"]))),
        pytest.warns(RaveWarning, match="can't be reached"),
    ):
        assert double(4) == 8


class TestAStoreThatLies:
    """rclone, which creates over what exists and says that all is well."""

    def test_it_is_noticed_and_said_once(self, lying, caplog):
        """In the log, when the first lease is claimed; and by ``rave doctor``."""
        backend = opened(lying)
        with caplog.at_level(logging.WARNING, "rave"):
            claimed = [backend.claim(key_of("a"), record) for record in (b"one", b"two")]
        assert claimed == [True, True]
        assert [record.getMessage() for record in caplog.records] == [backend.notice()]
        assert "ignores 'If-None-Match: *'" in backend.notice()
        assert backend.check() is None

    def test_everybody_computes(self, lying):
        """Each one's claim is renewed and given back as if it were the only one."""
        backend = opened(lying)
        assert backend.swap_lease(key_of("a"), b"one", b"two")
        assert backend.swap_lease(key_of("a"), b"two", None)
        assert backend.lease(key_of("a")) is None

    def test_results_are_kept_and_tidied_nevertheless(self, lying):
        """Only the leases are given up. This store also answers a range with the whole object."""
        backend = opened(lying)
        backend.put(key_of("old"), frame_of(key_of("old"), expires_at=1.0))
        backend.put(key_of("new"), frame_of(key_of("new")))
        backend.put(key_of("empty"), [])
        assert backend.head(key_of("new"), 3) == b"".join(frame_of(key_of("new")))[:3]
        assert backend.head(key_of("new"), 1 << 20) == b"".join(frame_of(key_of("new")))
        assert backend.head(key_of("empty"), 9) == b""
        removed = backend.purge(lambda entry: not entry.is_fresh(5.0), grace=0)
        assert (removed.entries, removed.leftovers) == (1, 1)
        assert list(backend.keys()) == [key_of("new")]


def test_an_error_of_no_known_kind_is_told_as_it_is():
    """In one line, without the client's own workings."""
    assert advice(ValueError("strange\n  things\n\nDebug source:\nmore"), S3Config("bucket")) == "strange things"


@pytest.fixture
def lying(rclone, aws):
    """The URL of an empty cache in rclone."""
    endpoint, bucket = rclone
    return f"s3://{bucket}/{uuid.uuid4().hex}?endpoint={endpoint}"


@pytest.fixture
def answering(serve):
    """Makes an endpoint that gives every request one answer: a status, and the code of an error."""

    def make(status, code):
        body = f"<Error><Code>{code}</Code><Message>as it is</Message></Error>"
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"

        def answer(client):
            client.recv(65536)
            client.sendall(f"{head}{body}".encode())

        return serve(answer)

    return make


@pytest.fixture
def slow(serve):
    """Makes an endpoint in front of another, which hands everything on after a while."""

    def make(endpoint, seconds):
        def answer(client):
            with socket.create_connection(("127.0.0.1", int(endpoint.rpartition(":")[2]))) as server:
                back = threading.Thread(target=_hand_on, args=(server, client, 0))
                back.start()
                _hand_on(client, server, seconds)
                back.join()

        return serve(answer)

    return make


def _hand_on(source, target, seconds):
    with suppress(OSError):
        while data := source.recv(65536):
            time.sleep(seconds)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def serve():
    """Makes an endpoint whose connections are each given to a function, in a thread of its own."""
    open_ones, threads = [], []

    def make(answer):
        listening = socket.create_server(("127.0.0.1", 0))
        open_ones.append(listening)

        def one(client):
            with client, suppress(OSError):
                answer(client)

        def accept():
            with suppress(OSError):
                while True:
                    client = listening.accept()[0]
                    open_ones.append(client)
                    threads.append(threading.Thread(target=one, args=(client,)))
                    threads[-1].start()

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return _url(listening)

    yield make
    for each in open_ones:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
    for thread in threads:
        thread.join(5)


def _url(listening):
    return f"http://127.0.0.1:{listening.getsockname()[1]}"
