"""URLs, as users type them and as servers refer to them."""

from __future__ import annotations

import pytest

from nearcast.model.faults import OperatorFault
from nearcast.player.url import Url, read_url


@pytest.mark.parametrize(
    ("text", "host", "port", "target"),
    [
        ("http://WWW.Movie.test/clock", "www.movie.test", 80, "/clock"),
        ("http://127.0.20.1:8080", "127.0.20.1", 8080, "/"),
        ("http://[::1]:81/a?b=c", "::1", 81, "/a?b=c"),
        ("http://a.test/ein film/%C3%A4#part", "a.test", 80, "/ein%20film/%C3%A4"),
        ("http://a.test/ä", "a.test", 80, "/%C3%A4"),
        ("http://bücher.test/", "xn--bcher-kva.test", 80, "/"),
    ],
)
def test_parts(text: str, host: str, port: int, target: str) -> None:
    url = Url.parse(text)
    assert (url.host, url.port, url.target) == (host, port, target)


@pytest.mark.parametrize(
    "text",
    [
        "movie.test/clock",
        "https://movie.test/clock",
        "ftp://movie.test",
        "http://",
        "http://a.test:0/",
        "http://a.test:99999/",
        "http://a.test:x/",
        "http://a..test/",
        "http://" + "a" * 64 + ".test/",
        "http://" + "a." * 130 + "test/",
        "http://a\\1.test/",
        "http://[::1/",
        "http://[zz]/",
        "",
    ],
)
def test_what_cannot_be_watched_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(OperatorFault, match="cannot be watched"):
        read_url(text)


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("v720/1.m4s", "http://a.test:81/clock/v720/1.m4s"),
        ("/other", "http://a.test:81/other"),
        ("//b.test/x", "http://b.test/x"),
        ("http://b.test:82/x", "http://b.test:82/x"),
        ("../up", "http://a.test:81/up"),
    ],
)
def test_references(reference: str, meant: str) -> None:
    assert str(Url.parse("http://a.test:81/clock/manifest.mpd").join(reference)) == meant


def test_the_host_field_names_the_port_only_where_it_is_unusual() -> None:
    assert Url.parse("http://a.test:80/").authority == "a.test"
    assert Url.parse("http://a.test:8080/").authority == "a.test:8080"
    assert Url.parse("http://[::1]:8080/").authority == "[::1]:8080"


@pytest.mark.parametrize(
    "text", ["http://a/" + "x" * 9000, "http://" + "ü" * 300 + "/", "http://" + "a." * 130 + "/"]
)
def test_what_is_too_long_is_no_url(text: str) -> None:
    with pytest.raises(ValueError):
        Url.parse(text)
