"""What a payload must be: a journal may name a JSON Schema, and an operation, that every new commit has to pass."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from rave_core import OperationError, Options
from rave_core.errors import (
    ArgumentError,
    ConfigurationError,
    InvalidDocumentError,
    RaveError,
    TimeLimitError,
    describe_error,
)

Find: TypeAlias = "Callable[[str], Any]"
"""Gives the operation of a name; ``None`` if there is none."""
Check: TypeAlias = Callable[[bytes], None]
"""Returns if a payload is as it must be; raises `MalformedPayloadError` else."""

_PATIENCE: Final = 10.0
"""Seconds for which a commit waits for the operation that checks it."""
_log = logging.getLogger("rave.journal")


class MalformedPayloadError(InvalidDocumentError):
    """A payload is not what its journal takes."""


class CheckAwayError(RaveError):
    """The operation that checks payloads can't be asked now."""


def operation_check(name: str, find: Find) -> Check:
    """A check by an operation: it gets the payload as bytes, and refuses it by any exception.

    Args:
        name: of the operation, ``namespace/operation``.
        find: gives the operation.
    """

    def check(payload: bytes) -> None:
        operation = find(name)
        if operation is None:
            raise CheckAwayError(f"{name!r}, which checks this journal, is not served here; nothing was committed")
        try:
            operation.answering(Options(timeout=_PATIENCE))(payload)
        except TimeLimitError:
            raise CheckAwayError(f"{name!r} did not answer for {_PATIENCE:g} s; nothing was committed") from None
        except (OperationError, ArgumentError, ValueError) as error:
            raise MalformedPayloadError(f"Malformed input: {str(error)[:500]}") from error
        except Exception as error:
            _log.exception("%s, which checks a journal, failed; the payload is refused", name)
            raise MalformedPayloadError(f"Malformed input: {describe_error(error)[:500]}") from error

    return check


def not_served(name: str) -> None:
    """Finds no operation: where no service runs."""


def schema_check(path: Path) -> Check:
    """A check that payloads are JSON that fits the JSON Schema in a file. References to elsewhere are not followed.

    Raises:
        ConfigurationError: the file can't be read, or is no JSON Schema.
    """
    from jsonschema import SchemaError  # here, since most journals need none of it
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for
    from referencing import Registry

    try:
        schema = json.loads(path.read_bytes())
        kind = validator_for(schema)
        kind.check_schema(schema)
    except (OSError, ValueError, SchemaError) as error:
        raise ConfigurationError(f"the JSON Schema {path} can't be used: {str(error).splitlines()[0]}") from error
    validator: Any = kind(schema, registry=Registry())

    def check(payload: bytes) -> None:
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise MalformedPayloadError(f"Malformed input: it is not JSON: {error}") from None
        misfit = best_match(validator.iter_errors(document))
        if misfit is not None:
            raise MalformedPayloadError(f"Malformed input: {misfit.json_path}: {misfit.message[:500]}")

    return check
