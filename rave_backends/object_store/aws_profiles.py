"""A profile of the AWS files, as boto3 reads it: keys, roles, single sign-on, or a process that gives credentials.

Nothing else touches boto3. The first use of a profile imports it, because that takes some tenths of a second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from rave_core.errors import BackendError, ConfigurationError, nearest

NEEDS_BOTO3: Final = "AWS profiles need the package boto3: pip install 'rave-framework[s3]'"

# The client asks again five minutes before credentials expire, so these are used for four minutes. boto3 renews those
# of a role ten minutes before they expire, so its credentials stay valid for longer than this.
_GOOD_FOR: Final = timedelta(minutes=9)
_SSO: Final = ("sso_session", "sso_account_id", "sso_start_url")
_SOURCES: Final = ("aws_access_key_id", "role_arn", "credential_process", "login_session", *_SSO)
_EXPECTED: Final = (
    "expected aws_access_key_id and aws_secret_access_key, role_arn with source_profile or credential_source, "
    "sso_session, or credential_process"
)
_FILES: Final = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}


class CredentialsError(BackendError):
    """A profile gives no credentials now; the message says what to do."""


class AWSProfile:
    """A profile of ``~/.aws/config`` and ``~/.aws/credentials``, or of the files that the environment names.

    Attributes:
        name: of the profile.
        endpoint: the URL that the profile, or its section of services, gives for S3; ``None`` if it gives none.
        region: of the profile, or ``None``.
    """

    def __init__(self, name: str) -> None:
        """Reads the profile; asks nobody for credentials yet.

        Raises:
            ConfigurationError: there is no such profile, it names no credentials, it wants a code from a person, a file
                can't be read, or boto3 is not installed.
        """
        if find_spec("boto3") is None:
            raise ConfigurationError(f"the AWS profile {name!r} can't be used: {NEEDS_BOTO3}")
        self.name = name
        with _readable_files(name):
            session = _session(name)
            self._profiles: Mapping[str, Mapping[str, Any]] = session.full_config["profiles"]
            if name not in self._profiles:
                raise ConfigurationError(f"there is no AWS profile {name!r}; {nearest(name, self._profiles)}")
            self._refuse_unusable()
            self.region: str | None = session.get_config_variable("region")
            self.endpoint: str | None = _endpoint(session)

    @cached_property
    def chain(self) -> tuple[str, ...]:
        """The names of this profile and of those whose credentials it starts from, in order."""
        names = [self.name]
        while (source := self._profiles.get(names[-1], {}).get("source_profile")) and source not in names:
            names.append(source)
        return tuple(names)

    def credentials(self, seconds: float, region: str | None = None) -> ProfileCredentials:
        """The provider of the credentials.

        Args:
            seconds: how long each request for credentials may take.
            region: the region to ask if the profile names none. Default: ``us-east-1``.
        """
        return ProfileCredentials(self, seconds, self.region or region or "us-east-1")

    def sso_profile(self) -> str | None:
        """The profile of the chain that signs on, or ``None``."""
        return next((each for each in self.chain if self._has(each, _SSO)), None)

    def _has(self, name: str, settings: tuple[str, ...]) -> bool:
        return any(self._profiles.get(name, {}).get(setting) for setting in settings)

    def _refuse_unusable(self) -> None:
        if not self._has(self.name, _SOURCES):
            raise ConfigurationError(f"the AWS profile {self.name!r} names no credentials: {_EXPECTED}")
        asking = next((each for each in self.chain if self._has(each, ("mfa_serial",))), None)
        if asking is not None:
            raise ConfigurationError(
                f"the AWS profile {asking!r} has mfa_serial, for which a person must type a code: let 'aws configure "
                f"export-credentials --profile {self.name} --format env' set the environment"
            )


class ProfileCredentials:
    """Gives the client the credentials of a profile, renewed before they expire. Safe for threads.

    obstore's own provider asks boto3, which renews the credentials of roles and of single sign-on by itself. Keys in a
    file are read again, because somebody may renew them.
    """

    def __init__(self, profile: AWSProfile, seconds: float, region: str) -> None:
        self._profile = profile
        self._seconds = seconds
        self._region = region
        self._provider: Any = None
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        """The current credentials, and how long they stay valid.

        Raises:
            CredentialsError: there are none.
        """
        from botocore.credentials import RefreshableCredentials

        with self._lock, self._in_words():
            if self._provider is None or not isinstance(self._provider.credentials, RefreshableCredentials):
                self._provider = self._new_provider()
            return self._provider()

    def _new_provider(self) -> Any:
        from boto3 import Session
        from botocore.config import Config
        from obstore.auth.boto3 import Boto3CredentialProvider

        session = _session(self._profile.name)
        limits = {"connect_timeout": self._seconds, "read_timeout": self._seconds, "retries": {"total_max_attempts": 2}}
        session.set_config_variable("region", self._region)
        session.set_default_client_config(Config(**limits))
        return Boto3CredentialProvider(Session(botocore_session=session), ttl=_GOOD_FOR)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        from botocore import exceptions

        name = self._profile.name
        try:
            yield
        except (exceptions.SSOError, exceptions.TokenRetrievalError) as error:
            signing_on = self._profile.sso_profile() or name
            raise CredentialsError(
                f"nobody is signed on for the AWS profile {name!r}: run 'aws sso login --profile {signing_on}'"
            ) from error
        except (exceptions.BotoCoreError, exceptions.ClientError, ValueError, OSError) as error:
            reason = " ".join(str(error).split())
            raise CredentialsError(f"the AWS profile {name!r} gives no credentials: {reason}") from error


def default_profile() -> AWSProfile | None:
    """The profile to use if the URL names none; ``None`` if the client looks for credentials itself.

    It is the one that ``AWS_PROFILE`` names, or else the profile ``default`` if it names credentials. It is ``None`` if
    the environment holds credentials.

    Raises:
        ConfigurationError: the profile that ``AWS_PROFILE`` names can't be used.
    """
    if any(os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")):
        return None
    if os.environ.get("AWS_PROFILE"):
        return AWSProfile(os.environ["AWS_PROFILE"])
    if not any(Path(os.environ.get(name) or path).expanduser().exists() for name, path in _FILES.items()):
        return None
    try:
        return AWSProfile("default")
    except ConfigurationError:
        return None


def _session(name: str) -> Any:
    from botocore.session import Session

    return Session(profile=name)


def _endpoint(session: Any) -> str | None:
    from botocore.configprovider import ConfiguredEndpointProvider

    found: str | None = ConfiguredEndpointProvider(
        full_config=session.full_config, scoped_config=session.get_scoped_config(), client_name="s3"
    ).provide()
    return found


@contextmanager
def _readable_files(name: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError

    try:
        yield
    except (BotoCoreError, OSError, UnicodeDecodeError) as error:
        # A parser's message may quote a line with a secret. botocore's own message names only the file.
        reason = type(error).__name__ if isinstance(error, UnicodeDecodeError) else error
        raise ConfigurationError(f"the AWS profile {name!r} can't be read: {reason}") from None
