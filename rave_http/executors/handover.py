"""What a parent and a child process tell each other about one body: what to run, whether it can, and what came out."""

from __future__ import annotations

import inspect
import logging
import pickle
import sys
from collections.abc import Sequence
from typing import Final

from rave_core.engine.effects import RunBody
from rave_core.errors import Signal, describe_error
from rave_core.model import Call, Key
from rave_core.operations.pools import Answers
from rave_core.runtime.runtime import Runtime, runtime_of
from rave_core.telemetry.statistics import Statistics
from rave_core.versions.loaded_files import loaded_files
from rave_http.executors.child_channel import log_levels
from rave_http.executors.child_jobs import Answer, BodyCall, CallBatch, Place
from rave_http.executors.child_process import ChildProcess, GoneError
from rave_http.executors.child_runtime import adopt_levels, find, prepare
from rave_http.executors.executor import Result
from rave_http.executors.pickled_result import opened
from rave_http.executors.stats_delta import add

PREPARATION: Final = 60.0
"""Seconds that a child may take to start, and to import what an operation needs."""


class MisfitError(Signal):
    """A body can't run in a child; the message says why."""


class SupersededError(MisfitError):
    """Nor will it: its module was loaded anew meanwhile, with another version of the operation, which may run there."""


def body_call(step: RunBody, number: int, trace: str) -> BodyCall:
    """A body as a child needs it.

    Args:
        step: what to run.
        number: of the job, among all of the executor.
        trace: the ``traceparent`` of the request.

    Raises:
        MisfitError: the body can't run in another process.
    """
    call, context = step.call, step.context
    place = place_of(call, runtime_of(context))
    try:
        arguments = pickle.dumps((step.args, step.kwargs, call.args, call.named), protocol=5)
    except Exception as error:  # noqa: BLE001  # the code of a stranger
        raise MisfitError(f"its arguments can't be sent there: {describe_error(error)}") from None
    done = frozenset(context.deep.done) if context.deep is not None else None
    is_heard = runtime_of(context).events.has_listeners
    return BodyCall(number, place, context.operation, call.key, _keys_around(step), arguments, done, trace, is_heard)


def call_batch(operation: str, calls: Sequence[Call], number: int, trace: str, runtime: Runtime) -> CallBatch:
    """Calls of one operation as a child needs them; see `body_call`.

    Raises:
        MisfitError: they can't run in another process.
    """
    place = place_of(calls[0], runtime)
    given = [(call.key, call.args, call.kwargs, call.named) for call in calls]
    try:
        arguments = pickle.dumps(given, protocol=5)
    except Exception as error:  # noqa: BLE001  # the code of a stranger
        raise MisfitError(f"their arguments can't be sent there: {describe_error(error)}") from None
    return CallBatch(number, place, operation, _version_of(calls[0].key), arguments, trace)


def make_ready(child_process: ChildProcess, job: BodyCall | CallBatch) -> None:
    """Makes the child load what a job needs. This does not count against its time limit.

    Raises:
        MisfitError: the child can't run it.
        GoneError, KilledError: as by `ChildProcess.ask`.
    """
    levels = log_levels()
    if levels != child_process.log_levels:
        changed = {**dict.fromkeys(child_process.log_levels, logging.NOTSET), **levels}
        try:
            child_process.ask(PREPARATION, adopt_levels, changed)
        except TimeoutError:
            raise GoneError(f"its process did not answer within {PREPARATION:g} s") from None
        child_process.log_levels = levels
    version = job.version if isinstance(job, CallBatch) else _version_of(job.key)
    if (job.place, version) in child_process.ready:
        return
    try:
        misfit = child_process.ask(PREPARATION, prepare, job.place, version)
    except TimeoutError:
        raise GoneError(f"its process was not ready within {PREPARATION:g} s") from None
    if misfit:
        raise MisfitError(misfit)
    child_process.ready.add((job.place, version))


def settled(step: RunBody, answer: Answer) -> Result:
    """The result in an answer, whose children, deep refresh and counts are added to those of the caller."""
    context = step.context
    context.children.update(dict.fromkeys(answer.children))
    if context.deep is not None:
        context.deep.done.update(answer.done)
    add(context.runtime.statistics, answer.growth)
    if answer.is_surprising:
        loaded_files.surprise()
    assert answer.pickled is not None
    return opened(context.operation, answer.pickled)


def settled_batch(operation: str, statistics: Statistics, answer: Answer) -> Answers:
    """The results in the answer to a batch, whose counts are added to ``statistics``."""
    add(statistics, answer.growth)
    assert answer.pickled is not None
    results, seconds = pickle.loads(answer.pickled.data)  # noqa: S301  # from our own child
    return Answers([opened(operation, each) for each in results], seconds)


def _version_of(key: Key | None) -> str | None:
    return key.version if key is not None else None


def place_of(call: Call, runtime: Runtime) -> Place:
    """Where another process finds the operation of a call.

    If its module was loaded anew meanwhile, that is the new one, as long as the version of the operation is the same.

    Raises:
        SupersededError: only an earlier module has it.
        MisfitError: nowhere.
    """
    function = call.spec.function
    place = Place(function.__module__ or "", function.__qualname__)
    module = sys.modules.get(place.module)
    if place.module in ("__main__", "__mp_main__") or module is None:
        raise MisfitError(f"there is no module {place.module!r} to import it from")
    found = find(module, place.qualname)
    if found is not None and found.function is function:
        return place
    if getattr(inspect.unwrap(function), "__globals__", None) is vars(module):
        raise MisfitError(f"it can't be found: {place.module} has no such {place.qualname!r}, or another one by now")
    version = _version_of(call.key)
    if found is None or version is None or found.resolved_in(runtime).binder.version != version:
        raise SupersededError(f"{place.module} was loaded anew meanwhile")
    return place


def _keys_around(step: RunBody) -> tuple[str, ...]:
    keys: list[str] = []
    context = step.context.parent
    while context is not None:
        keys += [context.key] if context.key is not None else []
        context = context.parent
    return tuple(reversed(keys))
