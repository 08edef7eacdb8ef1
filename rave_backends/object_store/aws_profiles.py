"""The access keys in the files of the AWS command line, which the object-store client itself does not read."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as ParseError
from pathlib import Path

from rave_core.errors import ConfigurationError, nearest

_KEYS = ("aws_access_key_id", "aws_secret_access_key")


def read_profile(name: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of a profile, which holds an access key and its secret.

    They come from ``~/.aws/credentials`` and, weaker, ``~/.aws/config``, or from the files that
    ``AWS_SHARED_CREDENTIALS_FILE`` and ``AWS_CONFIG_FILE`` name.

    Raises:
        ConfigurationError: there is no such profile, it holds no keys, or a file can't be read.
    """
    config = _sections(environ.get("AWS_CONFIG_FILE") or "~/.aws/config", "profile ")
    credentials = _sections(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials", "")
    if name not in config and name not in credentials:
        raise ConfigurationError(f"there is no AWS profile {name!r}; {nearest(name, {*config, *credentials})}")
    found = {**config.get(name, {}), **credentials.get(name, {})}
    if not all(found.get(key) for key in _KEYS):
        raise ConfigurationError(
            f"the AWS profile {name!r} holds no keys: {' and '.join(_KEYS)} expected. For a role or single sign-on, "
            f"let 'aws configure export-credentials --profile {name} --format env' set the environment"
        )
    return found


def default_profile(environ: Mapping[str, str]) -> str | None:
    """The profile to use where the URL names none; ``None`` where the client looks for credentials itself."""
    if any(environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_SKIP_SIGNATURE")):
        return None
    if environ.get("AWS_PROFILE"):
        return environ["AWS_PROFILE"]
    try:
        read_profile("default", environ)
    except ConfigurationError:
        return None
    return "default"


def _sections(path: str, mark: str) -> dict[str, dict[str, str]]:
    parser = ConfigParser(interpolation=None, default_section="\0")
    try:
        parser.read_string(Path(path).expanduser().read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ParseError, UnicodeDecodeError) as error:
        # A parser's message may quote a line, and a line may hold a secret.
        reason = error if isinstance(error, OSError) else type(error).__name__
        raise ConfigurationError(f"the AWS file {path} can't be read: {reason}") from None
    return {name.removeprefix(mark).strip(): dict(parser[name]) for name in parser.sections()}
