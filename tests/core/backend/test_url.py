"""URLs of backends: taken apart, and refused where they say what nobody understands."""

from __future__ import annotations

import pytest

from rave_core.backend import StoreURL, parse_flag, parse_size
from rave_core.errors import ConfigurationError


def test_a_url_is_taken_apart() -> None:
    """Scheme, host with port, path without escapes, and options that are converted."""
    url = StoreURL("S3://bucket:9000/a%20b?max_bytes=1KiB&durable=yes")
    assert (url.scheme, url.host, url.path) == ("s3", "bucket:9000", "/a b")
    assert url.take("max_bytes", parse_size, None) == 1024
    assert url.take("durable", parse_flag, False) is True
    assert url.take("policy", str, "lru") == "lru"
    url.done()


@pytest.mark.parametrize("text", ["", "memory", "/var/cache", "memory:", "://x"])
def test_what_is_no_url_is_refused(text: str) -> None:
    """With two that would be right."""
    with pytest.raises(ConfigurationError, match="expected memory:// or file:///path"):
        StoreURL(text)


def test_a_host_that_is_none_is_refused_without_showing_the_password() -> None:
    """As any other mistake in a URL: not with an error of the parser's own."""
    with pytest.raises(ConfigurationError, match="is not a URL: Invalid IPv6 URL") as caught:
        StoreURL("valkey://me:secret@[::1")
    assert "secret" not in str(caught.value)


def test_an_option_that_nobody_takes_is_refused() -> None:
    """The message names it and the nearest that is known."""
    url = StoreURL("memory://?max_byte=1")
    url.take("max_bytes", parse_size, None)
    with pytest.raises(ConfigurationError, match="unknown option 'max_byte'; did you mean 'max_bytes'"):
        url.done()


def test_an_option_given_twice_or_with_a_wrong_value_is_refused() -> None:
    """Neither is guessed at."""
    with pytest.raises(ConfigurationError, match="'a' is given twice"):
        StoreURL("memory://?a=1&a=2")
    with pytest.raises(ConfigurationError, match=r"max_bytes='much': 'much' is not a size, such as 512, 64KiB"):
        StoreURL("memory://?max_bytes=much").take("max_bytes", parse_size, None)


def test_credentials_are_never_shown() -> None:
    """Neither those in front of the host nor those of an endpoint among the options."""
    url = StoreURL("s3://me:secret@bucket/p?endpoint=http://you:hidden@localhost:9000&x=1")
    assert str(url) == "s3://bucket/p?endpoint=http://localhost:9000&x=1"


def test_credentials_that_nobody_takes_are_refused() -> None:
    """Rather than dropped in silence; a backend that wants them takes them."""
    with pytest.raises(ConfigurationError, match="a s3:// URL takes no user or password") as caught:
        StoreURL("s3://me:secret@bucket").done()
    assert "secret" not in str(caught.value)
    url = StoreURL("valkey://m%3Ae:s%40crets@host")
    assert url.take_credentials() == ("m:e", "s@crets")
    url.done()
