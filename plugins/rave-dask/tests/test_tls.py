"""A scheduler and a worker that use TLS, with certificates made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from rave_core.errors import ConfigurationError
from rave_http.executors import BusyError


def certificates(place: Path, name: str) -> dict[str, str]:
    """The settings for a certificate of an authority of its own."""
    authority, place = trustme.CA(), place / name
    place.mkdir()
    own = authority.issue_cert("cluster")
    authority.cert_pem.write_to_path(str(place / "ca.pem"))
    own.cert_chain_pems[0].write_to_path(str(place / "cert.pem"))
    own.private_key_pem.write_to_path(str(place / "key.pem"))
    return {f"tls_{each}_file": str(place / f"{each}.pem") for each in ("ca", "cert", "key")}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Certificates of the cluster."""
    return certificates(tmp_path_factory.mktemp("certificates"), "ours")


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Certificates of another authority."""
    return certificates(tmp_path_factory.mktemp("certificates"), "others")


@pytest.fixture(scope="module")
def encrypted(make_cluster: Callable[[], Any], ours: dict[str, str]) -> Any:
    """The cluster."""
    cluster = make_cluster()
    files = {"ca-file": "ca", "cert": "cert", "key": "key"}
    pairs = [(f"--tls-{option}", ours[f"tls_{each}_file"]) for option, each in files.items()]
    cluster.security = ("--protocol", "tls", *(text for pair in pairs for text in pair))
    cluster.start_scheduler()
    cluster.start_workers(1, nanny=False)
    return cluster


def test_a_body_runs_in_a_cluster_that_uses_tls(
    encrypted: Any, ours: dict[str, str], open_bench: Callable[..., Any], lab: Any
) -> None:
    """The three files are all that it needs."""
    bench = open_bench(scheduler=encrypted.address, patience=60, **ours)
    assert encrypted.address.startswith("tls://")
    assert bench.run(lab.double, 4) == (8, None)


@pytest.mark.parametrize(
    ("scheme", "shown", "believed", "says"),
    [
        ("tls", "ours", "others", "the authority in tls_ca_file does not vouch for its certificate: self-signed"),
        ("tls", "others", "ours", "it does not believe the certificate in tls_cert_file"),
        ("tls", "", "", "no certificates are set: set tls_ca_file, tls_cert_file and tls_key_file"),
        ("tcp", "", "", "it ended the connection; if it uses TLS, write its address with tls://"),
    ],
)
def test_certificates_that_do_not_fit_are_named(
    encrypted: Any,
    open_bench: Callable[..., Any],
    lab: Any,
    request: pytest.FixtureRequest,
    scheme: str,
    shown: str,
    believed: str,
    says: str,
) -> None:
    """To ``/-/readyz``, and to a body after its patience."""
    own: dict[str, Any] = {"scheduler": encrypted.address.replace("tls", scheme), "patience": 0.1}
    if shown:
        own |= request.getfixturevalue(shown)
        own["tls_ca_file"] = request.getfixturevalue(believed)["tls_ca_file"]
    bench = open_bench(**own)
    bench.reached(lambda: says in bench.executor.check(), says)
    _, error = bench.run(lab.double, 1)
    assert isinstance(error, BusyError)
    assert says in str(error)


def test_a_cluster_without_tls_is_said(
    cluster: Any, ours: dict[str, str], open_bench: Callable[..., Any], lab: Any
) -> None:
    """Nothing is sent to it in the clear."""
    bench = open_bench(scheduler=cluster.address.replace("tcp", "tls"), patience=0.1, **ours)
    says = "it does not use TLS: write its address with tcp://"
    bench.reached(lambda: says in bench.executor.check(), says)


def test_files_that_can_not_be_used_are_refused_by_name(
    ours: dict[str, str], others: dict[str, str], open_bench: Callable[..., Any], tmp_path: Path
) -> None:
    """Before anything is started: a missing file, a key of another certificate, half of the settings, no TLS."""
    missing = str(tmp_path / "missing.pem")
    wrong = [
        ({"tls_ca_file": missing}, f"tls_ca_file can't be used ({missing}): FileNotFoundError"),
        ({"tls_key_file": others["tls_key_file"]}, "tls_cert_file or tls_key_file can't be used"),
        ({"tls_ca_file": None}, "tls_ca_file and tls_cert_file go together: set both"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "certificates are set, so write scheduler = 'tls://HOST:8786'"),
    ]
    for own, says in wrong:
        with pytest.raises(ConfigurationError) as refused:
            open_bench(**{"scheduler": "tls://127.0.0.1:1", **ours, **own})
        assert says in str(refused.value)
