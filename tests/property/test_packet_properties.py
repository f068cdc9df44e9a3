"""Packets: what is built is parsed back; checksums agree with an independent one; one wrong bit shows."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nearcast.wire.packet import PacketFault, UdpPacket, build, explain, internet_checksum, parse

ports = st.integers(0, 65535)
texts = st.binary(max_size=300)


def packets_of(version: int) -> st.SearchStrategy[UdpPacket]:
    addresses = st.ip_addresses(v=version)
    return st.builds(UdpPacket, addresses, ports, addresses, ports, texts)


packets = packets_of(4) | packets_of(6)


def checksum_by_end_around_carry(octets: bytes) -> int:
    """RFC 1071 word by word, carrying around after each addition: another way than the one tested."""
    total = 0
    for index in range(0, len(octets), 2):
        word = octets[index] * 256 + (octets[index + 1] if index + 1 < len(octets) else 0)
        total += word
        if total > 0xFFFF:
            total -= 0xFFFF
    return 0xFFFF - total


@given(st.binary(max_size=2100))
def test_the_checksum_is_the_independent_one(octets: bytes) -> None:
    assert internet_checksum(octets) == checksum_by_end_around_carry(octets)


def test_the_example_of_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


@given(packets)
def test_what_is_built_is_parsed_back(packet: UdpPacket) -> None:
    assert parse(build(packet)) == packet


@given(packets)
def test_the_udp_checksum_covers_the_pseudo_header(packet: UdpPacket) -> None:
    octets = build(packet)
    start = 20 if packet.source.version == 4 else 40
    udp = octets[start:]
    addresses = packet.source.packed + packet.destination.packed
    length = len(udp).to_bytes(2 if packet.source.version == 4 else 4, "big")
    pseudo = addresses + (b"\0\x11" + length if packet.source.version == 4 else length + b"\0\0\0\x11")
    assert checksum_by_end_around_carry(pseudo + udp) == 0
    assert udp[6:8] != b"\0\0", "0 would say that there is no checksum"


@given(packets, st.data())
def test_one_wrong_bit_shows(packet: UdpPacket, data: st.DataObject) -> None:
    octets = bytearray(build(packet))
    # In IPv6 no checksum covers traffic class, flow label and hop limit.
    covered = range(len(octets)) if packet.source.version == 4 else [0, *range(4, 7), *range(8, len(octets))]
    octet = data.draw(st.sampled_from(covered))
    octets[octet] ^= 1 << data.draw(st.integers(4 if octet == 0 else 0, 7))
    assume(packet.source.version == 6 or octets[26:28] != b"\0\0")  # which says: no checksum
    with pytest.raises(PacketFault):
        parse(bytes(octets))


@given(st.binary(max_size=100))
def test_no_octets_whatever_do_more_than_fault(octets: bytes) -> None:
    try:
        packet = parse(octets)
    except PacketFault:
        return
    assert packet.text == octets[-len(packet.text) :] or not packet.text


@given(packets)
def test_the_explanation_covers_every_octet_once(packet: UdpPacket) -> None:
    octets = build(packet)
    fields = explain(octets)
    assert b"".join(field.octets for field in fields) == octets
    assert [field.offset for field in fields] == [
        sum(len(before.octets) for before in fields[:index]) for index in range(len(fields))
    ]


def test_two_families_make_no_packet() -> None:
    with pytest.raises(PacketFault, match="two families"):
        build(UdpPacket(ip_address("127.0.0.1"), 1, ip_address("::1"), 2, b""))


@pytest.mark.parametrize(("source", "text_bytes"), [("127.0.0.1", 65508), ("::1", 65528)])
def test_a_text_longer_than_a_packet(source: str, text_bytes: int) -> None:
    here = ip_address(source)
    assert len(build(UdpPacket(here, 1, here, 2, bytes(text_bytes - 1)))) > 65000
    with pytest.raises(PacketFault, match="do not fit"):
        build(UdpPacket(here, 1, here, 2, bytes(text_bytes)))
