"""Processes that are killed or stopped in the middle: the next caller takes over, and nothing half-made is read."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

OPERATIONS = """
if "FIRE_HOST" in os.environ:
    import rave_core.storage.leases
    rave_core.storage.leases.host_id = lambda: os.environ["FIRE_HOST"]

@version("1")  # a killer rebinds what bodies reach
@op
def value(n):
    log(f"value {n}")
    step()
    return {"n": n, "text": "x" * 5000}

@version("1")
@op_file(mime_type="text/plain")
def page(out, n):
    log(f"page {n}")
    with open(out, "w") as file:
        file.write("x" * 5000)
        file.flush()
        step()
        file.write(f"page {n}")

@version("1")
@op_file(kind="directory")
def folder(out, n):
    log(f"folder {n}")
    os.mkdir(out + "/below")
    with open(out + "/below/file", "w") as file:
        file.write("x" * 5000)
        file.flush()
        step()
        file.write(f"folder {n}")

def step():
    pass

@op
def waits(n):
    log(f"waits {os.getpid()}")
    until(lambda: os.path.exists(LOG + ".go"))
    return [n, n]

@op_file(mime_type="text/plain")
def writes_and_waits(out, n):
    log(f"writes_and_waits {os.getpid()}")
    with open(out, "w") as file:
        file.write(f"by {os.getpid()}")
    until(lambda: os.path.exists(LOG + ".go"))

def together(*numbers):
    with ThreadPool(len(numbers)) as pool:
        return list(pool.map(waits, numbers))

def hold():
    # Holds four keys, two of them with a heartbeat, while two children that it forked live on.
    from rave_core.runtime.runtime import default
    value(0)
    fork()
    threading.Thread(target=together, args=(1, 2, 3, 4), daemon=True).start()
    until(lambda: open(LOG).read().count("waits") == 4)
    fork()
    leases, = [each for each in default().container._leases.values() if each and each._held]
    for lease in list(leases._held.values()):
        if lease.key in (str(waits.key(2)), str(waits.key(4))):
            leases._renew(lease)
    print("inside", flush=True)
    signal.pause()

def fork():
    if not os.fork():
        sys.stdin.read()  # longer than its parent lives
        os._exit(0)

RIGHT = {
    "value": lambda n: value(n) == {"n": n, "text": "x" * 5000},
    "page": lambda n: open(page(n)).read() == "x" * 5000 + f"page {n}",
    "folder": lambda n: open(folder(n) + "/below/file").read() == "x" * 5000 + f"folder {n}",
}
"""

# Dies of a real SIGKILL in front of the n-th call that may change the disk, for every n until there is none left.
KILLED_EVERYWHERE = """
import gc, json
import rave_backends.filesystem.backend
from rave_core.runtime.runtime import default

CALLS = (
    "open", "write", "writev", "fsync", "close", "replace", "rename", "link", "unlink", "mkdir", "rmdir", "chmod",
    "utime",
)

def arm(number):
    left = [number]
    def deadly(name, real):
        def call(*args, **named):
            left[0] -= 1
            if not left[0]:
                if name == "writev":
                    os.write(args[0], b"".join(args[1])[:20])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)
        return call
    for name in CALLS:
        setattr(os, name, deadly(name, getattr(os, name)))
    global step
    step = deadly("step", lambda: None)

def in_child(act):
    pid = os.fork()
    if not pid:
        try:
            act()
            os._exit(0)
        except BaseException as error:
            print(error, flush=True)
            os._exit(1)
    return os.waitpid(pid, 0)[1]

def tree():
    tops = [os.environ["RAVE_CACHE"], os.environ["RAVE_PRODUCTS"]]
    return sorted(os.path.join(at, name) for top in tops for at, _, names in os.walk(top[7:]) for name in names)

def victim():
    arm(number)
    RIGHT[what](number)

