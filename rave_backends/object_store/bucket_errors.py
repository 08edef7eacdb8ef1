"""What an object store or its client complains of, in words that say what to do about it."""

from __future__ import annotations

import re

from rave_backends.object_store.config import BucketConfig

_CODE = re.compile(r"<Code>(\w+)</Code>")
_PROVIDER = re.compile(r"credential provider: CredentialsError: (.*)")
_STATUS = re.compile(r"status code: (\d{3})")
_WORDS = 300

_CREDENTIALS = "{credentials}"  # filled in by each kind of store
_NONE = "no credentials were found: {no_credentials}"
_NO_BUCKET = "there is no such bucket or container: create it, or correct the name in the URL"
_EXPIRED = "the session token has expired or is not valid: get new credentials, as by 'aws sso login'"
_REGION = "the bucket is in another region: give the right one, as ?region=eu-central-1"
_BY_CODE = {
    "NoSuchBucket": _NO_BUCKET,
    "ContainerNotFound": _NO_BUCKET,
    "AuthenticationFailed": f"the store refuses the credentials: {_CREDENTIALS}",
    "NoAuthenticationInformation": f"the store wants credentials: {_CREDENTIALS}",
    "AuthorizationFailure": f"access is denied: {_CREDENTIALS}",
    "AuthorizationPermissionMismatch": f"access is denied: {_CREDENTIALS}",
    "InvalidAccessKeyId": f"the store does not know the access key: {_CREDENTIALS}",
    "SignatureDoesNotMatch": f"the secret key is not that of the access key: {_CREDENTIALS}",
    "AccessDenied": "access is denied: let these credentials list the bucket, and get, put and delete its objects",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": "the clocks of this host and the store differ by too much: set this one right, as by NTP",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "EntityTooLarge": "the object is larger than the store allows",
    "KeyTooLongError": "the name of the object is longer than the store allows: give the operation a shorter name",
    "SlowDown": "the store asks for fewer requests",
}
_BY_STATUS = {
    "301": _REGION,
    "401": f"the store refuses the credentials: {_CREDENTIALS}",
    "403": f"access is denied: {_CREDENTIALS}",
    "501": "the store does not know this kind of request",
}
_BY_PHRASE = (
    ("container does not exist", _NO_BUCKET),
    ("computeMetadata", _NONE),
    ("metadata/identity", _NONE),
    ("/latest/api/token", _NONE),
    ("/latest/meta-data", _NONE),
    ("Missing AccessKeyId", _NONE),
    ("Missing SecretAccessKey", _NONE),
    ("credential provider:", _CREDENTIALS),
    ("dns error", "the host of the endpoint has no address: correct the endpoint, or the network's name service"),
    ("TimedOut", "no answer in time: see whether the endpoint is right and up; a slow one needs a longer ?timeout="),
    ("Connect", "the endpoint can't be reached: see whether it is right, up, and speaks http or https as the URL says"),
    ("error sending request", "the endpoint broke off: see whether it is right and up"),
    ("body error", "the answer broke off or took too long; a slow store needs a longer ?timeout="),
)


def advice(error: BaseException, config: BucketConfig) -> str:
    """What is wrong, and what would be right, as far as the client's error shows."""
    words = _advice(error)
    for name in ("credentials", "no_credentials"):
        words = words.replace(f"{{{name}}}", getattr(config, name))
    return words


def _advice(error: BaseException) -> str:
    text = str(error)
    if provider := _PROVIDER.search(text):
        return provider[1]  # it already says what to do
    code, status = code_of(error), _STATUS.search(text)
    if code in _BY_CODE:
        return _BY_CODE[code]
    for phrase, words in _BY_PHRASE:
        if phrase in text:
            return words
    if status and status[1] in _BY_STATUS:
        return f"{_BY_STATUS[status[1]]} ({code or status[1]})"
    if status and status[1].startswith("5"):
        return f"the store is in trouble, and answers {status[1]} {code}".rstrip()
    return " ".join(text.partition("Debug source")[0].split())[:_WORDS]


def code_of(error: BaseException) -> str:
    """The store's own error code, such as ``NoSuchBucket``; empty if it gave none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""
