"""Routes: paths that a plugin adds to the service."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rave_core.errors import PluginError, nearest
from rave_http.auth.authorization import SERVICE
from rave_http.settings import PERMISSIONS

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The methods that a plugin may answer. The service answers OPTIONS itself."""

_FIRST: Final = re.compile(r"[a-z][a-z0-9_-]*(:\{[a-z_]\w*\})?")
_FIELD: Final = re.compile(r"\{(\w+)(?::path)?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """A path that a plugin answers.

    Attributes:
        path: below ``/-/``, with fields in braces, as Falcon writes them: ``/-/guests/{name}``. The first part is a
            name, such as ``guests``, or a name with a field, such as ``guests:{book}``. It belongs to one plugin.
        resource: answers, as a Falcon resource: ``on_get(req, resp, name)`` and the like, each a function or a
            coroutine function. ``on_get`` answers HEAD too, unless there is an ``on_head``.
        permissions: what each method needs, by its name. Methods that are not in here are refused.
        namespace: of these permissions: ``*`` for the service, else a name, in which ``{field}`` stands for a field of
            the path. Who may not view it gets a 404.
        openapi: the OpenAPI path item, with an operation for each method; made from the docstrings where it is missing.
            The problems that the service makes itself are added to the responses of each operation.
        title: what the menu of every page calls it; empty to leave it out. The path may then have no fields.
        limit: the requests that one worker answers at once; it refuses others with a 503.
        max_body: the most bytes in the body of a request; ``None`` for the service's ``max_body``.
        inline: whether the resource's coroutines run in the worker's own event loop. This is faster, but if one of
            them blocks, the whole worker does. Otherwise the resource runs in threads of its plugin.
        plain_problems: whether a problem is its detail alone, as plain text, for clients that accept it: for protocols
            that are older than problem documents.
    """

    path: str
    resource: object
    permissions: Mapping[str, str]
    namespace: str = SERVICE
    openapi: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    limit: int = 64
    max_body: int | None = None
    inline: bool = False
    plain_problems: bool = False

    @property
    def owned(self) -> str:
        """The first part of the path below ``/-/``, which belongs to one plugin."""
        return _FIELD.sub("{}", self.path.removeprefix("/-/").partition("/")[0])

    @property
    def shape(self) -> str:
        """The path without the names of its fields: two routes of one shape clash."""
        return _FIELD.sub("{}", self.path)

    def responder(self, method: str) -> Any:
        """What answers a method; ``None`` if nothing does."""
        found = getattr(self.resource, f"on_{method.lower()}", None)
        return self.responder("GET") if found is None and method == "HEAD" else found

    def check(self) -> None:
        """Raises if it is not a sound route.

        Raises:
            PluginError: it is not; the message says what would be right.
        """
        try:
            self._check_path()
            self._check_methods()
            if self.title and "{" in self.path:
                raise PluginError("a page in the menu has no fields in its path")
            if self.limit < 1:
                raise PluginError(f"'limit' is {self.limit}; expected at least 1")
        except PluginError as error:
            raise PluginError(f"route {self.path!r}: {error}") from None

    def _check_path(self) -> None:
        if not self.path.startswith("/-/"):
            raise PluginError("expected a path below '/-/', such as '/-/guests'")
        first = self.path.removeprefix("/-/").partition("/")[0]
        if not _FIRST.fullmatch(first):
            raise PluginError("the first part after '/-/' must be a name in lower case, such as 'guests'")
        fields = {found[1] for found in _FIELD.finditer(self.path)}
        for name in re.findall(r"\{(\w*)\}", self.namespace):
            if name not in fields:
                raise PluginError(f"'namespace' names the field {name!r}; {nearest(name, fields)}")

    def _check_methods(self) -> None:
        if not self.permissions:
            raise PluginError("it needs 'permissions', such as {'GET': 'view'}")
        for method, permission in self.permissions.items():
            if method not in METHODS:
                raise PluginError(f"unknown method {method!r}; {nearest(method, METHODS)}")
            if permission not in PERMISSIONS:
                raise PluginError(f"unknown permission {permission!r}; {nearest(permission, PERMISSIONS)}")
            if not callable(self.responder(method)):
                raise PluginError(f"{type(self.resource).__name__} has no 'on_{method.lower()}'")
