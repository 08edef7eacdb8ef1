"""One leader among processes and hosts: kills, stops and clocks do not make two."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rave_core import Runtime, Settings
from rave_core.documents import Fence, open_store
from rave_core.errors import ConfigurationError, FenceError
from rave_core.leadership import Leadership

LEASE_TIME = 1.5
PATIENCE = 20.0
CANDIDATE = """
import os, signal, sys, threading
from rave_core import Runtime, Settings
from rave_core.errors import FenceError, StoreAwayError
from rave_core.leadership import Leadership
from rave_core.storage import leases
from rave_core.testing.clock import shift_time

name, host, cache, documents, lease_time = sys.argv[1:]
if host:
    leases.host_id = lambda: host
signal.signal(signal.SIGUSR1, lambda *_: shift_time(3600.0))
signal.signal(signal.SIGUSR2, lambda *_: shift_time(-7200.0))
is_stopping = threading.Event()
signal.signal(signal.SIGTSTP, lambda *_: is_stopping.set())
runtime = Runtime(Settings(cache=cache, documents=documents, lease_time=float(lease_time)))
with Leadership(runtime, "test") as leadership:
    number = 0
    print(flush=True)
    while True:
        leadership.wait(0.1)
        if leadership.fence:
            number += 1
            if is_stopping.is_set() and leadership.is_leader:
                is_stopping.clear()
                os.kill(os.getpid(), signal.SIGSTOP)  # as it may happen to anybody who has just looked
            try:
                runtime.documents.save(
                    "log", f"{name} {number}", b"%d" % leadership.fence, expect=0, author=name, fence=leadership.fence
                )
            except (FenceError, StoreAwayError):
                threading.Event().wait(0.05)
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for something to be so; gives what it gave."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"still waiting for {what}"
        time.sleep(0.02)
    return found


