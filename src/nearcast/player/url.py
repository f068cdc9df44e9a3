"""Where something is: host, port and target of an `http` URL (RFC 3986, RFC 9110 section 4.2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import quote, urljoin, urlsplit

from nearcast.model.faults import OperatorFault
from nearcast.wire.addresses import HTTP_PORT, authority_text

HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?")
URL_CHARS_MAX = 8192
HOST_CHARS_MAX = 253  # RFC 1035 2.3.4; a name in other scripts is longer in ASCII, never shorter
UNRESERVED = "/?:@!$&'()*+,;=~-._%"  # stays as it is in a target (RFC 3986 3.3, 3.4)


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute `http` URL. `host` is lower-case and without brackets; `target` begins with `/`."""

    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises ValueError with a sentence when `text` is no absolute http URL."""
        if len(text) > URL_CHARS_MAX:
            raise ValueError(f"a URL has at most {URL_CHARS_MAX} characters")
        parts = urlsplit(text.strip())  # raises ValueError itself for brackets that do not match
        if parts.scheme == "https":
            raise ValueError("https is not spoken here yet; use http")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a URL begins with http:// and a host")
        try:
            port = HTTP_PORT if parts.port is None else parts.port
        except ValueError:
            raise ValueError("its port is not a number from 1 to 65535") from None
        if not port:
            raise ValueError("its port is not a number from 1 to 65535")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(_host(parts.hostname), port, quote(target, safe=UNRESERVED))

    def join(self, reference: str) -> Url:
        """What `reference` means on the page that this URL names (RFC 3986 section 5)."""
        return Url.parse(urljoin(str(self), reference))

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def authority(self) -> str:
        """The value of the Host field: the port only where it is not the usual one."""
        return authority_text(self.host, self.port)

    def __str__(self) -> str:
        return f"http://{self.authority}{self.target}"


def _host(text: str) -> str:
    """The host in ASCII, as the DNS and the Host field want it (RFC 5890)."""
    if ":" in text:
        return str(ip_address(text))
    host = ""
    if len(text) <= HOST_CHARS_MAX + 1:  # IDNA is no linear code
        try:
            host = text.encode("idna").decode("ascii")
        except UnicodeError:
            pass
    if not HOST.fullmatch(host) or len(host.rstrip(".")) > HOST_CHARS_MAX:
        raise ValueError(f"{text[:80]!r} is no name of a host")
    return host


def read_url(text: str) -> Url:
    """The URL a user typed; OperatorFault says what is wrong with it."""
    try:
        return Url.parse(text)
    except ValueError as fault:
        raise OperatorFault(f"{text!r} cannot be watched: {fault}") from None
