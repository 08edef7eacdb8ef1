"""The error tree.

    RaveError
    ├── ConfigurationError   (ValueError)    a setting, a backend URL or one of its options is wrong
    ├── DecorationError      (TypeError)     this can't be an operation, or its typemap does not fit
    ├── ArgumentError        (TypeError)     a call's arguments do not fit the operation or its typemap
    ├── OperationError       (ValueError)    an operation's body refuses the request, which the caller can mend
    ├── OptionError          (TypeError)     an unknown or misplaced ``rave_…`` option
    ├── UnknownNameError     (LookupError)   no operation, strategy, converter, … of that name
    ├── PluginError          (ImportError)   a plugin failed to load or to register
    │   └── DuplicateError                   two plugins claim one name
    ├── LifecycleError       (RuntimeError)  something was started or stopped out of turn
    ├── ProductError         (OSError)       a file operation wrote nothing, or its output can't be written
    ├── BackendError         (OSError)       a backend could not do what it was asked
    ├── DocumentError                        a document store refused what it was asked, or could not do it
    │   ├── Conflict                         another version of the document is the newest
    │   ├── FenceError                       another process leads since: the fence is an older one
    │   ├── InvalidDocumentError (ValueError) a name, a payload or a number can't be kept as it is
    │   ├── LaterSchemaError                 a later version of RAVE made the store
    │   └── StoreAwayError   (OSError)       the store can't be reached, or does not do what it is asked
    ├── TimeLimitError       (TimeoutError)  a computation was ended, or given up, at its time limit
    ├── TopicError           (ValueError)    this can't be the topic of an event, or a pattern of topics
    ├── UnencodableError     (TypeError)     a value has no canonical encoding, so it can't be part of a key
    ├── UnpicklableError     (PicklingError) an operation can't be sent to another process like this
    ├── UnstorableError      (TypeError)     no codec can keep this value
    ├── UnrenderableError    (TypeError)     a result can't take the form that was asked for
    └── EntryError           (ValueError)    an entry can't be used: never escapes to the caller of an operation
        ├── DamagedError                     bytes changed, are missing, or belong to another key
        ├── SealError                        the seal is absent or made with another key
        └── LaterFormatError                 written by a later version of RAVE

Beside it stands ``Signal``, for exceptions that RAVE raises and catches itself.

Every message says what is wrong, which name, and what would be right. An operation's own
exception is never wrapped.
"""

from __future__ import annotations

import difflib
import pickle
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "ArgumentError",
    "BackendError",
    "ConfigurationError",
    "Conflict",
    "DamagedError",
    "DecorationError",
    "DocumentError",
    "DuplicateError",
    "EntryError",
    "FenceError",
    "InvalidDocumentError",
    "LaterFormatError",
    "LaterSchemaError",
    "LifecycleError",
    "OperationError",
    "OptionError",
    "PluginError",
    "ProductError",
    "RaveError",
    "RaveWarning",
    "SealError",
    "StoreAwayError",
    "TimeLimitError",
    "TopicError",
    "UnencodableError",
    "UnknownNameError",
    "UnpicklableError",
    "UnrenderableError",
    "UnstorableError",
    "describe_error",
    "is_refusal",
    "nearest",
]


class RaveError(Exception):
    """The root of every error that RAVE itself raises."""


class Signal(Exception):
    """The root of what one part of RAVE raises for another to catch. It is not an error, and callers never see it."""


class RaveWarning(UserWarning):
    """A call was answered, but not as it should be: uncached, or with a store in trouble. Given once per cause."""


class ConfigurationError(RaveError, ValueError):
    """A setting, a backend URL or one of its options is wrong."""


class DecorationError(RaveError, TypeError):
    """What was decorated can't be an operation, or a decorator does not fit it."""


class ArgumentError(RaveError, TypeError):
    """The arguments of a call do not fit the operation's signature or typemap.

    Attributes:
        operation: the operation's name.
        parameter: the argument's name, or ``None`` if the call as a whole does not fit.
        wanted: the wanted type in words, or ``None``.
    """

    def __init__(
        self, message: str, *, operation: str = "", parameter: str | None = None, wanted: str | None = None
    ) -> None:
        super().__init__(message)
        self.operation = operation
        self.parameter = parameter
        self.wanted = wanted


class OperationError(RaveError, ValueError):
    """The body of an operation says that the request is wrong: the caller has to correct it, and a retry does not help.

    This is not a failure of the operation: it is not logged or counted as one, and over HTTP it is a client error.
    Raise it for what a typemap can't check: a window that ends before it starts, a name that does not exist.

    Attributes:
        status: the HTTP status, from 400 to 499.
        errors: one for each wrong argument: ``{"parameter": …, "detail": …}``.
    """

    def __init__(self, message: str, *, status: int = 422, errors: Sequence[Mapping[str, Any]] = ()) -> None:
        """Says what is wrong with the request, and what would be right.

        Raises:
            ConfigurationError: the status is not from 400 to 499.
        """
        if not 400 <= status <= 499:
            raise ConfigurationError(f"OperationError(status={status!r}): expected a status from 400 to 499")
        super().__init__(message)
        self.status = status
        self.errors = [dict(error) for error in errors]


