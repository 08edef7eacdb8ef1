"""Principals and their permissions."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from rave_core.clock import Clock
from rave_core.errors import ConfigurationError, nearest
from rave_core.settings.kinds import listed
from rave_http.auth.api_keys import PREFIX, KeyStore, check_user
from rave_http.protocol.problems import Problem
from rave_http.protocol.proxies import Proxies, RawHeaders
from rave_http.protocol.request_record import ANONYMOUS_NAME
from rave_http.settings import PERMISSIONS, ServiceSettings

_log = logging.getLogger("rave.http")

SERVICE: Final = "*"
"""The namespace of permissions that concern the service itself; in settings, every namespace without a list."""
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="RAVE"'}
HIDDEN: Final = "there is nothing here that you may see"
"""The message for hidden things. Absent things get the same, so that a client can't distinguish the two."""

_ANONYMOUS = "anonymous"
_EVERYBODY = "*"
_DEFAULT = ("view", "run", "metrics")
_NOBODY = frozenset({"", "-", "(null)", _ANONYMOUS})
"""What proxies write where nobody logged in: Apache writes ``(null)``, logs have ``-``."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PREFIX = PREFIX.encode()
_PAUSE = 60.0

Verdicts: TypeAlias = "Mapping[tuple[str, str], bool | None]"
"""What plugins say, by permission and namespace."""
_Lists: TypeAlias = "Mapping[str, frozenset[str]]"
"""Permissions by namespace; ``*`` is always there, for the rest."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        name: the user's; ``-`` for a request without credentials.
        kind: how they authenticated.
        narrowed: the only permissions that their key carries; ``None`` for no restriction.
    """

    name: str
    kind: Literal["anonymous", "key", "proxy", "session"]
    narrowed: frozenset[str] | None = None


ANONYMOUS: Final = Principal(ANONYMOUS_NAME, "anonymous")


class Access:
    """Identifies principals and checks their permissions. Safe for threads.

    A plugin's ``rave_http_authorize`` overrides the settings, but can't extend a key with restricted permissions.

    Attributes:
        may_block: whether such a plugin may wait for something, so that the event loop must not ask it.
    """

    def __init__(self, settings: ServiceSettings, keys: KeyStore, hooks: Any, clock: Clock) -> None:
        """Checks the settings.

        Args:
            settings: of the service.
            keys: the API keys.
            hooks: pluggy's relay of the plugins that take part, complete by now.
            clock: to complain of a failing plugin once a minute only.

        Raises:
            ConfigurationError: one is wrong; the message says what would be right.
        """
        origins = settings.origins
        self.proxies = Proxies(settings.trusted_proxies, origins.get("trusted_proxies", "settings"))
        self._keys = keys
        self._clock = clock
        asked = hooks.rave_http_authorize.get_hookimpls()
        self._authorize: Any = hooks.rave_http_authorize if asked else None
        self.may_block = not all(getattr(each.function, "inline", False) for each in asked)
        self._complain_at = clock.monotonic()
        self._proxy_header = _header(settings.proxy_header, origins.get("proxy_header", "settings"))
        self._credentials = frozenset({b"authorization", b"x-api-key", self._proxy_header}) - {b""}
        lists = _by_principal(settings)
        self._anonymous = lists.pop(_ANONYMOUS)
        self._everybody = lists.pop(_EVERYBODY)
        self._users = lists

    @property
    def is_configured(self) -> bool:
        """Whether anybody can authenticate: there is a valid key, or a proxy that names users."""
        return bool(self._proxy_header) or self._keys.has_valid()

    def principal(self, headers: RawHeaders, client: str) -> Principal:
        """The principal of a request. A key overrides the user that a proxy names.

        Args:
            headers: of the request.
            client: the address of the direct client, whatever its headers say; ``""`` for a Unix socket.

        Raises:
            Problem: ``unauthorized``: the credentials are not valid. Without any, it is `ANONYMOUS`.
        """
        brought = [header for header in headers if header[0] in self._credentials]
        return self._known(brought, client) if brought else ANONYMOUS

    def allows(self, principal: Principal, permission: str, namespace: str, verdicts: Verdicts | None = None) -> bool:
        """Whether ``principal`` has a permission in a namespace, or in the service itself (`SERVICE`).

        It does not check that the namespace exists. If an action concerns several namespaces, ask for each. Plugins are
        asked, unless ``verdicts`` has their answer already.
        """
        narrowed = principal.narrowed
        if narrowed is not None and permission not in narrowed:
            return False
        if self._authorize is not None:
            place = permission, namespace
            answer = verdicts[place] if verdicts and place in verdicts else self._asked(principal, *place)
            if answer is not None:
                return answer
        lists = self._anonymous if principal.kind == "anonymous" else self._users.get(principal.name, self._everybody)
        return permission in (lists[namespace] if namespace in lists else lists[SERVICE])

    def verdicts(self, principal: Principal, namespaces: Iterable[str]) -> dict[tuple[str, str], bool | None]:
        """What the plugins say of all permissions of ``principal`` in some namespaces. It may take its time."""
        places = [(permission, namespace) for namespace in namespaces for permission in PERMISSIONS]
        return {place: self._asked(principal, *place) for place in places} if self._authorize is not None else {}

    def require(self, principal: Principal, permission: str, namespace: str, verdicts: Verdicts | None = None) -> None:
        """Returns if ``principal`` has the permission.

        Raises:
            Problem: ``not-found`` for a principal who may not even see it, ``unauthorized`` for the anonymous, else
                ``forbidden``.
        """
        if self.allows(principal, permission, namespace, verdicts):
            return
        if permission == "view" or not self.allows(principal, "view", namespace, verdicts):
            raise Problem("not-found", HIDDEN)
        where = "for the service itself" if namespace == SERVICE else f"in the namespace {namespace!r}"
        wanted = f"the permission {permission!r} {where} is needed"
        if principal.kind == "anonymous":
            raise Problem("unauthorized", f"{wanted}, and no API key was sent", headers=CHALLENGE)
        raise Problem("forbidden", f"{wanted}, and {_who(principal, permission)}", permission=permission)

    def is_private(self, principal: Principal) -> bool:
        """Whether answers are for ``principal`` alone, so that no shared cache may keep them."""
        return principal.kind != "anonymous"

    def _known(self, brought: list[tuple[bytes, bytes]], peer: str) -> Principal:
        if not self.proxies.trust(peer):
            brought = [header for header in brought if header[0] != self._proxy_header]
        values = _single(brought)
        behind_proxy = self._proxy_header in values
        text = _key_text(values, behind_proxy=behind_proxy)
        if text:
            key = self._keys.find(text)
            if key is None:
                raise _refused("the API key is not valid: it is unknown, was revoked, or has expired")
            return Principal(key.user, "key", key.permissions)
        name = _user(values[self._proxy_header]) if behind_proxy else ""
        return Principal(name, "proxy") if name else ANONYMOUS

    def _asked(self, principal: Principal, permission: str, namespace: str) -> bool | None:
        """The verdict of the plugins. A plugin that fails, or gives anything but a yes or no, denies."""
        try:
            answer = self._authorize(principal=principal, permission=permission, namespace=namespace)
        except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as error:  # noqa: BLE001  # by a stranger's hook
            self._complain("rave_http_authorize failed, which denies the permission", error)
            return False
        if answer is None or isinstance(answer, bool):
            return answer
        # A coroutine, for example, is always true.
        self._complain(f"rave_http_authorize gave {answer!r} in place of True, False or None, which denies it", None)
        return False

    def _complain(self, complaint: str, error: BaseException | None) -> None:
        now = self._clock.monotonic()
        if now >= self._complain_at:
            self._complain_at = now + _PAUSE
            _log.error(complaint, exc_info=error)


def _single(brought: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    values: dict[bytes, bytes] = {}
    for name, value in brought:
        if name in values:  # one of them may be smuggled in: it must not matter which
            raise _refused(f"the header {name.decode('latin-1')!r} is sent twice; send it once")
        values[name] = value.strip()
    return values


def _key_text(values: Mapping[bytes, bytes], *, behind_proxy: bool) -> str:
    """The API key in the credentials; empty if there is none.

    Args:
        values: of the headers.
        behind_proxy: whether a proxy vouches for the user. It may have taken credentials of other kinds, and passed
            them on, which then do not concern us.
    """
    keys = set()
    for value in (_bearer(values.get(b"authorization", b""), behind_proxy), values.get(b"x-api-key", b"")):
        if value.startswith(_PREFIX) or (value and not behind_proxy):
            keys.add(value)
    if len(keys) > 1:
        raise _refused("two different API keys are sent; send one")
    return keys.pop().decode("latin-1") if keys else ""


def _bearer(value: bytes, behind_proxy: bool) -> bytes:
    scheme, _, token = value.partition(b" ")
    token = token.strip()
    if not value or (scheme.lower() == b"bearer" and token):
        return token
    if behind_proxy:
        return b""
    raise _refused("'Authorization' has no API key: write 'Authorization: Bearer KEY'")


def _user(value: bytes) -> str:
    """The user whom a proxy names; empty for nobody."""
    try:
        name = value.decode()
        if name in _NOBODY:
            return ""
        check_user(name)
    except ValueError as error:
        raise _refused("the name of the user that the proxy gives can't be one") from error
    return name


def _refused(detail: str) -> Problem:
    return Problem("unauthorized", detail, headers=CHALLENGE)


def _who(principal: Principal, permission: str) -> str:
    if principal.narrowed is not None and permission not in principal.narrowed:
        return f"this API key of {principal.name!r} was made without it"
    return f"{principal.name!r} does not have it"


def _header(name: str, origin: str) -> bytes:
    """The proxies' header as ASGI writes it."""
    if not name:
        return b""
    if not _TOKEN.fullmatch(name) or name.lower() in ("authorization", "x-api-key", "cookie"):
        raise ConfigurationError(
            f"{origin}: 'proxy_header' is {name!r}: write the name of a header of its own, such as 'X-Remote-User'"
        )
    return name.lower().encode()


