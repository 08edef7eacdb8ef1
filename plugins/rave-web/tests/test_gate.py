"""Networks and headers, by requests to a real service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rave_web.settings import WebSettings

from rave_core import Settings
from rave_core.errors import ConfigurationError


def test_a_network_grants_what_anonymous_lacks(service: Any) -> None:
    """The service permits nothing without a key, but to those who sit here."""
    answer = service.get("/lab/rows?n=1")
    assert answer.status_code == 200
    assert answer.json() == [{"name": "row|0", "half": 0.0}]


def test_what_several_networks_grant_is_added_up(service: Any) -> None:
    """One grants running, the other metrics."""
    assert service.get("/-/metrics").status_code == 200


def test_what_no_network_grants_is_still_refused(service: Any) -> None:
    """Nobody may have something computed anew."""
    assert service.get("/lab/rows?n=1&rave.refresh=1").status_code == 401


def test_who_comes_from_elsewhere_sees_nothing(service: Any) -> None:
    """A trusted proxy tells where a request comes from; one that comes from elsewhere finds nothing."""
    assert service.get("/lab/rows?n=1", **{"X-Forwarded-For": "192.0.2.7"}).status_code == 404
    assert service.get("/", **{"X-Forwarded-For": "192.0.2.7"}).json()["operations"] == []


def test_what_a_network_got_is_not_for_shared_caches(service: Any) -> None:
    """A proxy that keeps answers would hand it to those who may not have it; so too of an answer that is at hand."""
    for _ in range(3):
        assert service.get("/lab/rows?n=2").headers["Cache-Control"].startswith("private, max-age=")


def test_headers_are_in_every_response(service: Any) -> None:
    """In problems as well."""
    for path in ("/lab/rows?n=1", "/lab/none", "/-/livez"):
        assert service.get(path).headers["Referrer-Policy"] == "same-origin", path


def test_only_who_asks_by_https_is_told_to_do_so(service: Any) -> None:
    """A trusted proxy says whether a client did."""
    assert "Strict-Transport-Security" not in service.get("/-/livez").headers
    asked = service.get("/-/livez", **{"X-Forwarded-Proto": "https"})
    assert asked.headers["Strict-Transport-Security"] == "max-age=86400"


def test_without_settings_nothing_is_granted_and_nothing_added() -> None:
    """The plugin may be installed for another of its parts."""
    own = WebSettings.of(Settings())
    assert (own.grants(), own.texts(), own.hsts, own.coroutines) == ([], [], None, 100)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"networks": {"10.1.0.0/33": ["view"]}}, "'10.1.0.0/33'"),
        ({"networks": {"10.1.0.1/16": ["view"]}}, "host bits"),
        ({"networks": {"10.1.0.0/16": ["veiw"]}}, "did you mean 'view'"),
        ({"networks": {"10.1.0.0/16": {"lab": ["view"]}}}, "a list of permissions"),
        ({"headers": {"X-Odd": "a\nb"}}, "'X-Odd'"),
        ({"headers": {"not a name": "a"}}, "'not a name'"),
        ({"headers": {"X-Number": 1}}, "'X-Number'"),
        ({"hsts": "soon"}, "'hsts'"),
        ({"coroutines": 0}, "'coroutines'"),
        ({"network": {}}, "did you mean 'networks'"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_would_be_right(table: dict[str, Any], words: str) -> None:
    """The message names the setting."""
    with pytest.raises(ConfigurationError) as caught:
        WebSettings.of(Settings(plugins={"web": table}))
    assert words in str(caught.value)
    assert "[plugins.web]" in str(caught.value)


def test_a_service_with_wrong_settings_does_not_start(refused: Callable[[str], str]) -> None:
    """A network that is mistyped must not be taken for none."""
    log = refused('[plugins.web.networks]\n"10.1.0.0/33" = ["view"]\n')
    assert "networks has '10.1.0.0/33'" in log
