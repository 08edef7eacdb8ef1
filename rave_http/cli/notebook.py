"""Asks a service for ``%rave --server``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from rave_core.errors import RaveError
from rave_http.client import Client, ClientError, NotebookProgress, Options, Product

_QUESTIONS: Final = ("explain", "plan")


@dataclass(frozen=True, slots=True)
class ServiceForecast:
    """What a service says about a call that it did not run.

    Attributes:
        text: in words.
        document: all of it, as the service sent it.
    """

    text: str
    document: dict[str, Any]

    def __repr__(self) -> str:
        return self.text


def ask_service(url: str, operation: str, texts: Sequence[tuple[str, str]], wish: str) -> Product | ServiceForecast:
    """What a service answers. The API key is that of the variable ``RAVE_KEY``.

    Args:
        url: where the service is.
        operation: ``namespace/operation``.
        texts: arguments by name.
        wish: ``result``, ``refresh``, ``deep-refresh``, ``dry-run``, ``explain`` or ``plan``.

    Raises:
        RaveError: the service has a problem with it, or can't be reached.
    """
    name = quote(operation.strip("/"), safe="/")
    options = Options(
        refresh=wish == "refresh",
        deep_refresh=wish == "deep-refresh",
        only_cached=wish == "dry-run",
        on_progress=NotebookProgress(operation) if _is_notebook() else None,
    )
    try:
        with Client(url, os.environ.get("RAVE_KEY", "").strip() or None) as client:
            path = f"-/{wish}/{name}" if wish in _QUESTIONS else name
            found = client.open_url(f"{client.url}/{path}", options=options, texts=texts)
    except ClientError as error:
        raise RaveError(str(error)) from error
    return _forecast(operation, found.json()) if wish in _QUESTIONS else found


def _forecast(operation: str, document: dict[str, Any]) -> ServiceForecast:
    text = document.get("text") or f"{document.get('status')}, {document.get('reason')}"
    return ServiceForecast(f"{operation}: {text}", document)


def _is_notebook() -> bool:
    """Whether displays can be replaced, which those of a terminal can't."""
    from IPython.core.getipython import get_ipython

    return hasattr(get_ipython(), "kernel")
