"""Runs of other processes, or of bodies in this one, that make the product of a job before it starts."""

from __future__ import annotations

import asyncio
import logging

from rave_core.engine.single_flight import Flights
from rave_core.model import PLAIN
from rave_core.storage.leases import LeaseWait
from rave_http.jobs.job import Job

_log = logging.getLogger("rave.http")


async def other_runs_ended(job: Job, flights: Flights) -> None:
    """Waits while another process, or a body in this one, makes the product of a job.

    Args:
        job: takes over the progress that they report.
        flights: of this process.
    """
    key, leases = job.key, job.resolved.leases
    if key is None or job.options is not PLAIN:
        return
    watch = LeaseWait(leases, key, job.resolved.name) if leases is not None else None
    seconds = 0.01
    try:
        while flights.is_under_way(key) or (watch and not await asyncio.to_thread(watch.is_free)):
            job.is_elsewhere = True
            if leases is not None:
                job.follow(await asyncio.to_thread(leases.holder, key))
            await asyncio.sleep(seconds)
            seconds = min(seconds * 1.5, 0.2)
    except Exception as error:  # noqa: BLE001  # a store may raise anything; a lease only saves work
        _log.warning("the lease of %s can't be read: %s", key, error)
    job.is_elsewhere = False
