"""Which jobs may join the queue, and which have to leave it for those of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from rave_http.jobs.admission import Admission
from rave_http.protocol.problems import Problem
from rave_http.settings import ServiceSettings


@dataclass
class StubTask:
    """A task that can be cancelled."""

    is_cancelled: bool = False

    def cancel(self) -> None:
        """Notes it."""
        self.is_cancelled = True


@dataclass
class StubJob:
    """What the admission sees of a job."""

    client: str
    is_left: bool = True
    task: StubTask = field(default_factory=StubTask)


def admit(client: str, *jobs: StubJob, share: int = 80) -> list[int]:
    """Asks for another job where 2 run and 8 wait; the indexes of those that are given up for it."""
    given: Any = jobs
    Admission(ServiceSettings(queue=8, client_share=share)).admit(client, given, 2)
    return [index for index, job in enumerate(jobs) if job.task.is_cancelled]


def test_a_client_gets_no_more_than_its_share() -> None:
    """Though there is room."""
    assert admit("a", *(StubJob("a") for _ in range(7))) == []
    with pytest.raises(Problem, match="which is your share") as caught:
        admit("a", *(StubJob("a") for _ in range(8)))
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "5"})


def test_a_client_that_may_have_all_finds_the_queue_full() -> None:
    """With a share of 100 % there is nothing that it has too much of: 503, as for anybody else."""
    assert admit("a", *(StubJob("a") for _ in range(9)), share=100) == []
    with pytest.raises(Problem, match="2 computations run and 8 wait") as caught:
        admit("a", *(StubJob("a") for _ in range(10)), share=100)
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})


def test_who_has_few_jobs_takes_the_room_of_who_has_many() -> None:
    """Of what nobody waits for, the latest goes."""
    jobs = [StubJob("a", is_left=number < 5) for number in range(8)]
    assert admit("c", *jobs, StubJob("b"), StubJob("b")) == [4]


@pytest.mark.parametrize(
    "jobs",
    [
        [StubJob("a", is_left=False) for _ in range(10)],
        [StubJob(name) for name in "aabbccddee"],
    ],
    ids=["all are awaited", "nobody has many"],
)
def test_where_there_is_no_room_it_says_so(jobs: list[StubJob]) -> None:
    """With advice when to ask again, and nothing is given up."""
    with pytest.raises(Problem, match="2 computations run and 8 wait") as caught:
        admit("e", *jobs, share=100)
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "5"})
    assert not any(job.task.is_cancelled for job in jobs)
