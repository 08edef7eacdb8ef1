"""The server in trouble: what is wrong with it, or with what it was told, is said, and nothing hangs."""

from __future__ import annotations

import importlib.util
import socket
import ssl
import threading
import time
from contextlib import suppress

import pytest
import trustme
from rave_valkey.advice import advice
from rave_valkey.plugin import open_valkey

from rave_core.backend import StoreURL
from rave_core.errors import BackendError, ConfigurationError
from rave_core.testing import frame_of, free_port, key_of

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
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


def opened(url):
    """The backend at a URL."""
    return open_valkey(StoreURL(url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("valkey://", "no host is named"),
        ("valkey:///0", "no host is named"),
        ("valkey://h:x", "'x'"),
        ("valkey://h:0", "no port is named"),
        ("valkey://h:99999", "out of range"),
        ("valkey://h/x", "'x' can't be a database"),
        ("valkey://h/-1", "'-1' can't be a database"),
        ("valkey://h/0/1", "'0/1' can't be a database"),
        ("valkey://h?prefx=a", "did you mean 'prefix'?"),
        ("valkey://h?max_bytes=1GiB", "unknown option 'max_bytes'"),
        ("valkey://h?prefix=", "can't be a prefix"),
        ("valkey://h?timeout=soon", "'soon'"),
        ("valkey://h?timeout=0", "from 0.1s to 1h"),
        ("valkey://h?tls=maybe", "is not true or false"),
    ],
)
def test_a_wrong_url_is_refused_at_once(url, said):
    """With the URL, and what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        opened(url)
    assert said in str(caught.value)
    assert url in str(caught.value)


def test_a_user_without_a_password_is_refused():
    """Most likely it is the password, in the wrong place: so it is not repeated."""
    with pytest.raises(ConfigurationError, match="without a password") as caught:
        opened("valkey://hidden@host")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("password", ["hid/den", "hid@den/x", "/hidden"])
def test_a_password_that_is_not_quoted_is_not_repeated(password):
    """The rest of it would look like a port or a database."""
    with pytest.raises(ConfigurationError, match="%2F") as caught:
        opened(f"valkey://user:{password}@host")
    assert "hid" not in str(caught.value)
    assert "den" not in str(caught.value)


def test_without_the_client_the_error_names_what_to_install(monkeypatch):
    """When the cache opens, not when it is first used."""
    found = importlib.util.find_spec
    monkeypatch.setattr("rave_valkey.backend.find_spec", lambda name: None if name == "valkey" else found(name))
    with pytest.raises(ConfigurationError, match="pip install rave-valkey"):
        opened("valkey://host")


@every_call
def test_where_nobody_listens_is_told(call):
    """At once, with the host."""
    with pytest.raises(BackendError, match=r"Valkey at 127\.0\.0\.1:1, .* can't be reached"):
        call(opened("valkey://127.0.0.1:1"))


@every_call
def test_a_silent_server_answers_in_time(call, start_valkey):
    """It takes connections, and says nothing. What makes several requests may take the time of each."""
    server = start_valkey()
    server.freeze()
    backend = opened(server.url(options="?timeout=0.3"))
    started = time.monotonic()
    with pytest.raises(BackendError, match="no answer in time"):
        call(backend)
    assert time.monotonic() - started < 1.5


def test_a_host_without_an_address_is_told():
    """And so is one whose name can't be a name."""
    assert "has no address" in opened("valkey://no-such-host.invalid").check()
    assert "has no address" in opened("valkey://a..b").check()


@pytest.fixture
def guarded(start_valkey):
    """A server that wants a password."""
    return start_valkey("--requirepass", "hidden")


@pytest.mark.parametrize(
    ("credentials", "said"),
    [("", "wants a password"), (":wrong@", "refuses"), ("someone:wrong@", "refuses")],
)
def test_wrong_credentials_are_told_and_not_repeated(guarded, credentials, said):
    """With the place where to correct them."""
    trouble = opened(f"valkey://{credentials}127.0.0.1:{guarded.port}").check()
    assert said in trouble
    assert "user:password@host" in trouble
    assert "wrong" not in trouble


@pytest.mark.parametrize("credentials", [":hidden@", "default:hidden@", "default:h%69dden@"])
def test_credentials_are_taken_from_the_url(guarded, credentials):
    """With or without a user, and quoted as in any URL."""
    backend = opened(f"valkey://{credentials}127.0.0.1:{guarded.port}")
    assert backend.check() is None
    assert "hidden" not in repr(backend) + repr(vars(backend._server))


def test_a_user_needs_no_more_rights_than_the_readme_says(guarded):
    """Everything works with them; without one of them the error lists them all."""
    readme = importlib.util.find_spec("rave_valkey").submodule_search_locations[0] + "/../README.md"
    with open(readme) as file:
        line = next(line for line in file if line.startswith("ACL SETUSER"))
    admin = opened(f"valkey://:hidden@127.0.0.1:{guarded.port}")
    admin._server.run("make a user", *line.split())
    url = f"valkey://rave:password@127.0.0.1:{guarded.port}/1"
    backend = opened(url)
    assert (backend.check(), backend.notice()) == (None, None)
    for call in CALLS.values():
        call(backend)
    backend.put(key_of("dead"), frame_of(key_of("dead")))
    assert backend.purge(lambda entry: True, grace=0).entries == 1
    assert "lacks a permission" in opened(f"{url}?prefix=other").check()
    admin._server.run("take a right", "ACL", "SETUSER", "rave", "-eval")
    with pytest.raises(BackendError, match="getrange, strlen, exists, unlink, scan, eval"):
        backend.swap_lease(key_of("a"), b"x", b"y")
    backend.put(key_of("dead"), frame_of(key_of("dead")))
    with pytest.raises(BackendError, match="lacks a permission"):
        backend.purge(lambda entry: True, grace=0)