class Election:
    """Processes that want to lead, and what each saved while it did."""

    def __init__(self, cache: str, documents: str, hosts: bool) -> None:
        self.cache, self.documents, self.hosts = cache, documents, hosts
        self.store = open_store(documents)
        self.started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Starts a candidate."""
        arguments = [name, f"host {name}" if self.hosts else "", self.cache, self.documents, str(LEASE_TIME)]
        command = [sys.executable, "-c", CANDIDATE, *arguments]
        self.started[name] = process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stdout.read(1), "the candidate ended at once"

    def send(self, name: str, number: int) -> None:
        """Sends a signal to a candidate."""
        self.started[name].send_signal(number)
        if number == signal.SIGKILL:
            self.started[name].wait()

    def leads(self, name: str) -> None:
        """Waits until a candidate saves something."""
        since = self.store.sequence()
        until(lambda: any(c.metadata.author == name for c in self.store.changes(since)), f"{name} to lead")

    def terms(self) -> list[tuple[str, int]]:
        """Who led with which fence, in the order of commits."""
        found = [(each.metadata.author, int(each.payload or b"")) for each in self.store.dump()]
        return [each for number, each in enumerate(found) if not number or found[number - 1] != each]

    def close(self) -> None:
        """Ends all."""
        for process in self.started.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()
        self.store.close()


@pytest.fixture(params=["one host", "two hosts on one bucket"])
def election(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Election]:
    """Two candidates, of which the first one leads."""
    hosts = request.param != "one host"
    cache = request.getfixturevalue("s3_url") if hosts else f"file://{tmp_path}/cache"
    election = Election(cache, f"sqlite:///{tmp_path}/documents.sqlite", hosts)
    try:
        election.start("a")
        election.leads("a")
        election.start("b")
        yield election
    finally:
        election.close()


def is_one_after_the_other(terms: list[tuple[str, int]]) -> bool:
    """Whether no fence ever comes back once there was a newer one, and no two processes share one."""
    fences = [fence for _, fence in terms]
    return fences == sorted(set(fences))


def test_another_process_leads_when_the_leader_is_killed(election: Election) -> None:
    """With a larger fence."""
    election.send("a", signal.SIGKILL)
    election.leads("b")
    terms = election.terms()
    assert [name for name, _ in terms] == ["a", "b"]
    assert is_one_after_the_other(terms)


def test_a_leader_that_was_stopped_saves_nothing_when_it_comes_back(election: Election) -> None:
    """Although it has just seen that it leads; later it may lead again."""
    election.send("a", signal.SIGTSTP)
    election.leads("b")
    election.send("a", signal.SIGCONT)
    election.leads("b")
    election.send("b", signal.SIGKILL)
    election.leads("a")
    terms = election.terms()
    assert [name for name, _ in terms] == ["a", "b", "a"]
    assert is_one_after_the_other(terms)


@pytest.mark.parametrize("jump", [signal.SIGUSR1, signal.SIGUSR2], ids=["ahead", "back"])
def test_a_clock_that_jumps_does_not_make_two_leaders(election: Election, jump: int) -> None:
    """Neither that of the leader nor that of another candidate."""
    for name in ("a", "b", "b"):
        election.send(name, jump)
        since = election.store.sequence()
        until(lambda since=since: election.store.sequence() > since + 20, "somebody to lead")
    election.send("a", signal.SIGKILL)
    election.leads("b")
    assert is_one_after_the_other(election.terms())


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Runtime]]:
    """Makes runtimes of one host."""
    made = []

    def make(**settings: Any) -> Runtime:
        settings = {"cache": f"file://{tmp_path}/cache", "documents": f"sqlite:///{tmp_path}/d.sqlite"} | settings
        made.append(Runtime(Settings(lease_time=LEASE_TIME, **settings)))
        return made[-1]

    yield make
    for runtime in made:
        runtime.close()


def test_a_leader_that_steps_down_is_followed_at_once(make: Callable[..., Runtime]) -> None:
    """Callbacks hear of it, in order, and one that fails does not keep the others from it."""
    heard: list[tuple[str, bool]] = []
    with Leadership(make(), "x") as first:
        first.on_change(lambda leads: 1 / 0)
        first.on_change(lambda leads: heard.append(("first", leads)))
        assert first.wait(PATIENCE)
        with Leadership(make(), "x") as second:
            second.on_change(lambda leads: heard.append(("second", leads)))
            assert not second.wait(0.2)
            assert (second.is_leader, second.fence) == (False, 0)
            until(lambda: heard, "the first callback")
            first.close()
            assert second.wait(PATIENCE)
            assert not first.is_leader
            assert second.fence > first.fence > 0
            until(lambda: len(heard) == 3, "the second callback")
    assert heard == [("first", True), ("first", False), ("second", True), ("second", False)]


def test_leaderships_of_other_names_do_not_matter(make: Callable[..., Runtime]) -> None:
    """Each has its own leader and fence."""
    runtime = make()
    with Leadership(runtime, "x") as one, Leadership(runtime, "y") as other:
        assert one.wait(PATIENCE)
        assert other.wait(PATIENCE)
        assert (one.fence.name, other.fence.name) == ("x", "y")
        runtime.documents.save("c", "k", b"", expect=0, author="x", fence=one.fence)
        runtime.documents.save("c", "k", b"", expect=1, author="y", fence=other.fence)


def test_who_was_fenced_off_steps_down(make: Callable[..., Runtime]) -> None:
    """Also while it still holds its lease."""
    runtime = make()
    with Leadership(runtime, "x") as leadership:
        assert leadership.wait(PATIENCE)
        old = leadership.fence
        new = runtime.documents.next_fence("x", above=int(old))
        with pytest.raises(FenceError):
            runtime.documents.save("c", "k", b"", expect=0, author="x", fence=old)
        until(lambda: leadership.fence > new, "another term")


def test_nobody_leads_without_documents(make: Callable[..., Runtime], tmp_path: Path) -> None:
    """The reason is told; once they are there, somebody does."""
    (tmp_path / "file").write_text("")
    with Leadership(make(documents=f"sqlite:///{tmp_path}/file/d.sqlite"), "x") as leadership:
        assert "can't be written" in until(lambda: leadership.trouble, "the reason")
        assert not leadership.is_leader
        (tmp_path / "file").unlink()
        assert leadership.wait(PATIENCE)
        assert leadership.trouble is None or until(lambda: leadership.trouble is None, "no more trouble")


def test_a_cache_without_leases_can_not_say_who_leads(make: Callable[..., Runtime]) -> None:
    """Memory is each process's own."""
    with pytest.raises(ConfigurationError, match=r"'x'.*file://"):
        Leadership(make(cache="memory://"), "x")


def test_a_forked_child_does_not_lead(make: Callable[..., Runtime]) -> None:
    """Whatever its parent does."""
    with Leadership(make(), "x") as leadership:
        assert leadership.wait(PATIENCE)
        child = os.fork()
        if not child:
            os._exit(leadership.is_leader)
        assert os.waitpid(child, 0)[1] == 0
        assert leadership.is_leader


def test_a_fence_can_be_sent_to_another_process() -> None:
    """With its name."""
    fence = pickle.loads(pickle.dumps(Fence(7, "x")))
    assert (fence, fence.name) == (7, "x")
