"""Where a bucket is, and which identity to use: one class for each kind of object store.

Only this module and `rave_backends.object_store.bucket` touch the client, obstore.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, ClassVar
from urllib.parse import urlsplit

from rave_backends.object_store.aws_profiles import NEEDS_BOTO3, AWSProfile, default_profile
from rave_core.errors import ConfigurationError

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION = re.compile(r"[A-Za-z0-9-]{1,64}")
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


class BucketConfig(ABC):
    """A bucket of one kind of store. Its ``str`` is for messages, and contains no secret.

    Attributes:
        name: of the bucket.
        endpoint: the URL of the store; ``None`` for the provider's own.
        credentials: what to correct if the store refuses them.
        no_credentials: what to do if there are none.
    """

    scheme: ClassVar[str]
    provider: ClassVar[str]
    what: ClassVar[str] = "bucket"
    credentials: ClassVar[str]
    no_credentials: str

    def __init__(self, name: str, endpoint: str | None) -> None:
        if find_spec("obstore") is None:
            raise ConfigurationError(f"{self.scheme}:// needs the package obstore: pip install rave-framework[s3]")
        self.name = _checked(name, _BUCKET, f"the name of a {self.what}", self.scheme)
        self.endpoint = _endpoint(endpoint)

    def __str__(self) -> str:
        return f"{self.what} {self.name!r} at {self.endpoint or self.provider}"

    @abstractmethod
    def client(self, options: Mapping[str, Any]) -> Any:
        """A client for the bucket, with the options that all kinds have; it does not connect yet."""


class S3Config(BucketConfig):
    """A bucket of AWS, or of any store that speaks S3."""

    scheme, provider = "s3", "AWS"
    credentials = "correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the profile"
    no_credentials = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile"

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        profile: str | None = None,
    ) -> None:
        """The bucket ``name``, which must exist.

        Args:
            name: of the bucket.
            endpoint: the URL of a store that is not AWS. Default: what the environment or the profile says.
            region: the region, with the same default.
            profile: of ``~/.aws/credentials`` and ``~/.aws/config``: keys, a role, single sign-on. It needs boto3.
                Default: the credentials in the environment, the profile that it names or the default one, or the
                host's role.

        Raises:
            ConfigurationError: one of these is wrong, or obstore, or boto3 for a profile, is not installed.
        """
        self._profile = AWSProfile(profile) if profile else default_profile()
        of_profile = self._profile.endpoint if self._profile else None
        given = next((os.environ[key] for key in _S3_ENDPOINTS if os.environ.get(key)), None)
        super().__init__(name, endpoint or given or of_profile)
        region = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        region = region or (self._profile.region if self._profile else None)
        self._region = _checked(region, _REGION, "a region", self.scheme) if region else None
        if find_spec("boto3") is None:
            self.no_credentials = f"{self.no_credentials} ({NEEDS_BOTO3})"

    def client(self, options: Mapping[str, Any]) -> Any:
        """See `BucketConfig`."""
        from obstore.store import S3Store

        seconds = options["client_options"]["timeout"].total_seconds()
        return S3Store(
            self.name,
            config=_given(endpoint=self.endpoint, region=self._region),
            credential_provider=self._profile.credentials(seconds, self._region) if self._profile else None,
            **options,
        )


class GoogleConfig(BucketConfig):
    """A bucket of Google Cloud Storage; the credentials come from the environment or the host."""

    scheme, provider = "gs", "Google"
    credentials = "correct the file that GOOGLE_APPLICATION_CREDENTIALS names, or what its account may do"
    no_credentials = "set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account"

    def __init__(self, name: str, *, endpoint: str | None = None, environ: Mapping[str, str] = os.environ) -> None:
        """The bucket ``name``, which must exist; ``endpoint`` is by default ``GOOGLE_BASE_URL``, or Google's own.

        Raises:
            ConfigurationError: one of these is wrong, or obstore is not installed.
        """
        super().__init__(name, endpoint or environ.get("GOOGLE_BASE_URL"))

    def client(self, options: Mapping[str, Any]) -> Any:
        """See `BucketConfig`."""
        from obstore.store import GCSStore

        return GCSStore(self.name, config=_given(base_url=self.endpoint), **options)


class AzureConfig(BucketConfig):
    """A container of Azure Blob Storage; the credentials come from the environment or the host."""

    scheme, provider, what = "az", "Azure", "container"
    credentials = "correct AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or the identity"
    no_credentials = "set AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"

    def __init__(
        self,
        name: str,
        *,
        account: str | None = None,
        endpoint: str | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        """The container ``name``, which must exist.

        Args:
            name: of the container.
            account: the storage account. Default: ``AZURE_STORAGE_ACCOUNT_NAME``.
            endpoint: the URL of the account. Default: ``AZURE_STORAGE_ENDPOINT``, or Azure's own.
            environ: the environment.

        Raises:
            ConfigurationError: one of these is wrong, no account is named, or obstore is not installed.
        """
        super().__init__(name, endpoint or environ.get("AZURE_STORAGE_ENDPOINT"))
        account = account or environ.get("AZURE_STORAGE_ACCOUNT_NAME")
        if not account:
            raise ConfigurationError(
                "no storage account is named: expected ?account=NAME or AZURE_STORAGE_ACCOUNT_NAME"
            )
        self._account = _checked(account, _ACCOUNT, "a storage account", self.scheme)

    def client(self, options: Mapping[str, Any]) -> Any:
        """See `BucketConfig`."""
        from obstore.store import AzureStore

        return AzureStore(self.name, config=_given(account_name=self._account, endpoint=self.endpoint), **options)


def _given(**config: str | None) -> Any:
    return {name: value for name, value in config.items() if value}


def _checked(text: str, pattern: re.Pattern[str], what: str, scheme: str) -> str:
    if not pattern.fullmatch(text):
        raise ConfigurationError(
            f"{text!r} can't be {what}; use letters, digits and '-', as in {scheme}://bucket/prefix"
        )
    return text


def _endpoint(text: str | None) -> str | None:
    if text is None:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        shown = text.replace(parts.netloc, parts.netloc.rpartition("@")[2])
        raise ConfigurationError(f"{shown!r} can't be an endpoint: expected https://host or http://host:port")
    return text.rstrip("/")