class OptionError(RaveError, TypeError):
    """An unknown ``rave_…`` option, or one that does not apply to this operation."""


class UnknownNameError(RaveError, LookupError):
    """Nothing of that name is known; the message names the nearest that is."""


class PluginError(RaveError, ImportError):
    """A plugin failed to load, or registered something that can't be used."""


class LifecycleError(RaveError, RuntimeError):
    """Something was started, drained or stopped out of turn; see `rave_core.lifecycle.Lifecycle`."""


class DuplicateError(PluginError):
    """Two plugins, or two exports, claim one name; the message names both."""


class ProductError(RaveError, OSError):
    """A file operation wrote nothing, or its output can't be written where it should go."""


class BackendError(RaveError, OSError):
    """A backend could not do what it was asked; the engine computes instead."""


class DocumentError(RaveError):
    """A document store refused what it was asked, or could not do it. Nothing is ever half-written."""


class Conflict(DocumentError):
    """A document was not saved: its newest version is not the one that the save expected.

    Attributes:
        collection, key: the document.
        expected: the newest version in the store, 0 if there is none: the ``expect`` that would have been right.
        provided: the ``expect`` of the save.
    """

    def __init__(self, collection: str, key: str, expected: int, provided: int) -> None:
        super().__init__(collection, key, expected, provided)  # all of them, so that it can be pickled
        self.collection = collection
        self.key = key
        self.expected = expected
        self.provided = provided

    def __str__(self) -> str:
        found = f"the newest version is {self.expected}" if self.expected else "it does not exist"
        return (
            f"{self.key!r} in {self.collection!r} was not saved: {found}, and not {self.provided}; "
            "read it again, and save on top of that"
        )


class FenceError(DocumentError):
    """A document was not saved: another process leads by now, and this one has the fence of an earlier leader.

    Attributes:
        name: of the leadership.
        fence: of the save.
        newest: the latest fence in the store.
    """

    def __init__(self, name: str, fence: int, newest: int) -> None:
        super().__init__(name, fence, newest)
        self.name = name
        self.fence = fence
        self.newest = newest

    def __str__(self) -> str:
        if not self.fence:
            return f"nothing was saved for {self.name!r}: this process has not led yet; wait until it does"
        return (
            f"nothing was saved with fence {self.fence} of {self.name!r}: fence {self.newest} was given out since, so "
            "another process leads; stop, or wait until this process leads again"
        )


class InvalidDocumentError(DocumentError, ValueError):
    """A name, a payload, a version or a number of versions can't be kept or used as it is."""


class LaterSchemaError(DocumentError):
    """A later version of RAVE made the document store, and this one does not know its tables."""


class StoreAwayError(DocumentError, OSError):
    """A document store can't be reached or does not do what it is asked. What was being saved is whole or absent."""


class TimeLimitError(RaveError, TimeoutError):
    """A computation was ended, or given up where it can't be ended, at its time limit."""


class TopicError(RaveError, ValueError):
    """A text can't be the topic of an event, or a pattern of topics."""


class UnencodableError(RaveError, TypeError):
    """A value has no canonical encoding; ``path`` says where it stands, as in ``args.config.model``."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path

    def under(self, step: str) -> UnencodableError:
        """The same error, seen from the container that holds the value under ``step``."""
        return UnencodableError(self.reason, step + self.path)


class UnpicklableError(RaveError, pickle.PicklingError):
    """An operation that plain pickle can't send to another process; the message says what can."""


class UnstorableError(RaveError, TypeError):
    """No codec that this cache allows can keep the value."""


class UnrenderableError(RaveError, TypeError):
    """A result can't take a form.

    Attributes:
        form: the form, such as ``csv``.
        needs: what the form needs and what the value is, in words.
        instead: forms that would do, or empty.
    """

    def __init__(self, form: str, needs: str, instead: str = "") -> None:
        super().__init__(form, needs, instead)  # all three, so that it can be pickled
        self.form = form
        self.needs = needs
        self.instead = instead

    def __str__(self) -> str:
        return f"{self.form} needs {self.needs}" + (f"; {self.instead} would do" if self.instead else "")


class EntryError(RaveError, ValueError):
    """An entry can't be used; the engine reports it and treats it as absent."""


class DamagedError(EntryError):
    """An entry's bytes changed, are missing, or belong to another key."""


class SealError(EntryError):
    """An entry's seal is absent, or was made with another signing key."""


class LaterFormatError(EntryError):
    """An entry was written by a later version of RAVE."""


def is_refusal(error: BaseException | None) -> bool:
    """Whether an exception of a body says that the request is wrong rather than that the operation failed."""
    return isinstance(error, (OperationError, ArgumentError))


def describe_error(error: BaseException) -> str:
    """Type and text of an exception from any source; only its type if it can't give a text."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # third-party code
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def nearest(name: str, known: Iterable[str]) -> str:
    """A closing phrase for messages: the nearest known name, or all of them when none is near."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"
