"""What can be wrong with flow data or with a question about it.

    FlowError (RaveError, ValueError)
    ├── NoDirectoryError       where the flow files are is not configured, or is no directory
    ├── RefusedError           the flows can't answer the question (`rave_core.errors.OperationError`)
    │   ├── NoFilesError       the directory holds no flow files, or none of the kind that is asked about
    │   ├── NoStateError       nothing in these files shows whether connections failed
    │   ├── NothingFoundError  no flow matches
    │   └── ResolvingOffError  names are asked for, and ``resolve = true`` is not set
    ├── AmbiguousFilesError    one log lies there twice, and would be counted twice
    ├── UnreadableError        a file is damaged, or not what its name says
    │   ├── MissingProgramError    a program that reads a file is not installed
    │   └── ColumnsError       a file lacks a column that every flow needs
    ├── StrictError            something can't be read, and ``strict`` is set
    ├── ChangedError           a file changed while it was read
    └── ParameterError         an argument is out of range, or contradicts another (`rave_core.errors.ArgumentError`)
        ├── UnknownColumnError a field is neither one of ours nor a column of the flow files
        ├── WindowError        a window of time ends before it starts, or would have too many bins
        └── UnknownSourceError no source of that name is configured (`NoDirectoryError` too)

Every message names the file, and the line if there is one.
"""

from __future__ import annotations

from functools import partial
from typing import Self

from rave_core.errors import ArgumentError, OperationError, RaveError


class FlowError(RaveError, ValueError):
    """The root of the errors of this package."""


class NoDirectoryError(FlowError):
    """The place of the flow files is not configured, or is not a directory."""


class RefusedError(FlowError, OperationError):
    """The flows can't answer the question; ``parameter`` is the argument that asks for what is not there."""

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        errors = [{"parameter": parameter, "detail": message}] if parameter else []
        OperationError.__init__(self, message, errors=errors)
        self.parameter = parameter


class NoFilesError(RefusedError):
    """The directory holds no flow files, or none of the kind that the question is about."""

    def __init__(self, message: str, *, parameter: str | None = "source") -> None:
        super().__init__(message, parameter=parameter)


class AmbiguousFilesError(FlowError):
    """One log, or an hour of it, lies in the directory twice, so that its flows would be counted twice."""


class UnreadableError(FlowError):
    """A file is damaged, or is not what its name says."""


class MissingProgramError(UnreadableError):
    """A program that reads files of that kind is not installed."""


class ColumnsError(UnreadableError):
    """A file lacks a column that every flow needs."""


class StrictError(FlowError):
    """Something can't be read or does not count, and ``strict = true`` is set; the message names the first."""


class ChangedError(FlowError):
    """A file changed while it was read: asking again reads the new one."""


class ParameterError(FlowError, ArgumentError):
    """An argument is out of its range, or contradicts another; ``parameter`` is its name if only one is wrong."""

    def __init__(self, message: str, *, parameter: str | None = None) -> None:
        ArgumentError.__init__(self, message, parameter=parameter)


class UnknownColumnError(ParameterError):
    """A field is neither one of ours nor a column of the flow files.

    Attributes:
        field: its name.
    """

    def __init__(self, field: str, told: str, *, parameter: str = "fields") -> None:
        super().__init__(f"{parameter}: {field!r} {told}", parameter=parameter)
        self.field = field
        self._told = told

    def __reduce__(self) -> tuple[object, ...]:
        return partial(type(self), parameter=str(self.parameter)), (self.field, self._told)

    def in_parameter(self, name: str) -> Self:
        """The same about the argument called ``name``."""
        return type(self)(self.field, self._told, parameter=name)


class WindowError(ParameterError):
    """A window of time ends before it starts, or would be cut into too many bins."""


class UnknownSourceError(NoDirectoryError, ParameterError):
    """No source of that name is configured."""

    def __init__(self, message: str, *, parameter: str | None = "source") -> None:
        ParameterError.__init__(self, message, parameter=parameter)


class ResolvingOffError(RefusedError):
    """Host names are asked for, and ``resolve = true`` is not set."""


class NoStateError(RefusedError):
    """The flows have no state, so nothing shows whether connections succeeded."""

    def __init__(self, message: str, *, parameter: str | None = "source") -> None:
        super().__init__(message, parameter=parameter)


class NothingFoundError(RefusedError):
    """No flow matches; the message says what there is."""
