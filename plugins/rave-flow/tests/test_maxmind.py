"""MaxMind's binary files as prefix maps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from maxmind_files import write_mmdb
from rave_flow.errors import ParameterError
from rave_flow.model.address_set import number_of_text
from rave_flow.model.prefix_maps import PrefixMap
from rave_flow.silk import rwcut, rwfilter, rwpmapbuild

from rave_core import Runtime, Settings, using

Zeek = Callable[..., Path]
Line = Callable[..., str]
COUNTRIES = {
    "10.0.0.0/9": {"country": {"iso_code": "DE"}, "registered_country": {"iso_code": "US"}},
    "10.128.0.0/9": {"country": {"iso_code": "DE"}},
    "192.0.2.0/24": {"registered_country": {"iso_code": "FR"}},
    "198.51.100.0/24": {"continent": {"code": "EU"}},
    "2001:db8::/32": {"country": {"iso_code": "SE"}},
}


def test_networks_have_the_code_of_their_country(tmp_path: Path) -> None:
    """IPv4 and IPv6; the registered country where there is none, and nothing where there is neither."""
    found = PrefixMap.load("country", write_mmdb(tmp_path / "c.mmdb", COUNTRIES))
    asked = ["10.1.2.3", "10.200.0.1", "192.0.2.255", "198.51.100.1", "11.0.0.0", "2001:db8::9", "2001:db9::", "::1"]
    assert [found[address] for address in asked] == ["DE", "DE", "FR", None, None, "SE", None, None]
    assert found.labels == ("DE", "FR", "SE")


def test_neighbours_of_one_label_are_one_range(tmp_path: Path) -> None:
    """A database has hundreds of thousands of networks, and half as many changes of the label."""
    found = PrefixMap.load("country", write_mmdb(tmp_path / "c.mmdb", COUNTRIES))
    assert found.entries[0][:2] == (number_of_text("10.0.0.0"), number_of_text("10.255.255.255"))


def test_autonomous_systems_have_their_number(tmp_path: Path) -> None:
    """As in MaxMind's CSV of them."""
    facts = {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}
    assert rwpmapbuild(write_mmdb(tmp_path / "a.mmdb", {"10.0.0.0/8": facts}), name="asn")["10.0.0.1"] == "64500"


def test_a_configured_database_gives_countries_of_flows(
    tmp_path: Path, zeek: Zeek, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``scc`` and ``dcc``, as fields and as options; another database gives another answer at once."""
    monkeypatch.delenv("RAVE_FLOW_DIRECTORY", raising=False)
    database = write_mmdb(tmp_path / "c.mmdb", COUNTRIES)
    plugin = {"directory": str(zeek([line(), line(src="203.0.113.9")])), "pmaps": {"country": str(database)}}
    settings = Settings(cache=["memory://"], products=[f"file://{tmp_path}/products"], plugins={"flow": plugin})
    with Runtime(settings) as runtime, using(runtime):
        assert rwcut(rwfilter(scc="DE"), fields="sip,scc,dcc").to_pylist() == [
            {"sip": "10.0.0.1", "src_country": "DE", "dst_country": "FR"}
        ]
        write_mmdb(database, {"203.0.113.0/24": {"country": {"iso_code": "DE"}}})
        assert rwcut(rwfilter(scc="DE"), fields="sip")["sip"].to_pylist() == ["203.0.113.9"]


def test_what_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    """A damaged file, one without labels, and one that is not there."""
    (tmp_path / "bad.mmdb").write_bytes(b"nothing of that kind")
    with pytest.raises(ParameterError, match=r"bad\.mmdb: is not a MaxMind database, or is damaged"):
        rwpmapbuild(tmp_path / "bad.mmdb")
    with pytest.raises(ParameterError, match=r"none\.mmdb: has neither countries nor autonomous systems"):
        rwpmapbuild(write_mmdb(tmp_path / "none.mmdb", {"10.0.0.0/8": {"continent": {"code": "EU"}}}))
    with pytest.raises(ParameterError, match=r"gone\.mmdb can't be read: No such file"):
        rwpmapbuild(tmp_path / "gone.mmdb")


def test_without_the_package_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: nothing else needs it."""
    database = write_mmdb(tmp_path / "c.mmdb", COUNTRIES)
    monkeypatch.setitem(sys.modules, "maxminddb", None)
    with pytest.raises(ParameterError, match=r"pip install 'rave-flow\[maxmind\]'"):
        rwpmapbuild(database)
