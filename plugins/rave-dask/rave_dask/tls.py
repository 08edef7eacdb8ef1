"""TLS between this process and a scheduler: which certificates, and what their refusal means."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rave_core.errors import ConfigurationError, describe_error

if TYPE_CHECKING:
    from distributed import Security

ENCRYPTED: Final = ("tls://", "wss://")
_SETTINGS: Final = "tls_ca_file, tls_cert_file and tls_key_file"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files.

    Attributes:
        authority: whose certificates are believed.
        own: what this process shows.
        key: its private key; ``None`` if it is in ``own``.
    """

    authority: str
    own: str
    key: str | None

    def check(self, origin: str) -> None:
        """Returns if they can be used.

        Raises:
            ConfigurationError: one can't be read, or the key does not belong to the certificate.
        """
        context = ssl.create_default_context()
        try:
            name = "tls_ca_file"
            context.load_verify_locations(self.authority)
            name = "tls_cert_file or tls_key_file"
            context.load_cert_chain(self.own, self.key, password="")  # it would ask for one at the terminal
        except OSError as error:  # of ssl, too
            files = self.authority if name == "tls_ca_file" else " or ".join(filter(None, (self.own, self.key)))
            raise ConfigurationError(f"{origin}: {name} can't be used ({files}): {describe_error(error)}") from error


def security_for(address: str, certificates: Certificates | None) -> Security | None:
    """How Dask connects to a scheduler; ``None`` without TLS. Dask's own configuration counts if nothing is given.

    Raises:
        ConfigurationError: there are no certificates at all.
    """
    from distributed import Security

    if not address.startswith(ENCRYPTED):
        return None
    if certificates is None:
        configured = Security()  # type: ignore[no-untyped-call]  # distributed is typed in part
        files = configured.get_tls_config_for_role("client")  # type: ignore[no-untyped-call]  # as above
        if not (files["ca_file"] and files["cert"]):
            raise ConfigurationError(f"no certificates are set: set {_SETTINGS}, or Dask's distributed.comm.tls")
        return configured
    return Security(  # type: ignore[no-untyped-call]  # as above
        require_encryption=True,
        tls_ca_file=certificates.authority,
        tls_client_cert=certificates.own,
        tls_client_key=certificates.key,
    )


def refusal(address: str, error: BaseException) -> str:
    """Why a connection could not be made, in words that say what to change."""
    for each in _causes(error):
        if isinstance(each, ssl.SSLCertVerificationError):
            return f"the authority in tls_ca_file does not vouch for its certificate: {each.verify_message}"
        if isinstance(each, ssl.SSLError) and each.reason == "WRONG_VERSION_NUMBER":
            return "it does not use TLS: write its address with tcp://"
    if "ALERT" in str(error):  # Dask leaves only the text of this one
        return f"it does not believe the certificate in tls_cert_file: {error}"
    if isinstance(error, ConfigurationError):
        return str(error)
    if type(error).__name__ == "CommClosedError" and not address.startswith(ENCRYPTED):
        return f"it ended the connection; if it uses TLS, write its address with tls://: {error}"
    return describe_error(error)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and those that it came from; an endless chain is cut."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
