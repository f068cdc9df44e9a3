"""A whole UDP packet: IP header, UDP header, text; built, checked and explained field by field.

RFC 791 (IPv4), RFC 8200 (IPv6), RFC 768 (UDP), RFC 1071 (the checksum they share). No options, no
extension headers, no fragments: this is the packet that a program would send if the kernel did not
do it for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from nearcast.wire.addresses import IpAddress

UDP = 17  # the protocol number in the IP header
HOPS = 64  # TTL, respectively hop limit: routers this packet may pass
IDENTIFICATION = 0x4E43  # "NC"; free to choose for a packet that is never fragmented (RFC 6864 4.1)
DONT_FRAGMENT = 0x4000
UDP_HEADER_BYTES = 8
UDP_BYTES_MAX = 65535


class PacketFault(ValueError):
    """These octets are no such packet; the message says why."""


class Field(NamedTuple):
    """A field of a packet: where it begins, its octets, and what they mean."""

    offset: int
    octets: bytes
    meaning: str


@dataclass(frozen=True, slots=True)
class UdpPacket:
    """One UDP datagram on its way between two addresses of one family."""

    source: IpAddress
    source_port: int
    destination: IpAddress
    destination_port: int
    text: bytes


def internet_checksum(octets: bytes) -> int:
    """The ones' complement of the ones' complement sum of all 16-bit words (RFC 1071).

    An odd last octet counts as the high half of a word. Over octets that contain their own checksum
    the result is 0.
    """
    words: tuple[int, ...] = struct.unpack(f">{(len(octets) + 1) // 2}H", octets + bytes(len(octets) % 2))
    total = sum(words)
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def build(packet: UdpPacket) -> bytes:
    """The octets of `packet`, checksums included. PacketFault when it cannot exist."""
    if packet.source.version != packet.destination.version:
        raise PacketFault(f"{packet.source} and {packet.destination} are of two families")
    length = UDP_HEADER_BYTES + len(packet.text)
    if length > UDP_BYTES_MAX - (20 if packet.source.version == 4 else 0):
        raise PacketFault(f"{len(packet.text)} octets of text do not fit into one packet")
    ports_and_length = struct.pack(">HHH", packet.source_port, packet.destination_port, length)
    checksum = internet_checksum(_pseudo_header(packet, length) + ports_and_length + bytes(2) + packet.text)
    # 0 would say "no checksum" (RFC 768): all ones mean the same sum.
    udp = ports_and_length + struct.pack(">H", checksum or 0xFFFF) + packet.text
    return (
        _ipv4_header(packet, length) if packet.source.version == 4 else _ipv6_header(packet, length)
    ) + udp


def _ipv4_header(packet: UdpPacket, udp_bytes: int) -> bytes:
    before = struct.pack(">BBHHHBB", 0x45, 0, 20 + udp_bytes, IDENTIFICATION, DONT_FRAGMENT, HOPS, UDP)
    addresses = packet.source.packed + packet.destination.packed
    return before + struct.pack(">H", internet_checksum(before + bytes(2) + addresses)) + addresses


def _ipv6_header(packet: UdpPacket, udp_bytes: int) -> bytes:
    first = struct.pack(">IHBB", 6 << 28, udp_bytes, UDP, HOPS)
    return first + packet.source.packed + packet.destination.packed


def _pseudo_header(packet: UdpPacket, udp_bytes: int) -> bytes:
    """What the UDP checksum covers besides the datagram: a packet gone astray must not pass (RFC 768,
    RFC 8200 8.1)."""
    addresses = packet.source.packed + packet.destination.packed
    if packet.source.version == 4:
        return addresses + struct.pack(">HH", UDP, udp_bytes)
    return addresses + struct.pack(">II", udp_bytes, UDP)


def parse(octets: bytes) -> UdpPacket:
    """The packet that `octets` are; PacketFault when a length, checksum or version is not right."""
    version = octets[0] >> 4 if octets else 0
    start = {4: 20, 6: 40}.get(version, 0)
    if not start or len(octets) < start + UDP_HEADER_BYTES:
        raise PacketFault("no IP packet with a UDP header")
    if version == 4:
        if octets[0] != 0x45 or internet_checksum(octets[:20]):
            raise PacketFault("the IPv4 header has options or a wrong checksum")
        total, protocol, addresses = struct.unpack(">H", octets[2:4])[0], octets[9], octets[12:20]
    else:
        total, protocol, addresses = 40 + struct.unpack(">H", octets[4:6])[0], octets[6], octets[8:40]
    source_port, destination_port, length, checksum = struct.unpack(">HHHH", octets[start : start + 8])
    if protocol != UDP or total != len(octets) or start + length != total:
        raise PacketFault("not UDP, or the lengths do not agree")
    half = len(addresses) // 2
    packet = UdpPacket(
        ip_address(addresses[:half]),
        source_port,
        ip_address(addresses[half:]),
        destination_port,
        octets[start + UDP_HEADER_BYTES :],
    )
    if (checksum or version == 6) and internet_checksum(_pseudo_header(packet, length) + octets[start:]):
        raise PacketFault("the UDP checksum is wrong")
    return packet


Explained = tuple[int, Callable[[bytes], str]]  # octets of a field, and what they mean

_IPV4_FIELDS: tuple[Explained, ...] = (
    (1, lambda o: f"IPv4: version {o[0] >> 4}, header of {o[0] & 15} words = {(o[0] & 15) * 4} octets"),
    (1, lambda o: f"type of service {o[0]}: nothing special"),
    (2, lambda o: f"total length {_number(o)}: headers and text"),
    (2, lambda o: f"identification {_number(o)}: tells the fragments of one packet from another's"),
    (2, lambda o: "flags: do not fragment; offset 0"),
    (1, lambda o: f"time to live {o[0]}: routers it may still pass"),
    (1, lambda o: f"protocol {o[0]}: UDP"),
    (2, lambda o: "checksum of this header"),
    (4, lambda o: f"from {ip_address(o)}"),
    (4, lambda o: f"to {ip_address(o)}"),
)
_IPV6_FIELDS: tuple[Explained, ...] = (
    (4, lambda o: f"IPv6: version {o[0] >> 4}, traffic class 0, flow label 0"),
    (2, lambda o: f"payload length {_number(o)}: UDP header and text"),
    (1, lambda o: f"next header {o[0]}: UDP"),
    (1, lambda o: f"hop limit {o[0]}: routers it may still pass"),
    (16, lambda o: f"from {ip_address(o)}"),
    (16, lambda o: f"to {ip_address(o)}"),
)
_UDP_FIELDS: tuple[Explained, ...] = (
    (2, lambda o: f"UDP: from port {_number(o)}"),
    (2, lambda o: f"to port {_number(o)}"),
    (2, lambda o: f"length {_number(o)}: this header and the text"),
    (2, lambda o: "checksum of addresses, ports and text"),
)
TEXT_ROW_BYTES = 8


def _number(octets: bytes) -> int:
    return int.from_bytes(octets, "big")


def explain(octets: bytes) -> list[Field]:
    """Every field of a packet made by `build`, in order, without a gap."""
    fields: list[Field] = []
    offset = 0
    for size, meaning in (_IPV4_FIELDS if octets[0] >> 4 == 4 else _IPV6_FIELDS) + _UDP_FIELDS:
        part = octets[offset : offset + size]
        fields.append(Field(offset, part, meaning(part)))
        offset += size
    for row in range(offset, len(octets), TEXT_ROW_BYTES):
        part = octets[row : row + TEXT_ROW_BYTES]
        shown = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in part)
        fields.append(Field(row, part, f"text  {shown}"))
    return fields
