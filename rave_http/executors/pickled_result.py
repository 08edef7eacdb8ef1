"""Values and exceptions that leave a child process."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rave_core.errors import RaveError, UnstorableError, describe_error
from rave_http.executors.executor import Result


@dataclass(frozen=True, slots=True)
class PickledResult:
    """A body's result, pickled.

    Attributes:
        data: the pickled value, or the pickled exception.
        error: class and text of the exception, empty for a value.
        trace: where it was raised, for people.
    """

    data: bytes
    error: str = ""
    trace: str = ""


class ChildTraceback(RaveError):
    """The cause of an exception that came out of a child process: where it was raised there."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0]}"


class _Bare:
    """An exception rebuilt without calling its class, whose ``__init__`` may need unknown arguments."""

    def __init__(self, kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> None:
        self._parts = (kind, args, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, self._parts


def _made_again(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(state)
    return error


def packed(operation: str, result: Result) -> PickledResult:
    """A result in picklable form; for a value that can't be pickled, an error that says so.

    An exception that can't be pickled is rebuilt from its class and arguments, else from its class and text. If only
    the child knows its class, it becomes a `RuntimeError` that names the class.
    """
    value, error = result
    if error is None:
        try:
            return PickledResult(pickle.dumps(value, protocol=5))
        except Exception as reason:  # noqa: BLE001  # the code of a stranger
            error = UnstorableError(
                f"{operation} returned {type(value).__name__}, which can't leave the process that it was made in "
                f"({describe_error(reason)}); run it in threads: executor = 'threads' in the table of this operation"
            )
    trace = "".join(traceback.format_exception(error)) if error.__traceback__ is not None else ""
    return PickledResult(_packed_error(error), describe_error(error), trace)


def opened(operation: str, pickled: PickledResult) -> Result:
    """The unpickled result; for one that can't be unpickled here, an error that says so."""
    try:
        content = pickle.loads(pickled.data)  # noqa: S301  # from our own child
    except Exception as reason:  # noqa: BLE001  # the code of a stranger
        if not pickled.error:
            return None, UnstorableError(f"what {operation} returned can't be brought here: {describe_error(reason)}")
        content = RuntimeError(pickled.error)
    if not pickled.error:
        return content, None
    if pickled.trace:
        content.__cause__ = ChildTraceback(pickled.trace)
    return None, content


def _packed_error(error: Exception) -> bytes:
    for candidate in _candidates(error):
        try:
            data = pickle.dumps(candidate, protocol=5)
            copy = pickle.loads(data)  # noqa: S301  # made in the line before
        except Exception:  # noqa: BLE001, S112  # the code of a stranger; the next one is simpler
            continue
        if type(copy) is type(error) and describe_error(copy) == describe_error(error):
            return data
    return pickle.dumps(RuntimeError(describe_error(error)))


def _candidates(error: Exception) -> Iterator[Any]:
    """Forms of an exception, the most faithful first."""
    kind = type(error)
    yield error
    yield _Bare(kind, error.args, {name: value for name, value in vars(error).items() if _is_portable(value)})
    yield _Bare(kind, (describe_error(error).removeprefix(f"{kind.__name__}: "),), {})


def _is_portable(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301  # made right here
    except Exception:  # noqa: BLE001  # the code of a stranger
        return False
    return True
