"""What a payload must be: a journal may name a JSON Schema that every new commit has to fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from jsonschema import SchemaError
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for
from referencing import Registry

from rave_core.errors import ConfigurationError, InvalidDocumentError

Check: TypeAlias = Callable[[bytes], None]
"""Returns if a payload is as it must be; raises `MalformedPayloadError` else."""


class MalformedPayloadError(InvalidDocumentError):
    """A payload is not what its journal takes."""


def schema_check(path: Path) -> Check:
    """A check that payloads are JSON that fits the JSON Schema in a file. References to elsewhere are not followed.

    Raises:
        ConfigurationError: the file can't be read, or is no JSON Schema.
    """
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