def successor():
    began = time.monotonic()
    assert RIGHT[what](number)
    assert time.monotonic() - began < 2, "took over too late"
    default().purge()

default()  # so that children find plugins loaded and versions found; each opens the caches itself
for each in (value, page, folder):
    each.resolved()
gc.freeze()  # children share what is imported
what, purge_first = sys.argv[1], sys.argv[2] == "purge first"
for number in range(1, 1000):
    status = in_child(victim)
    report = {"number": number, "killed": status == signal.SIGKILL}
    if purge_first:
        in_child(lambda: default().purge())
        report["after purge"] = tree()
    report["successor"] = in_child(successor)
    report["at the end"] = tree()
    print(json.dumps(report), flush=True)
    if status == 0:
        break
"""


@pytest.fixture
def call(start):
    """Starts a process that makes one call and prints what it gave; returns once it is about to call."""

    def begin(expression, **settings):
        asking = "\nprint('asking', flush=True)\nprint(eval(sys.argv[1]), flush=True)"
        process = start(OPERATIONS + asking, expression, **settings)
        assert process.stdout.readline() == "asking\n"
        return process

    return begin


@pytest.mark.parametrize("purge", ["purge first", "purge later"])
@pytest.mark.parametrize("what", ["value", "page", "folder"])
def test_a_kill_at_any_point_is_taken_over(start, log, leftovers, tmp_path, what, purge):
    """Killed in front of each system call in turn: the next process answers at once, and a purge leaves nothing."""
    killer = start(OPERATIONS + KILLED_EVERYWHERE, what, purge, RAVE_PRODUCTS_GRACE="0")
    output, _ = killer.communicate(timeout=100)
    diagnostics = [json.loads(line) for line in output.splitlines()]
    assert killer.returncode == 0
    assert [report["killed"] for report in diagnostics] == [True] * (len(diagnostics) - 1) + [False]
    assert len(diagnostics) > 8
    assert [report["number"] for report in diagnostics if report["successor"]] == []
    assert leftovers(tmp_path / "data") == leftovers(tmp_path / "products") == []
    for report in diagnostics:
        for moment in ("after purge", "at the end"):
            names = [name.rpartition("/")[2] for name in report.get(moment, ()) if "/.rave/" in name]
            names = [name for name in names if what != "folder" or name != "file"]  # of unpacked copies
            own = {"key", "purged", "purge.lock", "commit.lock", "leases.lock", "leases.bytes", ".gitignore"}
            assert not set(names) - own
    frames = [name for name in diagnostics[-1]["at the end"] if name.endswith(".rave")]
    products = [name for name in diagnostics[-1]["at the end"] if name.endswith((".txt", ".tar"))]
    assert len(frames) == len(diagnostics)
    assert len(products) == (len(diagnostics) if what != "value" else 0)


@pytest.mark.parametrize("operation", ["waits", "writes_and_waits"])
def test_a_computation_that_is_killed_is_taken_over_at_once(call, log, until, tmp_path, operation):
    """Who already waits for a process of this host notices its death long before the lease time is over."""
    first = call(f"{operation}(1)", RAVE_LEASE_TIME="60s")
    until(log, "the first is inside")
    second = call(f"{operation}(1)", RAVE_LEASE_TIME="60s")
    first.kill()
    until(lambda: len(log()) == 2, "the second takes over", 5)
    (tmp_path / "log.go").touch()
    answer = second.communicate()[0].strip()
    assert answer == "[1, 1]" or Path(answer).read_text() == f"by {second.pid}"


def test_children_of_a_killed_holder_keep_none_of_its_keys(call, log, until, tmp_path):
    """Whoever waited before or asks afterwards takes over, whether the holder had a heartbeat or not."""
    holder = call("hold()", RAVE_LEASE_TIME="60s")
    assert holder.stdout.readline() == "inside\n"
    early = call("together(1, 2)", RAVE_LEASE_TIME="60s")
    late = call("sys.stdin.readline() and together(3, 4)", RAVE_LEASE_TIME="60s")
    holder.kill()  # it stays a zombie
    late.stdin.write("now\n")
    late.stdin.flush()
    until(lambda: len(log()) == 9, "the others take over", 10)
    (tmp_path / "log.go").touch()
    assert [each.communicate()[0] for each in (early, late)] == ["[[1, 1], [2, 2]]\n", "[[3, 3], [4, 4]]\n"]


def test_a_holder_on_another_host_is_taken_over_within_the_lease_time(call, log, until, make_runtime, tmp_path):
    """Nobody can look at its process: the silence of its lease for the lease time is what counts."""
    first = call("waits(1)", FIRE_HOST="another host", RAVE_LEASE_TIME="1.5s")
    until(lambda: b"another host" in b"".join(_leases(tmp_path)), "the lease has its first heartbeat")
    first.kill()
    first.wait()
    killed = time.monotonic()
    second = call("waits(1)", RAVE_LEASE_TIME="1.5s")
    until(lambda: len(log()) == 2, "the second takes over", 10)
    assert time.monotonic() - killed > 1.4
    (tmp_path / "log.go").touch()
    assert second.communicate()[0] == "[1, 1]\n"
    make_runtime().purge()
    assert _leases(tmp_path) == []


def _leases(tmp_path):
    return [path.read_bytes() for path in (tmp_path / "data" / ".rave" / "leases").glob("*")]


def test_a_holder_killed_after_heartbeats_leaves_no_lease_behind_a_purge(call, log, until, make_runtime, tmp_path):
    """Even if nobody ever asks for its key again."""
    first = call("waits(1)", RAVE_LEASE_TIME="0.3s")
    until(lambda: _leases(tmp_path), "the lease has its first heartbeat")
    make_runtime().purge()
    assert len(_leases(tmp_path)) == 1
    first.kill()
    first.wait()
    make_runtime().purge()
    assert _leases(tmp_path) == []


@pytest.mark.parametrize("operation", ["waits", "writes_and_waits"])
@pytest.mark.parametrize("lease_time", ["1.5s", "0.6s"])
def test_a_stopped_holder_is_taken_over_and_goes_on_without_harm(call, log, until, tmp_path, operation, lease_time):
    """After SIGSTOP for longer than the lease time another computes; after SIGCONT both give right answers."""
    first = call(f"{operation}(1)", RAVE_LEASE_TIME=lease_time)
    until(log, "the first is inside")
    first.send_signal(signal.SIGSTOP)
    second = call(f"{operation}(1)", RAVE_LEASE_TIME=lease_time)
    until(lambda: len(log()) == 2, "the second takes over", 10)
    (tmp_path / "log.go").touch()
    answers = [second.communicate()[0].strip()]
    first.send_signal(signal.SIGCONT)
    answers.append(first.communicate()[0].strip())
    third = call(f"{operation}(1)", RAVE_LEASE_TIME=lease_time)
    answers.append(third.communicate()[0].strip())
    assert len(log()) == 2
    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0)
    if operation == "waits":
        assert answers == ["[1, 1]"] * 3
    else:
        assert [Path(path).read_text() for path in answers[:2]] == [f"by {second.pid}", f"by {first.pid}"]
        assert answers[2] in answers[:2]


def test_a_living_holder_is_left_alone(call, log, until, tmp_path):
    """However long it takes: heartbeats keep its lease for many lease times."""
    first = call("waits(1)", RAVE_LEASE_TIME="0.3s")
    until(log, "the first is inside")
    second = call("waits(1)", RAVE_LEASE_TIME="0.3s")
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 2.5, "many lease times pass")
    assert len(log()) == 1
    (tmp_path / "log.go").touch()
    assert [first.communicate()[0], second.communicate()[0]] == ["[1, 1]\n"] * 2
    assert len(log()) == 1