def test_a_database_that_is_not_there_is_told(shared):
    """A server has 16 of them, unless told otherwise."""
    assert "no database of that number" in opened(shared.url(99)).check()


def test_a_full_server_says_so_and_gives_what_it_has(start_valkey):
    """Under the policy that evicts nothing."""
    server = start_valkey("--maxmemory", "4mb", "--maxmemory-policy", "noeviction")
    backend = opened(server.url())
    backend.put(key_of("a"), [b"x"])
    with pytest.raises(BackendError, match="allkeys-lru"):
        fill(backend)
    assert backend.get(key_of("a")) == b"x"
    assert "maxmemory" in backend.check()


def fill(backend):
    """Puts 10 MB."""
    for number in range(100):
        backend.put(key_of(str(number)), [bytes(100_000)])


@pytest.mark.parametrize(
    ("options", "said", "unsaid"),
    [
        (("--maxmemory", "9mb", "--maxmemory-policy", "noeviction"), "noeviction", None),
        (("--maxmemory", "9mb", "--maxmemory-policy", "volatile-lru"), "volatile-lru", None),
        (("--maxmemory", "9mb", "--maxmemory-policy", "allkeys-lru"), "nothing on disk", "allkeys-lru"),
        (("--maxmemory-policy", "noeviction"), "nothing on disk", "noeviction"),
        (("--maxmemory", "9mb", "--save", "60 1"), "noeviction", "nothing on disk"),
        (("--save", "60 1"), None, ""),
        (("--appendonly", "yes"), None, ""),
    ],
)
def test_settings_that_do_not_suit_a_cache_are_noticed(start_valkey, options, said, unsaid):
    """A limit without eviction, and nothing on disk; a server without these has no notice."""
    notice = opened(start_valkey(*options).url()).notice()
    if said is None:
        assert notice is None
    else:
        assert said in notice
        assert unsaid is None or unsaid not in notice


def test_a_server_that_is_away_has_no_notice():
    """That it is away, ``check`` tells."""
    assert opened("valkey://127.0.0.1:1").notice() is None


def test_a_replica_is_refused(start_valkey, free_port):
    """Others would not see what is written there."""
    server = start_valkey("--replicaof", f"127.0.0.1 {free_port}")
    assert "name the primary" in opened(server.url()).check()


def test_a_node_of_a_cluster_is_refused(start_valkey):
    """It would answer for some keys only."""
    assert "node of a cluster" in opened(start_valkey("--cluster-enabled", "yes").url()).check()


def test_another_service_is_told(serve):
    """One that answers in a language of its own."""

    def answer(client):
        client.recv(65536)
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert "another protocol" in opened(f"valkey://127.0.0.1:{serve(answer)}").check()


class TestTLS:
    """A proxy that speaks TLS, in front of the shared server."""

    @pytest.fixture
    def authority(self, tmp_path, monkeypatch):
        """Whom every client in this test trusts."""
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        return authority

    @pytest.fixture
    def speak(self, serve, shared):
        """Makes a port of the proxy, with a certificate."""

        def make(certificate):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)

            def answer(client):
                with (
                    context.wrap_socket(client, server_side=True) as plain,
                    socket.create_connection(("127.0.0.1", shared.port)) as server,
                ):
                    while data := plain.recv(65536):
                        server.sendall(data)
                        plain.sendall(server.recv(65536))

            return serve(answer)

        return make

    def test_it_works(self, authority, speak, prefix):
        """With a certificate of the host."""
        port = speak(authority.issue_cert("localhost"))
        backend = opened(f"valkey://localhost:{port}?tls=true&prefix={prefix}")
        backend.put(key_of("a"), [b"x"])
        assert backend.get(key_of("a")) == b"x"
        assert backend.check() is None
        backend.close()

    def test_a_certificate_of_another_host_is_refused(self, authority, speak):
        """Though the client trusts who made it."""
        port = speak(authority.issue_cert("other.example.org"))
        assert "not trusted" in opened(f"valkey://localhost:{port}?tls=true").check()

    def test_a_certificate_of_a_stranger_is_refused(self, authority, speak):
        """Though it has the right name."""
        port = speak(trustme.CA().issue_cert("localhost"))
        assert "SSL_CERT_FILE" in opened(f"valkey://localhost:{port}?tls=true").check()

    def test_a_server_without_it_is_told(self, shared):
        """It waits for a command, and the client for an answer to its greeting."""
        assert "?tls=" in opened(shared.url(options="?tls=true&timeout=0.3")).check()

    def test_a_client_without_it_is_told(self, authority, speak):
        """The server breaks off."""
        port = speak(authority.issue_cert("localhost"))
        assert "?tls=true" in opened(f"valkey://localhost:{port}?timeout=2").check()


def test_an_error_of_no_known_kind_is_told_as_it_is():
    """In one line, and one without a text by its name."""
    assert advice(ValueError("strange\n  things")) == "strange things"
    assert advice(ValueError()) == "ValueError"


@pytest.fixture(name="free_port")
def _free_port():
    """A port of the loopback on which nobody listens."""
    return free_port()


@pytest.fixture
def serve():
    """Makes a port whose connections are each given to a function, in a thread of its own."""
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
        return listening.getsockname()[1]

    yield make
    for each in open_ones:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
    for thread in threads:
        thread.join(5)
