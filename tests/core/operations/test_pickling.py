"""Operations that travel to other processes."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import cloudpickle
import pytest

from rave_core import Runtime, op
from rave_core.errors import RaveError, UnpicklableError

Ran = Callable[[], list[str]]

SCRIPT = """
import sys
from rave_core import op, op_file, typemap, using

@op(expires="1h", tags=["t"])
@typemap(int)
def countdown(n):
    print("ran", n)
    return 0 if n == 0 else countdown(n - 1) + STEP

STEP = 1

@op_file(mime_type="text/plain")
def note(path, text):
    print("noted")
    open(path, "w").write(text)
"""


@op
def doubled(x: int) -> int:
    """Doubles."""
    return 2 * x


def test_an_operation_of_a_module_goes_by_reference() -> None:
    """By plain pickle and by cloudpickle, and comes back as itself."""
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    assert cloudpickle.loads(cloudpickle.dumps(doubled)) is doubled


def test_an_operation_that_cannot_be_imported_says_so() -> None:
    """Plain pickle is refused with what would be right; it is pickle's own error too."""
    local = op(name="t/local")(lambda x: x)
    with pytest.raises(UnpicklableError, match=r"t/local can't be pickled: .*level of a module.*cloudpickle"):
        pickle.dumps(local)
    assert issubclass(UnpicklableError, (RaveError, pickle.PicklingError))


def test_a_local_operation_goes_by_value(runtime: Runtime, ran: Ran) -> None:
    """cloudpickle takes its function along; name and version are those of the original, so its results are found."""
    factor = 3

    @op(name="t/tripled")
    def tripled(x: int) -> int:
        print("ran")
        return factor * x

    assert tripled(2) == 6
    there = cloudpickle.loads(cloudpickle.dumps(tripled))
    assert there is not tripled
    assert (there(2), there.key(2)) == (6, tripled.key(2))
    assert ran() == ["ran"]


def test_a_copy_of_an_operation_is_itself() -> None:
    """Also of one that can't be pickled."""
    local = op(name="t/copied")(lambda x: x)
    assert copy.copy(local) is copy.deepcopy(local) is local


def test_an_operation_of_a_script_travels(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """It calls itself there under its own key, with the notes of its decorators."""
    send = (
        "import cloudpickle; open('sent', 'wb').write(cloudpickle.dumps([countdown, note]))\n"
        "print(countdown(1), countdown.key(2).text)"
    )
    (tmp_path / "job.py").write_text(SCRIPT + send)
    receive = (
        "import pickle; countdown, note = pickle.load(open('sent', 'rb'))\n"
        "print(countdown.key(2).text, countdown('2'), countdown.spec.tags, open(note('x')).read(), note.spec.mime_type)"
    )
    ran_0, ran_1, sent = run_python("job.py").splitlines()
    assert (ran_1, ran_0) == ("ran 0", "ran 1")
    answer, key = sent.split()
    assert answer == "1"
    assert run_python("-c", receive).splitlines() == ["ran 2", "noted", f"{key} 2 ('t',) x text/plain"]


def test_a_script_and_its_spawned_children_share_results(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """multiprocessing sends the operation by reference to the script, which the child imports again."""
    (tmp_path / "job.py").write_text(
        SCRIPT
        + "import multiprocessing\n"
        + "if __name__ == '__main__':\n"
        + "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        + "        print(pool.apply(countdown, (1,)), countdown.resolve(1).status)\n"
    )
    assert run_python("job.py").splitlines()[-1] == "1 hit"


def test_joblib_computes_operations_of_a_script_in_its_workers(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """loky's workers know nothing of the script; what they made, the script finds."""
    (tmp_path / "job.py").write_text(
        SCRIPT
        + "from joblib import Parallel, delayed\n"
        + "print(*Parallel(n_jobs=2)(delayed(countdown)(n) for n in (1, 2)), countdown.resolve(2).status)\n"
    )
    assert run_python("job.py").splitlines()[-1] == "1 2 hit"


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_ray_computes_operations_of_a_script_in_its_workers(tmp_path: Path, run_python: Callable[..., str]) -> None:
    """One of three workers computes, and the others wait for it; what it made, the script finds."""
    (tmp_path / "job.py").write_text(
        SCRIPT
        + "import ray, tempfile\n"
        + "@ray.remote\n"
        + "def remote(n):\n"
        + "    found = countdown.resolve(n)\n"
        + "    return found.value, str(found.status), countdown.key(n) == found.key\n"
        + "with tempfile.TemporaryDirectory() as directory:\n"  # whose path is short enough for sockets
        + "    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False, _temp_dir=directory)\n"
        + "    print(*sorted(ray.get([remote.remote(1) for _ in range(3)])), countdown.resolve(1).status)\n"
        + "    ray.shutdown()\n"
    )
    answered = [f"(1, {status!r}, True)" for status in ("hit", "hit", "miss")]
    assert run_python("job.py", RAY_USAGE_STATS_ENABLED="0").splitlines()[-1] == " ".join([*answered, "hit"])
