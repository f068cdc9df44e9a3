"""IP addresses and networks, how they are written, and how much of a client's address may be told."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
ServerAddress = tuple[str, int]
"""Where a server listens: its address (where it may be looked up, its name) and port."""

HTTP_PORT = 80  # left out of the authority of an http URL (RFC 9110 4.2.1)
_CLIENT_SUBNET_BITS = {4: 24, 6: 56}


def client_subnet(client: IpAddress | IpNetwork) -> IpNetwork:
    """What authorities are told of a client's address or network: no more than its /24 or /56
    (RFC 7871 11.1)."""
    network = ip_network(client)
    bits = _CLIENT_SUBNET_BITS[network.version]
    return network if network.prefixlen <= bits else network.supernet(new_prefix=bits)


def address_text(host: IpAddress | str) -> str:
    """A host as it stands in a URL: IPv6 in brackets (RFC 3986 3.2.2), a name as it is."""
    text = str(host)
    return f"[{text}]" if ":" in text else text


def endpoint_text(host: IpAddress | str, port: int) -> str:
    """Where a program listens, for people: `10.0.0.1:80`, `[2001:db8::1]:80`."""
    return f"{address_text(host)}:{port}"


def authority_text(host: IpAddress | str, port: int) -> str:
    """The authority of an http URL, and the value of Host: the port only where it is not the usual one."""
    return address_text(host) if port == HTTP_PORT else endpoint_text(host, port)