def _by_principal(settings: ServiceSettings) -> dict[str, dict[str, frozenset[str]]]:
    """The permissions of every principal that has its own, of ``anonymous``, and of ``*``."""
    origins = settings.origins
    lists = {
        _EVERYBODY: _by_namespace(_DEFAULT, ""),
        _ANONYMOUS: _by_namespace(settings.anonymous, f"{origins.get('anonymous', 'settings')}: anonymous"),
    }
    origin = origins.get("permissions", "settings")
    for name, given in settings.permissions.items():
        if name not in lists:
            _check_name(name, f"{origin}: permissions")
        lists[name] = _by_namespace(given, f"{origin}: permissions.{name}")
    return lists


def _check_name(name: str, where: str) -> None:
    try:
        check_user(name)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _by_namespace(given: object, where: str) -> dict[str, frozenset[str]]:
    if not isinstance(given, Mapping):
        return {SERVICE: _permissions(given, where)}
    for namespace in given:
        if not namespace or "/" in namespace or namespace == "-":  # it would never count, and nobody would notice
            raise ConfigurationError(
                f"{where}: {namespace!r} is not a namespace: write the name of one, or '*' for all"
            )
    lists = {namespace: _permissions(words, f"{where}.{namespace}") for namespace, words in given.items()}
    return {SERVICE: frozenset[str]()} | lists


def _permissions(given: object, where: str) -> frozenset[str]:
    try:
        words = listed(given, "a list of permissions, such as ['view', 'run']")
    except ValueError as error:
        raise ConfigurationError(f"{where} is {given!r}: {error}") from error
    for word in words:
        if word not in PERMISSIONS:
            raise ConfigurationError(f"{where}: unknown permission {word!r}: {nearest(str(word), PERMISSIONS)}")
    return frozenset(words)
